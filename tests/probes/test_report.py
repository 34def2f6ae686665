"""The page of a run opens without a network, and shows values, gaps, limits and the placement."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from probes.placement import placement_svg
from probes.report import app, ecdf_points, latencies_by_repetition, read_record
from probes.spool import Spool
from probes.tables import SAMPLES
from tests.probes.test_session import Scene, scene

__all__ = ["scene"]
runner = CliRunner()


def test_a_page_of_a_real_run_is_one_file_without_addresses_to_load(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run(repetitions=1)
    monkeypatch.setattr("probes.report.Spool", lambda: Spool(scene.root))
    page = tmp_path / "report.html"
    result = runner.invoke(app, ["-o", str(page)])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    own = re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="[^"]*"', own) == []
    for part in (
        "inference_s",
        "Missing, and why",
        "no_platform",
        "way to the first message",
        "<svg",
        "camera",
        "Fewer than three repetitions",
    ):
        assert part in own
    assert "Plotly" in text
    assert "$" not in re.sub(r"<script.*?</script>", "", own, flags=re.DOTALL)


def test_latencies_come_from_first_arrivals_inside_the_window(scene: Scene) -> None:
    scene.run(repetitions=1)
    record = read_record(None, Spool(scene.root))
    found = latencies_by_repetition(record)
    assert list(found) == [0]
    assert found[0] == pytest.approx(4.0)
    assert found[0].size == record.manifest["metrics"]["frames_delivered"]["value"]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5000))
def test_a_thinned_distribution_keeps_its_ends(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    x, y = ecdf_points(ordered)
    assert (x[0], x[-1], y[-1]) == (ordered[0], ordered[-1], 1.0)
    assert len(x) <= 2_000
    assert x == sorted(x)


def test_nothing_to_report_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert runner.invoke(app, ["-o", str(tmp_path / "r.html")]).exit_code == 2
    assert not (tmp_path / "r.html").exists()


def test_the_placement_shows_each_node_once() -> None:
    pods = [
        {"name": "application", "processes": [["camera", "detector"], ["monitor"]], "replicas": 2},
        {"name": "<reader>", "processes": [["reader"]], "replicas": 1},
    ]
    drawn = placement_svg(pods)
    assert [drawn.count(f">{node}<") for node in ("camera", "detector", "monitor", "reader")] == [1, 1, 1, 1]
    assert "pod application x 2" in drawn
    assert "<reader>" not in drawn


def test_samples_have_the_columns_of_the_contract() -> None:
    assert list(SAMPLES) == [
        "repetition", "topic", "frame_number", "intended_ns", "published_ns", "source_ns", "received_ns", "taken_ns",
        "monotonic_ns", "sequence_number", "in_window",
    ]  # fmt: skip
    assert SAMPLES["repetition"] == pl.Int32
