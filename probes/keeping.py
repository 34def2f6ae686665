"""The second half of a repetition: fetch what is left, judge, compute the readings, write everything to the folder."""

import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from probes import advice, gates, regimes
from probes.cluster import Machine
from probes.counters import IDLE, WINDOW, counter_rows
from probes.deploy import application_of
from probes.event_times import event_times, events_table_rows, images_pulled
from probes.evidence import PhaseTime, ReaderSeries
from probes.foreign_load import foreign_loads
from probes.kept import samples_folder, write_repetition
from probes.measurement import Evidence, Measurement, RunContext, failed, undeclared
from probes.measurements.phases import start_of
from probes.milestones import APPLICATION, RECORDER_CLOCK, first_valid_arrival_ns, pod_spans, stage_spans
from probes.network_schedule import joined
from probes.phases import watch_times
from probes.provenance import boot_id, load_average
from probes.readers import covering
from probes.readings import Reading, of_repetition
from probes.recorder import RecorderStatus
from probes.run_state import Begun, Bench, Observed, Run
from probes.samples import NO_SAMPLES, Samples, placed
from probes.tables import readings_table, rows_table, samples_table
from probes.turn import before_updates


async def keep(bench: Bench, run: Run, repetition: int, begun: Begun, observed: Observed) -> tuple[gates.Gate, ...]:
    """Fetch the rest of the samples, judge, measure, and keep it all; gives the verdicts of the gates."""
    outputs, deployed = run.outputs, begun.deployed
    samples = await _all_samples(run, begun)
    one_clock = is_one_clock(begun.status, observed.context.application_machines)
    if not one_clock:
        samples = {name: placed(found) for name, found in samples.items()}
    events = await bench.cluster.events(outputs.namespace)
    machines = await bench.cluster.machines()
    span_ns = (begun.clock.to_runner(observed.window.start_ns), begun.clock.to_runner(observed.window.end_ns))
    # An update after the window pulls images of its own.
    pulled = images_pulled(events, begun.started_ns, span_ns[1]) if deployed else []
    regime = await regimes.prove(bench, begun.regime, observed.pods, pulled) if begun.regime else None
    own = before_updates(samples.get(begun.topic.name, NO_SAMPLES), observed.updates, begun.clock)
    evidence = Evidence(
        repetition=repetition,
        outputs=outputs,
        topic=begun.topic,
        samples=own,
        window=observed.window,
        capture=observed.capture,
        clock=begun.clock,
        is_one_clock=one_clock,
        deployment=deployed.times if deployed else None,
        pods=observed.pods,
        readers=covering(observed.readers, *span_ns),
        idle=begun.idle,
        timeline=_timeline(begun, observed, events, own),
        own_boot_id=boot_id(),
        recorder_machine=begun.status.machine,
        machines=tuple(machines),
        faults=observed.faults,
        regime=regime,
        updates=observed.updates,
        network=joined(begun.network, observed.network),
        note=bench.world.screen.note,
    )
    verdicts = judge(evidence, observed, machines)
    readings = of_repetition(await gather_all(run.measurements, evidence), repetition)
    tables = {
        "samples": samples_table(repetition, samples, observed.window),
        "metrics": readings_table(readings),
        "events": rows_table("events", events_table_rows(repetition, events, begun.started_ns)),
        "pods": rows_table("pods", [time.as_row(repetition) for time in evidence.timeline]),
        "timeline": rows_table("timeline", _span_rows(evidence)),
        "counters": rows_table(
            "counters",
            (
                *counter_rows(repetition, WINDOW, observed.readers),
                *counter_rows(repetition, IDLE, begun.idle),
            ),
        ),
    }
    facts = dict(_facts(evidence, verdicts, run.load_before))
    facts["recommendations"] = await advice.recorded(bench.cluster, outputs)
    write_repetition(run.folder, repetition, facts, tables)
    run.is_kept = True
    shutil.rmtree(samples_folder(run.folder, repetition))
    return verdicts


async def _all_samples(run: Run, begun: Begun) -> dict[str, Samples]:
    """Bring the copy up to the end of the capture and read it."""
    if run.copy is None:
        names = [topic.name for topic in application_of(run.outputs).topics]
        return {name: await run.recorder.samples(begun.capture, name) for name in names}
    await run.copy.advance()
    return run.copy.samples()


async def gather_all(measurements: Sequence[Measurement], evidence: Evidence) -> list[Reading]:
    """Give every measurement's readings, then what follows from all of them."""
    readings: list[Reading] = []
    for measurement in measurements:
        readings += await _readings(measurement, measurement.gather(evidence), evidence.note)
    gathered = tuple(readings)
    for measurement in measurements:
        readings += measurement.derive(gathered)
    return readings


async def conclude_all(measurements: Sequence[Measurement], context: RunContext) -> list[Reading]:
    """Give every measurement's readings of the run as a whole."""
    readings: list[Reading] = []
    for measurement in measurements:
        readings += await _readings(measurement, measurement.conclude(context), context.note)
    return readings


