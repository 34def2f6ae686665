"""The benchmarks' own steps, without a cluster: what they change, and how they pair what was measured."""

import json
from pathlib import Path

import polars as pl
import pytest
import typer

from benchmarks import inference_by_pattern, page, update_overlay_against_monolithic
from benchmarks.arms import newest_records


def record(store: Path, stack: str, values_s: list[float], *, state: str = "complete", run: str = "1") -> None:
    """Write a record with the latency of each repetition, the newest first, and other readings between them."""
    folder = store / f"runs/schema=1/date=2026-01-01/pattern=x/run={run}-{stack}"
    folder.mkdir(parents=True)
    rows = [(number, "inference_s", "{}", value) for number, value in enumerate(values_s)][::-1]
    rows += [
        (0, "inference_s", '{"statistic": "p95"}', 9.0),
        (0, "frames_hz", "{}", 10.0),
        (-1, "inference_s", "{}", 9.0),
    ]
    columns = {"repetition": pl.Int32, "name": pl.String, "labels": pl.String, "value": pl.Float64}
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(folder / "metrics.parquet")
    (folder / "manifest.json").write_text(json.dumps({"stack": stack, "state": state}))


def test_each_arm_is_paired_with_the_same_repetition_of_monolithic(tmp_path: Path) -> None:
    baseline = [0.020, 0.030, 0.025, 0.022]
    for arm in inference_by_pattern.ARMS:
        factor = 1.2 if arm == "microservices" else 1.0
        record(tmp_path, arm, [factor * value for value in baseline])
    found = inference_by_pattern.comparisons(newest_records(tmp_path, inference_by_pattern.ARMS), seed=1)
    ratios = {one.name: one.ratio for one in found}
    assert found[0].name == "control: monolithic-again / monolithic, inference_s"
    assert ratios["microservices / monolithic, inference_s"] == pytest.approx(1.2)
    assert ratios["overlay / monolithic, inference_s"] == pytest.approx(1.0)
    assert all(one.pairs == len(baseline) for one in found)


def test_a_newer_run_that_failed_does_not_count(tmp_path: Path) -> None:
    for arm in inference_by_pattern.ARMS:
        record(tmp_path, arm, [0.02, 0.02, 0.02])
    record(tmp_path, "overlay", [9.0, 9.0, 9.0], state="invalid", run="2")
    assert newest_records(tmp_path, inference_by_pattern.ARMS)["overlay"].name == "run=1-overlay"


def test_an_arm_without_a_record_ends_the_comparison(tmp_path: Path) -> None:
    record(tmp_path, "monolithic", [0.02, 0.02, 0.02])
    with pytest.raises(typer.Exit):
        newest_records(tmp_path, inference_by_pattern.ARMS)


def test_each_change_of_the_detector_is_another_program_of_the_same_length(tmp_path: Path) -> None:
    file = tmp_path / update_overlay_against_monolithic.CHANGED
    file.parent.mkdir(parents=True)
    original = (update_overlay_against_monolithic.PROJECT / update_overlay_against_monolithic.CHANGED).read_text()
    file.write_text(original)
    texts: list[str] = []
    for _ in range(3):
        update_overlay_against_monolithic.change(tmp_path)
        texts.append(file.read_text())
    assert len(set(texts)) == 3
    assert len({len(text.splitlines()) for text in texts}) == 1
    assert all(text.startswith(original) for text in texts)
    compile(texts[-1], "detector.py", "exec")


def test_the_page_is_made_of_the_kept_results() -> None:
    assert page.PAGE.read_text() == page.page(), "type `python -m benchmarks.page`"
    assert list(page.RESULTS.glob("*.json"))
