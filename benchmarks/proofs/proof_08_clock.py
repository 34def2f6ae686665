"""Proof 8: a recorder with another clock than the application is corrected within a stated bound, or refused.

The recorder's own clock is shifted (ROS2BENCH_RECORDER_CLOCK_OFFSET_NS), as on a second machine: every time that it
stamps moves, and its boot id is another. The runner must find the offset by its exchange of four time stamps, and must
not report a one-way latency from two clocks as if they were one.
"""

from dataclasses import dataclass

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.evidence import Evidence
from benchmarks.proofs.finding import Finding, milliseconds, no_data, verdict_of

NUMBER = 8
STACK = "monolithic"
VARIABLE = "ROS2BENCH_RECORDER_CLOCK_OFFSET_NS"
OFFSETS_NS = (5_000_000, 20_000_000_000, -20_000_000_000)
FIGURE = "offset within its bound; no value that is off by more than bound and noise"
RECORDER = ("-l", "app.kubernetes.io/component=recorder")
LATENCIES = ("inference_s", "inference_s{part=transport}")
START = "ready_s - install_s"
LATENCY_NOISE_RATIO = 0.1
# One end of the start is the recorder's, the other the runner's; a start on a busy machine differs by seconds.
START_NOISE_S = 5.0


@dataclass(frozen=True)
class Measured:
    """What a record says of one run; a missing metric is its reason.

    Attributes:
        offset_ns: Offset of the recorder's clock that the runner found.
        bound_ns: By how much it may be wrong.
        is_one_clock: Whether the runner took both clocks for one.
        metrics: Latencies, and the start as `START`; the reason where one is missing.
    """

    offset_ns: int
    bound_ns: int
    is_one_clock: bool
    metrics: dict[str, float | str]


def finding(offset_ns: int, plain: Measured, shifted: Measured) -> Finding:
    """Judge a run with a shifted clock against one without.

    Args:
        offset_ns: Offset that was really there.
        plain: The run on one clock.
        shifted: The run with the shifted clock.
    """
    error_ns = shifted.offset_ns - offset_ns
    wrong = ["both clocks were taken for one"] if shifted.is_one_clock else []
    told: list[str] = []
    for key, value in shifted.metrics.items():
        reference = plain.metrics.get(key)
        if isinstance(value, str):
            told.append(f"{key} missing({value})")
        elif isinstance(reference, float):
            noise_s = START_NOISE_S if key == START else LATENCY_NOISE_RATIO * reference
            told.append(f"{key} {milliseconds(value)}")
            if abs(value - reference) > shifted.bound_ns / 1e9 + noise_s:
                wrong.append(f"{key} is {milliseconds(value)} instead of {milliseconds(reference)}")
    return Finding(
        NUMBER,
        claim(offset_ns),
        FIGURE,
        "; ".join([f"offset wrong by {milliseconds(error_ns / 1e9)}", *told, *wrong]),
        f"± {milliseconds(shifted.bound_ns / 1e9)}",
        verdict_of(holds=abs(error_ns) <= shifted.bound_ns and not wrong),
    )


def claim(offset_ns: int) -> str:
    """Say what is claimed of one offset."""
    return f"a recorder clock that is {milliseconds(offset_ns / 1e9)} ahead is corrected or refused"


def measured(evidence: Evidence) -> Measured:
    """Read from a record what this proof judges."""
    clock = evidence.manifest["repetitions"][0]["clock"]
    metrics: dict[str, float | str] = {}
    for key in LATENCIES:
        value = evidence.value(key)
        metrics[key] = evidence.missing(key) if value is None else value
    ready_s, install_s = evidence.value("ready_s"), evidence.value("install_s")
    if ready_s is None or install_s is None:
        metrics[START] = evidence.missing("ready_s" if ready_s is None else "install_s")
    else:
        metrics[START] = ready_s - install_s
    return Measured(clock["offset_ns"], clock["bound_ns"], clock["is_one_clock"], metrics)


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Measure with the recorder's own clock, then with shifted ones."""
    bench.deploy(STACK, {"application": {"load": dict(SMALL_LOAD)}})
    own = bench.measure(cycles="install", duration_s=10.0)
    if own.problem:
        return [no_data(NUMBER, "a recorder clock that is ahead is corrected or refused", FIGURE, own.problem)]
    plain, found = measured(own), list[Finding]()
    try:
        for offset_ns in OFFSETS_NS[1:2] if reduced else OFFSETS_NS:
            _shift(bench, offset_ns)
            evidence = bench.measure(cycles="install", duration_s=10.0)
            if evidence.problem:
                found.append(no_data(NUMBER, claim(offset_ns), FIGURE, evidence.problem))
            else:
                found.append(finding(offset_ns, plain, measured(evidence)))
    finally:
        _shift(bench, None)
    return found


def _shift(bench: Bench, offset_ns: int | None) -> None:
    """Give the recorder's container another clock, or its own again; returns when the new one is ready."""
    change = f"{VARIABLE}-" if offset_ns is None else f"{VARIABLE}={offset_ns}"
    bench.kubectl("set", "env", "deployment", *RECORDER, change)
    bench.kubectl("rollout", "status", "deployment", *RECORDER, "--timeout=120s")
