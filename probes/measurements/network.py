"""L_net: the network between the machines, as the machine readers' own pods see it.

network_rtt_s                                     median round trip, idle, slowest pair of the application's machines
network_rtt_s{machine, peer, part, statistic}     p50, p95, p99 and max of one way round, idle and under load
network_lost_ratio{machine, peer, part}           datagrams of these probes without an answer
network_bandwidth_bytes_per_s                     idle, the slowest pair of the application's machines
network_bandwidth_bytes_per_s{machine, peer, part}
"""

from collections.abc import Callable, Iterable, Sequence

from probes.measurement import Evidence, Measurement
from probes.metrics import IDLE_NOT_MEASURED, NOT_MEASURED, TOO_FEW_SAMPLES, Metric
from probes.network_links import LinkProbe, RoundTrips
from probes.network_probe import NO_ANSWER, both_ways
from probes.readings import Reading, finite
from probes.stats import quantile

ONE_MACHINE = "one_machine"
TOO_MANY_MACHINES = "too_many_machines"
PAIR_NOT_PROBED = "pair_not_probed"
PROBE_LIMITED = "probe_limited"
LOWER_BOUND = {"statistic": "lower_bound"}
STATISTICS = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
LABELS = {
    "machine": "machine that sends",
    "peer": "machine that answers or receives",
    "part=idle": "while the application is parked",
    "part=load": "while the application runs: round trips in the window, bandwidth right after it; under the fault of "
    "--fault, if there is one",
}
REASONS = {
    ONE_MACHINE: "all pods of the application are on one machine, so there is no network between them",
    TOO_MANY_MACHINES: "more than four machines would be probed, each with each (all that have a reader, until it is "
    "known which of them the application uses); --network probes them all the same",
    PAIR_NOT_PROBED: "the application came to a machine that was not probed while it was parked",
    NO_ANSWER: "no datagram of the probe was answered: something between the machine readers holds UDP back",
}

METRICS = (
    Metric(
        "network_rtt_s",
        "L_net",
        "s",
        "round trip of a UDP datagram of 128 B between the machine readers' pods; without labels the median of the "
        "slowest pair of the application's machines, idle",
        source="machine readers: from the send call to the kernel's stamp of the answer, less the partner's own time",
        resolution="1 us",
        error_bound="20 us: the way from the send call to the device; who reads the answer late adds nothing",
        missing=REASONS,
        labels={
            **LABELS,
            "statistic=p50": "median",
            "statistic=p95": "95 % are shorter",
            "statistic=p99": "99 % are shorter",
            "statistic=max": "the longest",
        },
    ),
    Metric(
        "network_lost_ratio",
        "",
        "1",
        "share of the probe's datagrams that were not answered within 2 s, both ways together",
        source="machine readers, with network_rtt_s",
        resolution="one of the datagrams sent: 0.3 % idle, less fine under load, where 20 are sent per second",
        error_bound="that of a share of 300: 3.4 points at 10 % (95 %)",
        missing=REASONS,
        labels=LABELS,
    ),
    Metric(
        "network_bandwidth_bytes_per_s",
        "L_net",
        "B/s",
        "highest rate of UDP payload (1400 B datagrams) that arrives, found by doubling the rate until datagrams are "
        "lost or wait in a queue; without labels the slowest pair of the application's machines, idle",
        source="machine readers: bytes counted by the receiver, over the kernel's stamps of first and last arrival",
        resolution="one datagram in a stretch of 0.25 s",
        error_bound="5 %",
        missing={
            **REASONS,
            PROBE_LIMITED: "the probe reached its own limit before that of the network; statistic=lower_bound has it",
        },
        labels={**LABELS, "statistic=lower_bound": "what the probe itself reached; the network carries at least that"},
    ),
)


