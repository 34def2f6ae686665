"""The catalogue explains itself, its page cannot drift, and no file gives a reading that it does not declare."""

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from probes import measurements
from probes.catalogue import catalogue, explain, find_metric, meaning_of, metrics_of, modules, place_of
from probes.errors import UsageError
from probes.measurement import Evidence, Measurement, all_measurements, own_metrics, undeclared
from probes.metrics import SHARED_REASONS, Metric
from probes.readings import Reading
from probes.reference import PAGE, page
from probes.run import app
from tests.probes.evidences import VARIATIONS, run_context

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_files_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m probes.reference"


@pytest.mark.parametrize("metric", catalogue().values(), ids=lambda metric: metric.name)
def test_every_metric_says_where_it_comes_from_and_how_sure_it_is(metric: Metric) -> None:
    for said in (metric.definition, metric.source, metric.resolution, metric.error_bound, *metric.missing.values()):
        assert len(said) > 2
    assert metric.unit
    assert "\n" not in metric.definition


@pytest.mark.parametrize("measurement", all_measurements(), ids=lambda own: type(own).__module__.rpartition(".")[2])
@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_readings_and_reasons_are_declared_by_their_own_file(measurement: Measurement, variation: str) -> None:
    async def all_readings() -> tuple[Reading, ...]:
        evidence: Evidence = VARIATIONS[variation]()
        await measurement.start(run_context())
        gathered = await measurement.gather(evidence)
        return (*gathered, *measurement.derive(gathered))

    readings = asyncio.run(all_readings())
    assert undeclared(measurement, readings) == []
    keys = [reading.key for reading in readings]
    assert len(keys) == len(set(keys)), "two readings of one repetition have one key"


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_names_written_in_a_file_are_in_its_metrics(module: object) -> None:
    own = {metric.name for metric in metrics_of(module)}  # type: ignore[arg-type]
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]  # type: ignore[arg-type]
    written = {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in {"Reading", "finite"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert written <= own


def test_a_reason_that_nobody_declared_is_found() -> None:
    measurement = all_measurements()[0]
    name = next(iter(own_metrics(measurement)))
    wrong = (Reading("invented", 1.0), Reading(name, missing="invented_reason"), Reading(name, missing="no_platform"))
    assert undeclared(measurement, wrong) == [
        "invented: not in METRICS",
        f"{name}: reason invented_reason is declared nowhere",
    ]


def test_explain_says_everything_and_needs_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(app, ["--explain", "pod_phase_s"])
    assert result.exit_code == 0, result.output
    metric = catalogue()["pod_phase_s"]
    for part in (metric.definition, metric.source, metric.resolution, metric.error_bound, "events_expired", "T_sched"):
        assert part in result.stdout
    for reason in SHARED_REASONS:
        assert reason in result.stdout


def test_an_unknown_metric_lists_near_ones() -> None:
    result = CliRunner().invoke(app, ["--explain", "instal_s"])
    assert result.exit_code == 2
    assert "near ones: install_s" in result.stderr
    with pytest.raises(UsageError, match="those that exist: image_bytes_wire"):
        find_metric("zzzzzz")
    with pytest.raises(UsageError, match="near ones: image_bytes_wire, image_bytes_disk, image_bytes_unique"):
        find_metric("s_img")


@pytest.mark.parametrize("asked", ["inference_s", "T_inf", "t_inf", "inference_s{statistic=p95}"])
def test_a_metric_is_found_by_name_symbol_and_key(asked: str) -> None:
    assert find_metric(asked).name == "inference_s"
    assert "statistic=p95" in explain(find_metric(asked))


def test_keys_are_explained_by_their_labels() -> None:
    assert meaning_of("inference_s{statistic=p95}") == "95th percentile of frames"
    assert meaning_of("pulled_bytes{machine=edge}") == "of that machine"
    assert meaning_of("install_s") == catalogue()["install_s"].definition
    assert meaning_of("not_here{a=b}") == ""
    assert place_of("image_bytes_wire") < place_of("inference_s{part=app}") < place_of("unknown")


def test_the_page_teaches_a_measurement_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "add-a-measurement.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    name = re.findall(r"`probes/measurements/(\w+)\.py`", text)[0]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(measurements, "__path__", [str(tmp_path)])
    catalogue.cache_clear()
    try:
        (measurement,) = all_measurements()
        for make in VARIATIONS.values():
            readings = asyncio.run(measurement.gather(make()))
            assert undeclared(measurement, readings) == []
        (reading,) = asyncio.run(measurement.gather(VARIATIONS["whole"]()))
        assert (reading.key, reading.value) == ("machine_busy_ratio{machine=edge}", pytest.approx(0.5))
        assert list(catalogue()) == ["machine_busy_ratio"]
    finally:
        catalogue.cache_clear()
        sys.modules.pop(f"{measurements.__name__}.{name}", None)
