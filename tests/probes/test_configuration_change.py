"""Lines and files of the defined update, counted by git."""

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import changed_lines
from probes.changed_lines import Counted, Uncountable, count_patch, count_setting, parse_numstat
from probes.defined_update import find_update
from probes.measurement import RunContext, undeclared
from probes.measurements import configuration_change
from probes.measurements.configuration_change import Measured
from stacks.outputs import Application
from tests.probes.standins import outputs_of

ROWS = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=5)


def conclude(**changes: Any) -> tuple[dict[str, Any], list[str]]:
    """Give the readings of a run by their keys, and what was said."""
    said: list[str] = []
    context = RunContext(outputs_of(**changes), (), (), said.append)
    readings = asyncio.run(Measured().conclude(context))
    assert undeclared(Measured(), readings) == []
    return {reading.key: reading.missing if reading.value is None else reading.value for reading in readings}, said


def not_installed(_program: str) -> None:
    """Find no program."""


@given(ROWS)
def test_lines_and_files_add_up(rows: list[tuple[int, int]]) -> None:
    text = "".join(f"{added}\t{removed}\ta file with\ttab\n" for added, removed in rows)
    assert parse_numstat(text) == Counted(sum(map(sum, rows)), len(rows))


def test_a_binary_file_has_no_lines() -> None:
    assert parse_numstat("-\t-\tmodel.onnx\n1\t0\ta\n") == Counted(None, 2)


def test_a_changed_setting_is_counted_in_the_stacks_file(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("config:\n  ros2bench:spec:\n    application:\n      load:\n        rateHz: 5\n")
    assert count_setting(file, {"application": {"load": {"rateHz": 6}}}) == Counted(2, 1)
    assert count_setting(file, {"application": {"load": {"burst": 2}}}) == Counted(1, 1)
    assert count_setting(file, {"application": {"load": {"rateHz": 5}}}) == Counted(0, 0)
    assert file.read_text().endswith("rateHz: 5\n")


def test_a_file_that_is_none_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(Uncountable) as caught:
        count_setting(tmp_path / "Pulumi.none.yaml", {})
    assert caught.value.reason == "no_stack_file"
    (tmp_path / "x.patch").write_text("no patch")
    with pytest.raises(Uncountable) as caught:
        count_patch(tmp_path / "x.patch")
    assert caught.value.reason == "git_failed"


def test_every_change_of_the_reference_application_is_counted() -> None:
    found, _ = conclude()
    assert found["config_lines_changed{change=code}"] == 2
    assert found["config_files_changed{change=code}"] == 1
    assert found["config_files_changed{change=parameter}"] == 1
    assert 0 < found["config_lines_changed{change=parameter}"] <= 4
    assert found["config_lines_changed{change=model}"] == 9


def test_without_git_a_stack_file_or_a_definition_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found, said = conclude(stack="no-such-stack")
    assert found["config_lines_changed{change=parameter}"] == "no_stack_file"
    assert "Pulumi.no-such-stack.yaml cannot be read" in said[0]
    mine = Application(name="mine", pods=[], labels={}, topics=[], load={})
    assert set(conclude(application=mine)[0].values()) == {"no_defined_update"}
    assert set(conclude(application=None)[0].values()) == {"no_application"}
    monkeypatch.setattr(changed_lines.shutil, "which", not_installed)
    assert set(conclude()[0].values()) == {"no_git"}


def test_a_definition_that_cannot_be_used_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "updates" / "perception"
    folder.mkdir(parents=True)
    (folder / "update.yaml").write_text("node: [")
    monkeypatch.setattr(configuration_change, "find_update", functools.partial(find_update, root=tmp_path))
    found, said = conclude()
    assert set(found.values()) == {"update_definition_unusable"}
    assert "cannot be read" in said[0]
