"""The benchmark records a run again from what it left, under a name of its own, and pairs it with the run's time."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.record_overhead import measure, read_run, record_s, repetitions_s
from probes.journal import Entry, Journal
from probes.kept import write_repetition
from probes.readings import Reading
from probes.record import CONTEXT_FILE
from probes.spool import RunFolder, Spool
from probes.store import FolderStore
from probes.tables import readings_table, rows_table
from tests.probes.standins import outputs_of

RUN_ID = "01990000-0000-7000-8000-000000000001"


def run_of(spool: Spool, *states: str, has_samples: bool = True) -> RunFolder:
    """Make the folder of a run of two repetitions."""
    folder = spool.create(RUN_ID)
    context: dict[str, Any] = {
        "run_id": RUN_ID,
        "created_at": "2026-01-02T03:04:05+00:00",
        "stack": "monolithic",
        "pattern": "monolithic",
        "outputs": outputs_of().model_dump(mode="json", by_alias=True),
        "plan": {"repetitions": 2, "seed": 1, "cycles": "none", "durations": {}},
        "machines": [],
        "findings": [],
    }
    folder.write_json(CONTEXT_FILE, context)
    with Journal(folder.path) as journal:
        for state in states:
            journal.append(state)  # pyright: ignore[reportArgumentType]
    for repetition in range(2):
        names = ("pods", "events", *(["samples"] if has_samples else []))
        tables = {name: rows_table(name, ()) for name in names}
        tables["metrics"] = readings_table([Reading("frames_hz", 10.0, repetition=repetition)])
        facts = {"repetition": repetition, "window": {"start_ns": 0, "end_ns": 1}, "gates": []}
        write_repetition(folder, repetition, facts, tables)
    return folder


def test_a_run_is_recorded_again_whole_and_under_another_name(tmp_path: Path) -> None:
    run = read_run(run_of(Spool(tmp_path / "spool"), "planned", "measuring", "collected", "sealed"))
    assert run is not None
    assert run.run_s > 0
    store = FolderStore(tmp_path / "store")
    assert record_s(run, Spool(tmp_path / "again"), store) > 0
    (key,) = [key for key in store.list("") if key.endswith("manifest.json")]
    manifest = json.loads(store.get(key))
    assert manifest["run_id"] != RUN_ID
    assert manifest["state"] == "complete"
    assert manifest["metrics"]["frames_hz"]["n"] == 2


@pytest.mark.parametrize(
    ("states", "has_samples"),
    [(("planned",), True), (("planned", "collected", "failed"), True), (("planned", "collected"), False)],
)
def test_a_run_that_was_not_measured_does_not_count(
    tmp_path: Path, states: tuple[str, ...], *, has_samples: bool
) -> None:
    assert read_run(run_of(Spool(tmp_path), *states, has_samples=has_samples)) is None


def test_the_time_of_a_run_is_that_of_its_own_repetitions() -> None:
    told = [("planned", 0), ("deploying", 5), ("ready", 7), ("measuring", 9), ("collected", 15), ("ready", 40)]
    told += [("measuring", 45), ("collected", 50), ("sealed", 90)]
    entries = [Entry(seq, at_s * 10**9, state, None, {}) for seq, (state, at_s) in enumerate(told)]  # pyright: ignore[reportArgumentType]
    assert repetitions_s(entries) == 20


def test_each_pair_is_a_run_with_its_record_over_the_run_without(tmp_path: Path) -> None:
    run = read_run(run_of(Spool(tmp_path / "spool"), "planned", "measuring", "collected"))
    assert run is not None
    control, found = measure([run], Spool(tmp_path / "again"), FolderStore(tmp_path / "store"), pairs=3, seed=1)
    assert (control.pairs, found.pairs) == (3, 3)
    assert found.second_s == run.run_s
    assert found.ratio > 1