class Measured(Measurement):
    """Reads the probes that the runner made."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give round trips, losses and bandwidth of every way that was probed."""
        if isinstance(evidence.network, str):
            return tuple(Reading(metric.name, missing=evidence.network) for metric in METRICS)
        machines = evidence.application_machines()
        return (
            *application_readings(evidence.network, machines, is_parked_first=evidence.deployment is not None),
            *(reading for link in evidence.network for reading in link_readings(link)),
        )


def link_readings(link: LinkProbe) -> tuple[Reading, ...]:
    """Give the readings of one way."""
    return (*trip_readings(link), *bandwidth_readings(link, link.labels))


def trip_readings(link: LinkProbe) -> tuple[Reading, ...]:
    """Give the distribution of round trips and what was lost."""
    trips = link.trips
    if isinstance(trips, str):
        return (
            Reading("network_rtt_s", missing=trips, labels={**link.labels, "statistic": "p50"}),
            Reading("network_lost_ratio", missing=trips, labels=link.labels),
        )
    return (
        *(
            finite(
                "network_rtt_s",
                quantile(trips.rtt_s, probability),
                TOO_FEW_SAMPLES,
                {**link.labels, "statistic": statistic},
            )
            for statistic, probability in STATISTICS.items()
        ),
        Reading("network_lost_ratio", trips.lost_ratio, labels=link.labels),
    )


def bandwidth_readings(link: LinkProbe, labels: dict[str, str]) -> tuple[Reading, ...]:
    """Give the bandwidth, or what the probe reached where it was the limit itself."""
    found = link.bandwidth
    name = "network_bandwidth_bytes_per_s"
    if isinstance(found, str):
        return (Reading(name, missing=found, labels=labels),)
    if found.is_of_network:
        return (Reading(name, found.bytes_per_s, labels=labels),)
    return (
        Reading(name, missing=PROBE_LIMITED, labels=labels),
        Reading(name, found.bytes_per_s, labels={**labels, **LOWER_BOUND}),
    )


def application_readings(
    links: Sequence[LinkProbe], machines: Sequence[str], *, is_parked_first: bool = True
) -> tuple[Reading, ...]:
    """Give the readings without labels: idle, the slowest pair of the machines that the application uses."""
    used = [link for link in links if link.part == "idle" and {link.machine, link.peer} <= set(machines)]
    reason = None
    if len(machines) < 2:
        reason = ONE_MACHINE
    elif not is_parked_first:
        reason = IDLE_NOT_MEASURED
    elif set(both_ways(machines)) - {(link.machine, link.peer) for link in used}:
        reason = PAIR_NOT_PROBED
    if reason is not None:
        return tuple(Reading(metric.name, missing=reason) for metric in METRICS)
    return (
        _largest("network_rtt_s", used, lambda trips: quantile(trips.rtt_s, 0.5)),
        _largest("network_lost_ratio", used, lambda trips: trips.lost_ratio),
        *_least_bandwidth(used),
    )


def _largest(name: str, links: Iterable[LinkProbe], value_of: Callable[[RoundTrips], float | None]) -> Reading:
    trips = [link.trips for link in links]
    reasons = [found for found in trips if isinstance(found, str)]
    values = [value_of(found) for found in trips if not isinstance(found, str)]
    known = [value for value in values if value is not None]
    if reasons or len(known) < len(values) or not known:
        # The slowest pair may be among those that could not be measured.
        return Reading(name, missing=reasons[0] if reasons else TOO_FEW_SAMPLES if values else NOT_MEASURED)
    return Reading(name, max(known))


def _least_bandwidth(links: Sequence[LinkProbe]) -> tuple[Reading, ...]:
    reasons = [link for link in links if isinstance(link.bandwidth, str)]
    found = [(link.bandwidth.bytes_per_s, link) for link in links if not isinstance(link.bandwidth, str)]
    if reasons or not found:
        reason = str(reasons[0].bandwidth) if reasons else NOT_MEASURED
        return (Reading("network_bandwidth_bytes_per_s", missing=reason),)
    return bandwidth_readings(min(found, key=lambda pair: pair[0])[1], {})
