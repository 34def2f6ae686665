"""`python -m probes.compare` over records in a folder: verdicts first, exit codes for pipelines, and every format."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from probes.compare import app, show
from probes.comparing import compare_selection
from probes.record_sources import SpoolRecords, find_in, open_sources
from probes.selection import select
from probes.spool import Spool
from tests.probes.compared_runs import Observations, run
from tests.probes.stored_records import MemoryStore, Recipe, store_record

QUIET = (1.0, 1.01, 0.99, 1.005, 0.995)
SLOWER = tuple(1.2 * value for value in reversed(QUIET))
COMMON = {"campaign": "c1"}


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Give a folder with a campaign of two stacks, a run of another load and one that failed a gate."""
    store = MemoryStore()
    for recipe in (
        Recipe(1, stack="monolithic", values=QUIET, changes=COMMON),
        Recipe(2, stack="overlay", values=SLOWER, changes=COMMON),
        Recipe(3, stack="overlay", values=SLOWER, state="invalid", changes=COMMON),
    ):
        store_record(store, recipe)
    for key, payload in store.objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return tmp_path


def type_in(records: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["monolithic", "overlay", "--store", f"dir:{records}", *words])


def test_the_verdict_comes_first_and_what_was_left_out_is_told(records: Path) -> None:
    result = type_in(records)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("overlay against monolithic: worse in inference_s (x 1.2)")
    assert any(
        "left out: overlay" in line and "state is invalid (a_reason), expected complete" in line for line in lines
    )
    assert any(line.split()[:2] == ["inference_s", "overlay"] and "worse" in line for line in lines)
    assert any(line.startswith("missing (not_measured): ") and "power_w" in line for line in lines)


@pytest.mark.parametrize(
    ("threshold", "code", "outcome"),
    [
        ("inference_s<=1.5", 0, "kept"),
        ("inference_s<=1.1", 1, "broken"),
        ("inference_s<=1.2", 3, "undecided"),
        ("power_w<=2", 3, "undecided"),
        ("inference_s<=2s absolute", 0, "kept"),
    ],
)
def test_a_pipeline_can_gate_on_the_exit_code(records: Path, threshold: str, code: int, outcome: str) -> None:
    result = type_in(records, "--threshold", threshold)
    assert result.exit_code == code, result.output
    assert result.stdout.startswith(f"threshold {outcome}: {threshold}: ")


def test_one_broken_threshold_of_a_file_is_enough(records: Path, tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text("thresholds: [power_w <= 2, inference_s <= 1.1]\n")
    assert type_in(records, "--thresholds", str(file)).exit_code == 1


def test_json_is_the_comparison_field_by_field(records: Path) -> None:
    result = type_in(records, "--json", "--threshold", "inference_s<=1.1")
    document = json.loads(result.stdout)
    assert document["baseline"] == "monolithic"
    assert [contender["name"] for contender in document["contenders"]] == ["monolithic", "overlay"]
    row = next(row for row in document["rows"] if row["key"] == "inference_s")
    assert (row["unit"], row["better"], row["cells"][1]["verdict"]) == ("s", "lower", "worse")
    assert [item["outcome"] for item in document["thresholds"]] == ["broken"]
    assert document["excluded"][0]["field"] == "state"


def test_csv_has_a_line_for_each_metric_and_contender_and_rounds_nothing(records: Path) -> None:
    result = type_in(records, "--csv", "--metric", "inference_s")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["metric"] for row in rows} == {"inference_s"}
    slow = next(row for row in rows if (row["key"], row["contender"]) == ("inference_s", "overlay"))
    assert float(slow["estimate"]) == pytest.approx(1.2)
    assert float(slow["ratio_interval_low"]) <= 1.2 <= float(slow["ratio_interval_high"])
    base = next(row for row in rows if (row["key"], row["contender"]) == ("inference_s", "monolithic"))
    assert (base["verdict"], base["ratio"]) == ("", "")


def test_markdown_has_headings_and_tables(records: Path) -> None:
    text = type_in(records, "--markdown").stdout
    assert text.startswith("# Comparison\n\n- overlay against monolithic: worse")
    assert "| `inference_s` | overlay |" in text


def test_headline_metrics_are_shown_unless_all_are_asked_for(records: Path) -> None:
    assert "frames_intended" not in type_in(records).stdout
    assert "frames_intended" in type_in(records, "--all").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "--csv"], "exclude one another"),
        (["--metric", "speed"], "no metric of that name"),
        (["--threshold", "speed<=1"], "no metric speed"),
        (["--baseline", "nobody"], "no stack, pattern"),
        (["--thresholds", "/nowhere.yaml"], "cannot be read"),
        (["--noise-threshold", "much"], "must be a share"),
        (["--since", "2030-01-01"], "There is no record"),
    ],
)
def test_a_request_that_cannot_be_met_ends_with_2_and_says_what_to_type(
    records: Path, words: list[str], said: str
) -> None:
    result = type_in(records, *words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "next " in result.stderr


def test_a_terminal_gets_a_table_and_a_narrow_one_lines() -> None:
    runs = [run(1), run(2, "overlay")]
    observed = Observations({runs[0].run_id: {"inference_s": QUIET}, runs[1].run_id: {"inference_s": SLOWER}})
    comparison = compare_selection(select(("monolithic", "overlay"), runs), observed)
    for width, is_table in ((120, True), (60, False)):
        target = io.StringIO()
        show(Console(file=target, width=width, force_terminal=True, color_system=None), comparison, comparison.rows, [])
        lines = [line.rstrip() for line in target.getvalue().splitlines()]
        assert (any(line.split() == ["metric", "monolithic", "overlay"] for line in lines)) is is_table


def test_the_spool_is_a_source_of_its_own_sealed_runs(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    spool = Spool()
    for manifest in sorted(records.glob("runs/**/manifest.json")):
        sealed = spool.root / manifest.parent.name.removeprefix("run=") / "sealed"
        sealed.mkdir(parents=True)
        for path in manifest.parent.iterdir():
            (sealed / path.name).write_bytes(path.read_bytes())
    torn = spool.root / "01a1fe67-0000-7000-8000-000000000009" / "sealed"
    torn.mkdir(parents=True)
    (torn / "manifest.json").write_text("{")
    (spool.root / "01a1fe67-0000-7000-8000-000000000010").mkdir()
    found = find_in(open_sources(None))
    stored = find_in(open_sources(f"dir:{records}"))
    assert found.runs == stored.runs
    assert found.observations(found.runs).equals(stored.observations(stored.runs))
    assert [problem.reason for problem in found.problems] == ["spool_damaged"]
    both = find_in((SpoolRecords(spool), *open_sources(f"dir:{records}")))
    assert both.runs == stored.runs
    result = CliRunner().invoke(app, ["monolithic", "overlay"])
    assert result.exit_code == 0, result.output
    assert "left out: " in result.stderr
