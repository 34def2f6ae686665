"""The stand-in of the benchmark is read like real records, and both of its forms say the same."""

from pathlib import Path

import pytest

from benchmarks.compare_many_runs import compare, scan
from benchmarks.synthetic_records import Size, keys_of, write_compacted, write_records
from probes.compact import compact
from probes.records import list_runs, observations
from probes.run_summary import EVERY_RUN
from probes.store_folder import FolderStore

SIZE = Size(runs=6, runs_a_day=4, keys=9, repetitions=2)


def test_records_and_sets_hold_the_same(tmp_path: Path) -> None:
    write_records(tmp_path / "records", SIZE)
    write_compacted(tmp_path / "sets", SIZE)
    records, sets = FolderStore(tmp_path / "records"), FolderStore(tmp_path / "sets")
    runs = list_runs(records)
    assert list_runs(sets) == runs
    assert len(runs) == SIZE.runs
    assert observations(sets, runs).equals(observations(records, runs))
    assert [day.runs for day in compact(records, EVERY_RUN)] == [4, 2]
    assert compare(tmp_path / "sets")["mean"].to_list() == pytest.approx(
        compare(tmp_path / "records")["mean"].to_list()
    )
    assert scan(tmp_path / "sets")["runs"].to_list() == [1, 2, 2, 1]


def test_a_run_has_as_many_keys_as_asked_for() -> None:
    assert len({key.text for key in keys_of(Size(runs=1))}) == 40
