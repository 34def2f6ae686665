"""The benchmark of tracing, without a cluster: its stacks, and how it pairs what was measured."""

import json
from pathlib import Path

import polars as pl
import pytest
import typer
import yaml

from benchmarks import tracing_overhead as overhead
from benchmarks.arms import newest_records
from stacks.reading import read_spec


def record(store: Path, stack: str, cores: list[float]) -> None:
    folder = store / f"runs/schema=1/date=2026-01-01/pattern=x/run=1-{stack}"
    folder.mkdir(parents=True)
    rows = [(number, name, "{}", value) for number, value in enumerate(cores) for name in ("cpu_cores", "inference_s")]
    rows += [(0, "cpu_cores", '{"statistic": "max"}', 9.0), (-1, "cpu_cores", "{}", 9.0)]
    columns = {"repetition": pl.Int32, "name": pl.String, "labels": pl.String, "value": pl.Float64}
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(folder / "metrics.parquet")
    (folder / "manifest.json").write_text(json.dumps({"stack": stack, "state": "complete"}))


def test_each_arm_is_a_stack_file_that_can_be_read_and_they_differ_in_tracing_alone() -> None:
    found = {
        arm: read_spec(arm, yaml.safe_load(text)["config"], {})
        for arm, text in overhead.stack_files("platform", 10.0).items()
    }
    assert list(found) == [overhead.BASELINE, overhead.CONTROL, overhead.TRACED, overhead.NOWHERE]
    plain = {arm: spec.model_copy(update={"tracing": found[overhead.BASELINE].tracing}) for arm, spec in found.items()}
    assert len({spec.model_dump_json() for spec in plain.values()}) == 1
    assert not found[overhead.BASELINE].tracing.enabled
    assert (found[overhead.TRACED].tracing.enabled, found[overhead.TRACED].tracing.sample_every) == (True, 1)


def test_each_arm_is_paired_with_the_same_repetition_of_the_baseline(tmp_path: Path) -> None:
    baseline = [0.40, 0.50, 0.45, 0.42]
    for arm, factor in {
        overhead.BASELINE: 1.0,
        overhead.CONTROL: 1.0,
        overhead.TRACED: 1.005,
        overhead.NOWHERE: 1.2,
    }.items():
        record(tmp_path, arm, [factor * value for value in baseline])
    found = overhead.comparisons(newest_records(tmp_path, overhead.ARMS), seed=1)
    assert [one.name for one in found][:3] == [
        "control: untraced-again / untraced, cpu_cores",
        "traced / untraced, cpu_cores",
        "traced-nowhere / untraced, cpu_cores",
    ]
    assert [one.verdict for one in found[:3]] == ["reported", "kept", "broken"]
    assert found[1].ratio == pytest.approx(1.005)


def test_an_arm_without_a_record_ends_the_comparison(tmp_path: Path) -> None:
    record(tmp_path, overhead.BASELINE, [1.0, 1.0, 1.0])
    with pytest.raises(typer.Exit):
        newest_records(tmp_path, overhead.ARMS)
