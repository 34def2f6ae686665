"""What repetitions left behind is read as it was written, or named as damaged."""

import json
from pathlib import Path

import polars as pl
import pytest

from probes.kept import count_complete, read_kept, write_repetition, write_window
from probes.readings import Reading
from probes.samples import Window
from probes.spool import RESERVE_BYTES, RunFolder
from probes.tables import encode_table, readings_table, rows_table


def facts_of(repetition: int) -> dict[str, object]:
    return {"repetition": repetition, "gates": [], "by_number": {2: "b", 10: "a"}, "pair": (1.5, 2)}


def keep(folder: RunFolder, repetition: int) -> None:
    readings = readings_table([Reading("frames_hz", float(repetition), repetition=repetition)])
    write_repetition(folder, repetition, facts_of(repetition), {"metrics": readings, "pods": rows_table("pods", ())})


def test_repetitions_come_back_in_their_order(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for repetition in (1000, 2, 0):
        keep(folder, repetition)
    kept = read_kept(folder)
    assert [facts["repetition"] for facts in kept.repetitions] == [0, 2, 1000]
    assert [reading.value for reading in kept.readings()] == [0.0, 2.0, 1000.0]
    assert (kept.damaged, count_complete(folder)) == ((), 3)
    assert kept.repetitions[0]["pair"] == [1.5, 2]


def test_the_reserve_grows_with_what_the_record_will_need(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    keep(folder, 0)
    first = folder.reserved_bytes()
    keep(folder, 1)
    assert RESERVE_BYTES < first < folder.reserved_bytes()


def test_what_an_earlier_version_wrote_is_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    old = readings_table([Reading("frames_hz", 1.0, repetition=0)]).drop("source", "resolution")
    folder.write("repetitions/000.metrics.parquet", encode_table(old))
    folder.write_json("repetitions/000.json", {"repetition": 0, "gates": []})
    folder.write_json("repetitions/001.window.json", {"start_ns": 1, "end_ns": 2})
    kept = read_kept(folder)
    assert kept.damaged == ()
    assert kept.windows == {"001": Window(1, 2)}
    assert [(reading.value, reading.source) for reading in kept.readings()] == [(1.0, "")]


@pytest.mark.parametrize(
    ("name", "written", "found"),
    [
        ("000.json", b'"repetition": 0', b'"repetition": 1'),
        ("000.json", b"}\n", b""),
        ("000.metrics.parquet", b"PAR1", b"PAR2"),
        ("000.window.json", b'"end_ns": 7', b'"end_ns": 8'),
        ("000.window.json", b"end_ns", b"emd_ns"),
    ],
)
def test_what_is_not_as_it_was_written_is_named_and_left_out(
    tmp_path: Path, name: str, written: bytes, found: bytes
) -> None:
    folder = RunFolder(tmp_path)
    keep(folder, 0)
    write_window(folder, 0, Window(5, 7))
    path = folder.repetitions / name
    content = path.read_bytes()
    assert written in content
    path.write_bytes(content.replace(written, found))
    kept = read_kept(folder)
    assert kept.damaged == (f"repetitions/{name}",)
    if "window" in name:
        assert kept.windows == {}
    else:
        assert kept.readings() == ()


def test_a_table_that_facts_name_and_nobody_finds_is_damage(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    keep(folder, 0)
    (folder.repetitions / "000.pods.parquet").unlink()
    assert read_kept(folder).damaged == ("repetitions/000.pods.parquet",)


def test_a_table_that_cannot_be_read_at_all_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write("repetitions/000.samples.parquet", b"no table")
    folder.write("repetitions/001.pods.parquet", encode_table(pl.DataFrame({"a": [1]})))
    kept = read_kept(folder)
    assert kept.damaged == ("repetitions/000.samples.parquet", "repetitions/001.pods.parquet")
    assert kept.joined("samples").height == 0


def test_facts_hold_their_own_digest(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    keep(folder, 0)
    written = json.loads((folder.repetitions / "000.json").read_bytes())
    assert len(written["sha256"]) == 64
    assert written["tables"].keys() == {"metrics", "pods"}
    assert "sha256" not in read_kept(folder).repetitions[0]