async def _readings(
    measurement: Measurement, work: Awaitable[tuple[Reading, ...]], note: Callable[[str], None]
) -> tuple[Reading, ...]:
    """Wait for a measurement's readings.

    One that breaks on what it is given makes its own metrics missing and ends no run; so does one whose readings its
    file does not declare.
    """
    try:
        found = await work
        problem = "; ".join(undeclared(measurement, found))
    except Exception as error:  # noqa: BLE001 - shown, and kept as a reason: the samples are worth more
        found, problem = (), repr(error)
    if not problem:
        return found
    note(f"measurement {type(measurement).__module__.rpartition('.')[2]} failed: {problem}")
    return failed(measurement)


def is_one_clock(status: RecorderStatus, machines: Sequence[Machine]) -> bool:
    """Tell whether recorder and application read the clock of one kernel: their boot ids are the same."""
    return bool(machines) and all(machine.boot_id == status.boot_id for machine in machines)


def judge(evidence: Evidence, observed: Observed, machines: Sequence[Machine]) -> tuple[gates.Gate, ...]:
    """Put a repetition through every gate."""
    verdicts = (
        gates.enough_samples(evidence.samples, evidence.window),
        gates.no_restart(observed.before, observed.after),
        gates.machines_present([state.machine for state in observed.before], machines),
        gates.recorder_kept_all(evidence.capture),
        gates.recorder_without_gap(evidence.capture),
        gates.no_clock_step(evidence.samples, evidence.readers),
        gates.clock_related(is_one_clock=evidence.is_one_clock),
        gates.quiet_machine(foreign_loads(evidence)),
    )
    if evidence.faults:
        verdicts = (*verdicts, gates.fault_verified(observed.fault_problems))
    if evidence.regime is None:
        return verdicts
    if evidence.regime.regime == "warm":
        return (*verdicts, gates.one_regime(evidence.regime.pulled))
    return (*verdicts, gates.regime_proved(evidence.regime))


def _timeline(
    begun: Begun, observed: Observed, events: Sequence[Mapping[str, Any]], samples: Samples
) -> tuple[PhaseTime, ...]:
    """Join what the watch, the events, the recorder and the first message tell; nothing without a deployment."""
    if begun.deployed is None:
        return ()
    times = watch_times(begun.deployed.timeline)
    times += event_times(events, {state.name: state.machine for state in observed.before})
    times += observed.starts
    if begun.discovered is not None:
        times.append(begun.discovered)
    first_ns = first_valid_arrival_ns(samples, begun.clock.to_recorder(begun.started_ns))
    if first_ns is not None:
        machine = begun.status.machine
        times.append(PhaseTime(APPLICATION, machine, "first_message", first_ns, "sample", 1, RECORDER_CLOCK))
    return tuple(times)


def _span_rows(evidence: Evidence) -> list[dict[str, object]]:
    start = start_of(evidence)
    if start is None:
        return []
    spans = [*stage_spans(start), *(span for pod in start.pods for span in pod_spans(start, pod))]
    return [span.as_row(evidence.repetition) for span in spans]


def _facts(evidence: Evidence, verdicts: Sequence[gates.Gate], load_before: float) -> Mapping[str, Any]:
    deployment = evidence.deployment
    return {
        "repetition": evidence.repetition,
        "window": asdict(evidence.window),
        "deployment": asdict(deployment) if deployment else None,
        "clock": evidence.clock.as_record()
        | {"is_one_clock": evidence.is_one_clock, "application_behind_ns": evidence.samples.application_behind_ns},
        "capture": evidence.capture.model_dump(
            include={"started_ns", "stopped_ns", "samples", "dropped", "gaps", "cpu_ns", "drain_busy_ns"}
        ),
        "load_average": {"before": load_before, "after": load_average()},
        "regime": evidence.regime.as_record() if evidence.regime else None,
        "readers": {machine: _reader_facts(series) for machine, series in evidence.readers.items()},
        "updates": [asdict(cycle) for cycle in evidence.updates],
        "faults": [asdict(fault) for fault in evidence.faults],
        "gates": [verdict.as_record() for verdict in verdicts],
    }


def _reader_facts(series: ReaderSeries | str) -> Mapping[str, Any]:
    if isinstance(series, str):
        return {"missing": series}
    return {
        "started_ns": series.started_ns,
        "stopped_ns": series.stopped_ns,
        "clock": series.clock.as_record(),
        "rows": {kind: len(table.rows) for kind, table in series.tables.items()},
        "missing": {kind: table.missing for kind, table in series.tables.items() if table.missing},
        "gaps": [list(gap) for gap in series.gaps],
        "dropped": dict(series.dropped),
        "late_reads": series.late_reads,
        "longest_read_ns": series.longest_read_ns,
        "cpu_ns": series.cpu_ns,
    }
