"""What fault the network between machines is given, and whether a measurement shows it: plain values and pure rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from probes.errors import UsageError
from probes.evidence import Cell
from probes.network_links import LinkProbe, RoundTrips

TOLERANCE_S = 0.0005
RELAY_TOLERANCE_S = 0.0011
"""For a round trip under the relay: its way through user space takes 0.2 to 0.35 ms each way where cores are busy."""
TOLERANCE_RATIO = 0.02
SIGMAS = 4
LEAST_RATE_RATIO, MOST_RATE_RATIO = 0.8, 1.05
HEADERS_BYTES = 28
"""IPv4 and UDP: a rate counts them, a bandwidth does not."""

Ratio = Annotated[float, Field(ge=0, le=1)]


class FaultOrder(BaseModel):
    """A fault on all that the application's machines send one another; each way gets it once.

    As a level of a campaign's factor `fault`: `{"delayS": 0.02, "lossRatio": 0.01}`; as an option or a level in text:
    `delay_s=0.02,loss_ratio=0.01`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, validate_by_name=True, allow_inf_nan=False
    )

    delay_s: float = Field(default=0, ge=0, le=10, description="Added to every packet.")
    jitter_s: float = Field(default=0, ge=0, le=10, description="Delays are drawn evenly from delayS ± this.")
    loss_ratio: Ratio = Field(default=0, description="Probability with which a packet is lost.")
    rate_bytes_per_s: float | None = Field(default=None, ge=1000, description="IP bytes per second and machine.")
    reorder_ratio: Ratio = Field(default=0, description="Probability with which a packet overtakes those that wait.")
    seed: int = Field(default=1, ge=0, lt=2**63, description="Of the draws.")

    @model_validator(mode="after")
    def _is_possible(self) -> "FaultOrder":
        if self.jitter_s > self.delay_s:
            raise ValueError("jitterS is at most delayS: no packet arrives before it was sent")
        if self.reorder_ratio and not self.delay_s:
            raise ValueError("reorderRatio needs a delayS: only what waits can be overtaken")
        if not (self.delay_s or self.loss_ratio or self.rate_bytes_per_s):
            raise ValueError("one of delayS, lossRatio and rateBytesPerS is needed, or nothing changes")
        return self

    def settings(self) -> Mapping[str, Cell]:
        """Give what the record keeps, and what a machine reader is sent."""
        return self.model_dump()


def fault_order(level: Any) -> FaultOrder | None:
    """Read a level of the factor `fault` or the option --fault; `null` and `none` are no fault.

    Raises:
        UsageError: It is no fault.
    """
    if level is None or level == "none":
        return None
    try:
        return FaultOrder.model_validate(_entries(level) if isinstance(level, str) else level)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("fault", *map(str, first["loc"])))
        raise _no_fault(f"{place}: {first['msg']}", level) from None


