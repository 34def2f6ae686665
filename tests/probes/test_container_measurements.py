"""Processor time, memory and I/O of containers and processes, from series of known loads."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from probes.evidence import Cell, ContainerIdentity, PodIdentity, ReaderSeries, SeriesTable
from probes.measurement import Evidence, undeclared
from probes.measurements import cpu, io, memory
from probes.readings import Reading
from tests.probes.evidences import VARIATIONS, WINDOW, series_of, whole

SECOND = 1_000_000_000
TIMES = range(WINDOW.start_ns - SECOND, WINDOW.end_ns + SECOND + 1, SECOND // 10)
MIDDLE_NS = (WINDOW.start_ns + WINDOW.end_ns) // 2
PODS = (
    PodIdentity(
        "front-1",
        "u-front",
        "edge",
        "front",
        (ContainerIdentity("main", "c1", 0.5, 200e6), ContainerIdentity("side", "c2")),
    ),
    PodIdentity("back-1", "u-back", "edge", "back", (ContainerIdentity("main", "c3"),)),
)
CONTAINERS = ("pod_uid", "container_id", "cpu_ns", "throttled_ns", "throttled_periods", "memory_bytes",
              "memory_peak_bytes", "io_read_bytes", "io_write_bytes")  # fmt: skip
PROCESSES = ("pod_uid", "container_id", "pid", "name", "cpu_ns", "rss_bytes")


def containers(loads: dict[str, float], **columns: Cell) -> SeriesTable:
    """Rows of containers whose processor use is even, by id; `columns` replaces what each row holds."""
    uids = {container.container_id: pod.uid for pod in PODS for container in pod.containers} | {"sandbox": "u-front"}
    rows: list[tuple[Cell, ...]] = []
    for at in TIMES:
        since = at - TIMES[0]
        for identifier, load in loads.items():
            cells: dict[str, Cell] = {
                "cpu_ns": round(since * load), "throttled_ns": since // 10, "throttled_periods": 1,
                "memory_bytes": 150_000_000 if at > MIDDLE_NS else 100_000_000, "memory_peak_bytes": 170_000_000,
                "io_read_bytes": since // 1_000, "io_write_bytes": since // 2_000,
            }  # fmt: skip
            cells |= columns
            rows.append(
                (at, at - WINDOW.start_ns + SECOND, uids[identifier], identifier, *(cells[c] for c in CONTAINERS[2:]))
            )
    return SeriesTable(("time_ns", "monotonic_ns", *CONTAINERS), tuple(rows))


def processes(named: dict[int, tuple[str, str, float]]) -> SeriesTable:
    """Rows of processes of the first pod: by number their container, name and even load."""
    rows: list[tuple[Cell, ...]] = [
        (at, at - WINDOW.start_ns + SECOND, "u-front", container, pid, name, round((at - TIMES[0]) * load), 40_000_000)
        for at in TIMES
        for pid, (container, name, load) in named.items()
    ]
    return SeriesTable(("time_ns", "monotonic_ns", *PROCESSES), tuple(rows))


def evidence(table: SeriesTable, of_processes: SeriesTable | None = None) -> Evidence:
    base = series_of()
    tables = {
        **base.tables,
        "containers": table,
        "processes": of_processes or SeriesTable(("time_ns", "monotonic_ns", *PROCESSES), ()),
    }
    return replace(whole(), pods=PODS, readers={"edge": replace(base, tables=tables)})


def gathered(kind: Any, made: Evidence) -> dict[str, Reading]:
    measurement = kind.Measured()
    readings = asyncio.run(measurement.gather(made))
    assert undeclared(measurement, readings) == []
    assert len({reading.key for reading in readings}) == len(readings)
    return {reading.key: reading for reading in readings}


LOADS = {"c1": 0.25, "c2": 0.05, "c3": 0.75, "sandbox": 0.0}


def test_known_loads_are_found_by_container_and_together() -> None:
    found = gathered(cpu, evidence(containers(LOADS)))
    assert found["cpu_cores"].value == pytest.approx(1.05, rel=1e-6)
    assert found["cpu_cores{container=main,pod=front}"].value == pytest.approx(0.25, rel=1e-6)
    assert found["cpu_cores{container=main,pod=back}"].value == pytest.approx(0.75, rel=1e-6)
    assert found["cpu_cores{statistic=max}"].value == pytest.approx(1.05, rel=1e-4)
    assert found["cpu_limit_ratio{container=main,pod=front}"].value == pytest.approx(0.5, rel=1e-6)
    assert found["cpu_limit_ratio{container=main,pod=back}"].missing == "no_cpu_limit"
    assert found["cpu_throttled_ratio{container=side,pod=front}"].value == pytest.approx(0.1, rel=1e-6)


def test_processes_of_one_name_are_added_up() -> None:
    named = {11: ("c1", "camera", 0.1), 12: ("c1", "python3", 0.05), 13: ("c1", "python3", 0.1)}
    found = gathered(cpu, evidence(containers(LOADS), processes(named)))
    assert found["cpu_cores{container=main,pod=front,process=camera}"].value == pytest.approx(0.1, rel=1e-6)
    assert found["cpu_cores{container=main,pod=front,process=python3}"].value == pytest.approx(0.15, rel=1e-6)
    assert not [key for key in found if "process" in key and "back" in key]


def test_memory_is_known_by_container_and_together() -> None:
    found = gathered(memory, evidence(containers(LOADS), processes({11: ("c1", "camera", 0.1)})))
    mean = 125e6
    assert found["memory_bytes{container=main,pod=front}"].value == pytest.approx(mean, rel=0.02)
    assert found["memory_bytes"].value == pytest.approx(3 * mean, rel=0.02)
    assert found["memory_bytes{statistic=max}"].value == pytest.approx(450e6)
    assert found["memory_limit_ratio{container=main,pod=front}"].value == pytest.approx(0.75)
    assert found["memory_limit_ratio{container=side,pod=front}"].missing == "no_memory_limit"
    assert found["memory_peak_bytes{container=main,pod=back}"].value == 170e6
    assert found["memory_bytes{container=main,pod=front,process=camera}"].value == pytest.approx(40e6)


def test_io_is_known_by_container_machine_and_together() -> None:
    found = gathered(io, evidence(containers(LOADS)))
    assert found["io_read_bytes_per_s{container=main,pod=front}"].value == pytest.approx(1e6, rel=1e-6)
    assert found["io_read_bytes_per_s"].value == pytest.approx(3e6, rel=1e-6)
    assert found["io_write_bytes_per_s"].value == pytest.approx(1.5e6, rel=1e-6)
    assert found["io_read_bytes_per_s{machine=edge}"].value == pytest.approx(1e6, rel=1e-6)


def test_writes_that_v1_does_not_attribute_are_missing_everything_else_is_there() -> None:
    table = replace(containers(LOADS, io_write_bytes=None), missing_columns={"io_write_bytes": "cgroup_v1_buffered"})
    found = gathered(io, evidence(table))
    assert found["io_write_bytes_per_s"].missing == "cgroup_v1_buffered"
    assert found["io_write_bytes_per_s{container=main,pod=front}"].missing == "cgroup_v1_buffered"
    assert found["io_write_bytes_per_s{machine=edge}"].value == pytest.approx(1e6, rel=1e-6)
    assert found["io_read_bytes_per_s"].value == pytest.approx(3e6, rel=1e-6)


def test_a_container_that_vanished_makes_the_sum_missing_not_smaller() -> None:
    table = containers(LOADS)
    ended = tuple(row for row in table.rows if row[3] != "c3" or int(str(row[0])) < MIDDLE_NS)
    found = gathered(cpu, evidence(replace(table, rows=ended)))
    assert found["cpu_cores"].missing == "coverage"
    assert found["cpu_cores{container=main,pod=back}"].missing == "coverage"
    assert found["cpu_cores{container=main,pod=front}"].value == pytest.approx(0.25, rel=1e-6)


def test_a_container_that_no_reader_saw_has_no_rows() -> None:
    found = gathered(cpu, evidence(containers({"c1": 0.25, "c2": 0.05})))
    assert found["cpu_cores"].missing == "no_rows"
    assert found["cpu_cores{statistic=max}"].missing == "no_rows"


def test_counters_that_stand_still_with_the_machine_are_no_zero() -> None:
    made = evidence(containers(dict.fromkeys(LOADS, 0.0)))
    idle = gathered(cpu, made)
    assert idle["cpu_cores"].value == 0
    series = made.readers["edge"]
    assert isinstance(series, ReaderSeries)
    tables = {**series.tables, "machine": series_of(constant=True).tables["machine"]}
    stuck = gathered(cpu, replace(made, readers={"edge": replace(series, tables=tables)}))
    assert {reading.missing for reading in stuck.values()} <= {"counter_stuck", "no_cpu_limit"}


@pytest.mark.parametrize("kind", [cpu, memory, io], ids=["cpu", "memory", "io"])
@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_whatever_is_left_behind_every_metric_has_a_value_or_a_reason(kind: Any, variation: str) -> None:
    found = gathered(kind, VARIATIONS[variation]())
    assert {reading.name for reading in found.values()} >= {
        metric.name for metric in kind.METRICS if metric.name in ("cpu_cores", "memory_bytes", *io.COLUMNS)
    }
    if variation in ("nothing", "no_platform", "no_rows", "garbled", "stopped_instrument"):
        assert [reading.key for reading in found.values() if reading.value is not None] == []
