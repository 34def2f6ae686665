"""The stand-in of tegrastats, as one file that a machine can mount, and the boards that it can be."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import UsageError
from lab.standins import boards, tegrastats_standin
from tests.images.in_cluster import module

tegrastats = module("ros2bench_machine_reader.tegrastats")


def first_lines(program: Path, count: int) -> list[str]:
    """What the program prints first, started as a machine reader starts it: by its path, with nothing beside it."""
    with subprocess.Popen(
        [program, "--interval", "10"], stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin"}
    ) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(count)]
        run.kill()
    return lines


def test_nine_recorded_lines_are_kept() -> None:
    assert len(boards.recorded_lines()) == 9


@pytest.mark.parametrize("board", sorted(boards.BOARDS))
def test_a_board_prints_its_recorded_line_with_the_power_of_its_steps(board: str, tmp_path: Path) -> None:
    what = boards.scenario(board)
    line = tegrastats.parse_line(what["line"])
    rails = {rail.name for rail in line.rails}
    for step in what["steps"]:
        assert step["rails"].keys() <= rails, "a rail that the board lacks would be left out in silence"
        assert what["load"].keys() <= what["steps"][0]["rails"].keys() | step["rails"].keys()
    program = tmp_path / "tegrastats-standin"
    boards.write_program(program, {**what, "load": {}})
    (printed,) = first_lines(program, 1)
    read = tegrastats.parse_line(printed.rstrip())
    assert read.unknown == ()
    power = {rail.name: rail.power_mw for rail in read.rails}
    assert power == {rail.name: rail.power_mw for rail in line.rails} | what["steps"][0]["rails"]
    assert [engine.name for engine in read.engines] == [engine.name for engine in line.engines]


def test_load_of_the_processors_adds_to_a_rail(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(0, 0), (50, 100), (50, 100), (150, 200)])
    monkeypatch.setattr(tegrastats_standin, "processor_times", lambda: next(times))
    load = tegrastats_standin.ProcessorLoad()
    step, scenario = {"rails": {"VDD_IN": 4000, "VDD_SOC": 1}}, {"load": {"VDD_IN": 6000}}
    found = [tegrastats_standin.with_load(step, scenario, load)["rails"] for _ in range(3)]
    assert [rails["VDD_IN"] for rails in found] == [7000, 7000, 10_000]
    assert {rails["VDD_SOC"] for rails in found} == {1}
    assert step["rails"]["VDD_IN"] == 4000


def test_the_processors_of_this_machine_have_times() -> None:
    busy, total = tegrastats_standin.processor_times()
    assert 0 < busy < total


def test_a_board_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="rapsberry") as refused:
        boards.scenario("rapsberry")
    assert "orin-nano" in refused.value.advice


def test_the_command_writes_a_program_and_says_what_to_do_with_it(tmp_path: Path) -> None:
    program = tmp_path / "standin"
    command = [sys.executable, "-m", "lab.standins", str(program), "--board", "tx2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"machineReaders.power.tegrastats: {program}" in done.stderr
    last = program.read_text().rstrip().rpartition("\n")[2]
    assert json.loads(last.removeprefix(boards.MARK))["line"] == boards.recorded_lines()[0]
    assert program.stat().st_mode & 0o777 == 0o755
    done = subprocess.run([*command[:-1], "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(r"choose one of agx-orin, orin-nano, tx2", done.stderr)


def test_both_marks_are_one() -> None:
    # The program runs where nothing of the project is, so it cannot import the mark.
    assert boards.MARK == tegrastats_standin.MARK