def _entries(text: str) -> Mapping[str, str]:
    """Read `key=value,key=value`.

    Raises:
        UsageError: It is something else, or a key comes twice.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    found = {key.strip(): value.strip() for key, _, value in pairs}
    if len(found) < len(pairs) or not all(key.strip() and sign and value.strip() for key, sign, value in pairs):
        raise _no_fault("fault: it must be KEY=VALUE,…, each key once", text)
    return found


def _no_fault(problem: str, level: Any) -> UsageError:
    keys = ", ".join(FaultOrder.model_fields)
    return UsageError(
        f"{problem}; it was given {level!r}. Its keys: {keys}.",
        next_step="write --fault delay_s=0.02,loss_ratio=0.01, or in a plan levels such as "
        "{none: null, slow: {delayS: 0.02}, lossy: {lossRatio: 0.01}}",
    )


@dataclass(frozen=True)
class Tolerances:
    """How far what is measured may be from what was asked for, before the fault counts as not there."""

    delay_s: float = TOLERANCE_S
    delay_ratio: float = TOLERANCE_RATIO


def tolerances_of(means: Iterable[str]) -> Tolerances:
    """How exact a fault can be, by what makes it on the machines: `netem` or `relay`."""
    return Tolerances(delay_s=RELAY_TOLERANCE_S) if "relay" in means else Tolerances()


def problems_during(
    order: FaultOrder, before: Sequence[LinkProbe], during: Sequence[LinkProbe], tolerances: Tolerances = Tolerances()
) -> list[str]:
    """Say what a probe under a fault shows otherwise than it should; nothing if the fault is there as asked for.

    A round trip passes the fault twice: once each way.
    """
    return [
        f"{then.machine} to {then.peer}: {text}"
        for first, then in zip(before, during, strict=True)
        for text in _link_problems(order, first, then, tolerances)
    ]


def problems_after(
    before: Sequence[LinkProbe], after: Sequence[LinkProbe], tolerances: Tolerances = Tolerances()
) -> list[str]:
    """Say what a probe after the removal of a fault still shows of it; nothing if the network is as before."""
    found: list[str] = []
    for first, then in zip(before, after, strict=True):
        pair = f"{then.machine} to {then.peer}"
        if isinstance(first.trips, str) or isinstance(then.trips, str):
            found.append(f"{pair}: not measured: {next(t for t in (first.trips, then.trips) if isinstance(t, str))}")
            continue
        found += [f"{pair}: {text}" for text in _delay_problems(first.trips, then.trips, 0.0, tolerances)]
        found += [f"{pair}: {text}" for text in _loss_problems(then.trips, first.trips.lost_ratio)]
    return found


def _link_problems(order: FaultOrder, first: LinkProbe, then: LinkProbe, tolerances: Tolerances) -> list[str]:
    if isinstance(first.trips, str) or isinstance(then.trips, str):
        return [f"not measured: {next(t for t in (first.trips, then.trips) if isinstance(t, str))}"]
    passed = 1 - order.loss_ratio
    found = _loss_problems(then.trips, 1 - (1 - first.trips.lost_ratio) * passed**2)
    # What overtakes is not delayed: with many of them, or hardly any answer, the median says nothing of the delay.
    if order.reorder_ratio < 0.25:
        found += _delay_problems(first.trips, then.trips, 2 * order.delay_s, tolerances, 2 * order.jitter_s)
    if order.rate_bytes_per_s and not isinstance(then.bandwidth, str):
        ratio = then.bandwidth.bytes_per_s / order.rate_bytes_per_s
        if not LEAST_RATE_RATIO <= ratio / passed <= MOST_RATE_RATIO:
            found.append(
                f"{then.bandwidth.bytes_per_s:.4g} B/s arrive where the rate is {order.rate_bytes_per_s:.4g} B/s"
            )
    elif order.rate_bytes_per_s:
        found.append(f"the rate was not measured: {then.bandwidth}")
    return found


def _delay_problems(
    first: RoundTrips, then: RoundTrips, wanted_s: float, tolerances: Tolerances, jitter_s: float = 0.0
) -> list[str]:
    added_s = float(np.median(then.rtt_s) - np.median(first.rtt_s))
    # A median of n even draws is off by its standard error at most, times the number of sigmas.
    drawn_s = SIGMAS * jitter_s / sqrt(then.rtt_s.size)
    allowed_s = max(tolerances.delay_s, tolerances.delay_ratio * wanted_s) + drawn_s
    if abs(added_s - wanted_s) <= allowed_s:
        return []
    return [f"round trips are {added_s * 1e3:.3f} ms longer at the median, wanted {wanted_s * 1e3:.3f} ms"]


def _loss_problems(then: RoundTrips, wanted_ratio: float) -> list[str]:
    deviation = sqrt(wanted_ratio * (1 - wanted_ratio) / then.sent) if wanted_ratio < 1 else 0.0
    # Where nothing should be lost, a few may be: a probe of a loaded machine is not perfect either.
    allowed = SIGMAS * deviation + 2 / then.sent
    if abs(then.lost_ratio - wanted_ratio) <= allowed:
        return []
    return [f"{then.lost_ratio:.2%} of the datagrams are lost, wanted {wanted_ratio:.2%} ± {allowed:.2%}"]
