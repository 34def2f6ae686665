"""Updates and swaps come from other runs of the compared stacks; the committed records fill the tables of both."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from probes.comparing import compare_selection
from probes.comparison import Comparison
from probes.record_sources import FoundRuns, find_in
from probes.report.draws import known
from probes.report.gather import evidence_of
from probes.report.other_runs import with_other_runs
from probes.selection import Selection, select
from probes.store_folder import FolderStore
from tests.probes.report_records import Made, write_record
from tests.probes.test_report import page_of

STACKS = ("monolithic", "composition", "overlay")
PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "examples" / "records" / "four-patterns"
NO_SWAPS = {"swap_s": "not_requested", "memory_leak": "not_requested"}


def campaign(root: Path) -> None:
    """A campaign in which nothing was swapped."""
    for stack in STACKS:
        write_record(root, Made(stack, 4, without=NO_SWAPS))


def endurance(root: Path, stack: str, day: int, *, swaps: int = 5, **changes: Any) -> str:
    """An endurance run: no repetitions, a reading for each swap."""
    name = f"endurance-{day}"
    plan = {"repetitions": 0, "seed": 1, "cycles": "none", "swaps": swaps, "durations": {}}
    own: Mapping[str, Any] = {
        "cell": {"campaign": name, "name": stack, "repetition": 0, "role": "summary", "levels": {}},
        "plan": plan, "cycle_regime": None, "repetitions_done": 0, "repetitions": [], "gates": [],
        "created_at": f"2025-02-{day:02d}T10:00:00+00:00",
    }  # fmt: skip
    return write_record(root, Made(stack, swaps, campaign=name, seed=10 + day, changes=own | changes))


def compared(root: Path) -> tuple[Comparison, Selection, FoundRuns]:
    """The comparison that a page would be made of, before swaps."""
    found = find_in([FolderStore(root)])
    selection = select(STACKS, found.runs)
    return compare_selection(selection, found), selection, found


def test_the_newest_comparable_endurance_run_of_each_stack_fills_the_rows(tmp_path: Path) -> None:
    campaign(tmp_path)
    endurance(tmp_path, "monolithic", 1)
    newest = endurance(tmp_path, "monolithic", 2, swaps=7)
    endurance(tmp_path, "composition", 3)
    endurance(tmp_path, "composition", 4, machines=[])
    endurance(tmp_path, "composition", 5, state="aborted", reason="interrupted")
    before, selection, found = compared(tmp_path)
    after, _ = with_other_runs(before, selection, found)
    monolithic, composition, overlay = after.row("swap_s").cells
    assert (monolithic.n, composition.n, overlay.missing) == (7, 5, "not_requested")
    assert composition.interval is not None
    assert composition.verdict == "better"
    assert composition.method == "unpaired"
    assert newest in after.settings.selection[-1]
    assert "overlay" not in after.settings.selection[-1]
    others = [row for row in after.rows if row.metric != "swap_s" and row.key != "service_gap_s{part=swap}"]
    assert all(row == before.row(row.key) for row in others if row.metric == "inference_s")


def test_without_a_run_of_the_baseline_there_are_values_and_no_verdicts(tmp_path: Path) -> None:
    campaign(tmp_path)
    endurance(tmp_path, "overlay", 1)
    after, _ = with_other_runs(*compared(tmp_path))
    monolithic, _, overlay = after.row("swap_s").cells
    assert monolithic.missing == "not_requested"
    assert (overlay.n, overlay.verdict, overlay.ratio) == (5, None, None)
    assert overlay.interval is not None


def test_without_endurance_runs_nothing_changes(tmp_path: Path) -> None:
    campaign(tmp_path)
    before, selection, found = compared(tmp_path)
    after, beside = with_other_runs(before, selection, found)
    assert after is before
    assert (beside.run_ids, beside.observed) == ({}, ())


OF_UPDATES = ("update_s", "service_gap_s", "update_bytes_wire")
PLAN: Mapping[str, Any] = {"repetitions": 4, "seed": 1, "fault": None}
DURATIONS = {"warmup_s": 5.0, "window_s": 20.0, "cool_down_s": 2.0}


def installs(root: Path) -> None:
    """A campaign, the newest one, in which nothing was updated; lines of configuration are known all the same."""
    for stack in STACKS:
        changes = {"plan": {**PLAN, "cycles": "install", "durations": DURATIONS},
                   "created_at": "2025-03-01T10:00:00+00:00"}  # fmt: skip
        write_record(root, Made(stack, 4, without=dict.fromkeys((*OF_UPDATES, *NO_SWAPS), "not_requested"),
                                campaign="installs", seed=9, changes=changes))  # fmt: skip


def updates(root: Path, stack: str, day: int, repetition: int = 0, *, window_s: float = 20.0, **changes: Any) -> str:
    """A visit of a campaign with updates."""
    name = f"updates-{day}"
    own: Mapping[str, Any] = {
        "cell": {"campaign": name, "name": stack, "repetition": repetition, "role": "cell", "levels": {}},
        "plan": {**PLAN, "cycles": "update", "durations": DURATIONS | {"window_s": window_s}},
        "created_at": f"2025-02-{day:02d}T1{repetition}:00:00+00:00",
    }
    made = Made(stack, 3, without=NO_SWAPS, campaign=name, seed=100 * day + repetition, changes=own | changes)
    return write_record(root, made)


def test_updates_come_from_the_newest_campaign_that_made_some(tmp_path: Path) -> None:
    installs(tmp_path)
    updates(tmp_path, "monolithic", 1)
    newest = [updates(tmp_path, "monolithic", 2, visit, window_s=60) for visit in range(2)]
    other = updates(tmp_path, "composition", 2)
    updates(tmp_path, "composition", 3, machines=[])
    before, selection, found = compared(tmp_path)
    after, beside = with_other_runs(before, selection, found)
    row = after.row("update_s{change=code,stage=ready}")
    monolithic, composition, overlay = row.cells
    assert (monolithic.n, composition.n, overlay.missing) == (6, 3, "not_requested")
    assert composition.verdict is not None
    assert after.settings.selection[-1].startswith("Updates are of the runs monolithic ")
    assert all(run_id in after.settings.selection[-1] for run_id in (*newest, other))
    # The compared runs tell these themselves.
    for key in ("config_lines_changed{change=code}", "inference_s", "ready_s"):
        assert after.row(key) == before.row(key)
    assert dict(beside.run_ids) == {"monolithic": tuple(newest), "composition": (other,)}
    # Nobody swapped, and that stays said; rows that were there keep their places.
    assert {cell.missing for cell in after.row("service_gap_s{part=swap}").cells} == {"not_requested"}
    # But for the one of all gaps together, of which the update's now tell.
    assert [row.key for row in after.rows] == [row.key for row in before.rows if row.key != "service_gap_s"]


def test_what_other_runs_say_is_weighed_with_the_rest(tmp_path: Path) -> None:
    """Repetitions of either are in line with themselves, and none stands for one of the other's."""
    installs(tmp_path)
    other = updates(tmp_path, "composition", 2)
    before, selection, found = compared(tmp_path)
    _, beside = with_other_runs(before, selection, found)
    own = selection.entrants[1].runs
    observed = pl.concat([found.observations(own), *beside.observed])
    evidence = evidence_of("composition", (*(run.run_id for run in own), other), observed)
    times, latencies = evidence.values["update_s{change=code,stage=ready}"], evidence.values["inference_s"]
    assert [value is None for value in times] == [value is not None for value in latencies]
    assert sorted(map(len, (known(times), known(latencies)))) == [3, 4]
    assert evidence.repetitions == 7


@pytest.fixture(scope="module")
def sample_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of `make sample-report`."""
    installs = re.search(r"^INSTALLS = (\S+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert installs
    return page_of([installs[1], "--store", f"dir:{SAMPLE}"], tmp_path_factory.mktemp("page"))


def test_the_page_names_the_runs_that_updates_and_swaps_are_of(sample_page: str) -> None:
    assert "Updates are of the runs monolithic " in sample_page
    assert "Swaps are of the endurance runs monolithic " in sample_page


@pytest.mark.parametrize(
    "caption",
    [
        *(f"What an update of {change} costs" for change in ("code", "a parameter", "a model")),
        "What a swap of one node costs",
    ],
)
def test_the_committed_records_fill_the_tables_of_updates_and_swaps(sample_page: str, caption: str) -> None:
    tables = re.findall(r"<table[^>]*>.*?</table>", sample_page, re.DOTALL)
    found = [one for one in tables if f"<caption>{caption}" in one or f">{caption}</caption>" in one]
    assert len(found) == 1, caption
    assert re.search(r"\d (m?s|min)\b", re.sub(r"<[^>]+>|\xa0", " ", found[0])), "a time is in it"
