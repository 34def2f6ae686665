"""Starts of containers from the folders of their runtime."""

import os
from pathlib import Path

import pytest

from tests.images.in_cluster import module

container_starts = module("ros2bench_machine_reader.container_starts")
MADE_NS = 1_700_000_000_000_000_000
STARTED_NS = MADE_NS + 36_000_000
HALF_NS = container_starts.TICK_NS // 2


def container(folder: Path, letter: str, *, made_ns: int = MADE_NS, started_ns: int = STARTED_NS) -> Path:
    """A folder as runc leaves it once the program runs."""
    own = folder / (letter * 64)
    own.mkdir()
    state = own / "state.json"
    state.write_text("{}")
    os.utime(state, ns=(made_ns, made_ns))
    os.utime(own, ns=(started_ns, started_ns))
    return own


def test_the_date_of_the_folder_is_the_start(tmp_path: Path) -> None:
    container(tmp_path, "a")
    container(tmp_path, "b", started_ns=STARTED_NS + 5)
    assert container_starts.answer(tmp_path) == {
        "starts": [
            {"container_id": "a" * 64, "started_ns": STARTED_NS + HALF_NS},
            {"container_id": "b" * 64, "started_ns": STARTED_NS + 5 + HALF_NS},
        ],
        "resolution_ns": container_starts.TICK_NS,
        "missing": None,
    }


def test_what_waits_for_its_start_has_none(tmp_path: Path) -> None:
    own = container(tmp_path, "a")
    os.mkfifo(own / "exec.fifo")
    os.utime(own, ns=(STARTED_NS, STARTED_NS))
    assert list(container_starts.starts(tmp_path)) == []


def test_a_state_that_was_written_anew_dates_nothing(tmp_path: Path) -> None:
    container(tmp_path, "a", made_ns=STARTED_NS + 400_000)
    container(tmp_path, "b", made_ns=STARTED_NS - 400_000)
    assert list(container_starts.starts(tmp_path)) == []


def test_only_containers_count_and_one_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / ("c" * 64)).mkdir()
    container(tmp_path, "a")
    assert [name for name, _ in container_starts.starts(tmp_path)] == ["a" * 64]


@pytest.mark.parametrize(("folder", "reason"), [(None, "runtime_state_not_asked"), ("absent", "no_runtime_state")])
def test_a_machine_that_does_not_tell_says_why(tmp_path: Path, folder: str | None, reason: str) -> None:
    answer = container_starts.answer(folder and tmp_path / folder)
    assert (answer["starts"], answer["missing"]) == ([], reason)
