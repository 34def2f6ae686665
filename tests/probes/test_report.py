"""The page of one run, of two, of four patterns, of nothing measured: whole, safe, self-contained, the same twice."""

import base64
import functools
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from probes.report.__main__ import app
from probes.report.gather import evidence_of, flows_of, latencies_of
from probes.report.markup import tag
from probes.report.page import NAVIGATION
from probes.samples import ABSENT
from probes.spool import Spool
from probes.tables import SAMPLES, rows_table
from tests.probes.report_records import FRAMES, Made, four_patterns, write_record
from tests.probes.test_session import Scene, scene

__all__ = ["scene"]
runner = CliRunner()
MOST_BYTES = 1_000_000
VOID = {"meta", "input", "br", "hr", "wbr"}


class Structure(HTMLParser):
    """Reads a page; refuses what is not nested properly, and keeps elements, ids and tables."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        assert self.open.pop() == tag

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def page_of(arguments: list[str], folder: Path) -> str:
    result = runner.invoke(app, [*arguments, "-o", str(folder / "report.html")])
    assert result.exit_code == 0, result.output
    return (folder / "report.html").read_text()


@functools.cache
def structure_of(page: str) -> Structure:
    found = Structure()
    found.feed(page)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Give a store with a campaign over four patterns and the page of it."""
    folder = tmp_path_factory.mktemp("four")
    four_patterns(folder / "store")
    return folder / "store", page_of(["--store", f"dir:{folder / 'store'}"], folder)


def test_a_page_of_a_real_run_shows_values_gaps_limits_and_the_placement(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run(repetitions=1)
    monkeypatch.setattr("probes.record_sources.Spool", lambda: Spool(scene.root))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    page = page_of([], tmp_path)
    for part in ("inference_s", "Missing, and why", "no_platform", "The way to the first message", "<svg", "camera"):
        assert part in page
    assert "Fewer than three repetitions" in page
    assert "Which to choose" not in page
    structure_of(page)


def test_four_patterns_have_every_section_and_every_plot(four: tuple[Path, str]) -> None:
    found = structure_of(four[1])
    ids = [attributes["id"] for attributes in found.all("section")]
    assert ids == list(NAVIGATION)
    assert [link["href"] for link in found.all("a")][1:] == [f"#{name}" for name in ids]
    kinds = [(attributes.get("class") or "").split() for attributes in found.all("svg")]
    assert sum("placement" in kind for kind in kinds) == 4
    assert [sum(name in kind for kind in kinds) for name in ("ecdf", "tail")] == [1, 1]
    panels = sum("panel" in (attributes.get("class") or "").split() for attributes in found.all("table"))
    assert panels == four[1].count('class="panel"') > 10
    assert sum("strip" in kind and "ticks" not in kind for kind in kinds) == 4 * panels
    curves = [attributes["class"] for attributes in found.all("path") if "curve" in (attributes.get("class") or "")]
    assert sum("thin" in (kind or "") for kind in curves) == 4 * 8
    assert sum("thick" in (kind or "") for kind in curves) == 4 * 2


def test_ids_are_unique_and_tables_have_captions_and_scopes(four: tuple[Path, str]) -> None:
    found = structure_of(four[1])
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(found.all("caption")) == len(found.all("table"))
    assert {attributes.get("scope") for attributes in found.all("th")} == {"col", "row"}
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("nav")) == 1


def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_and_script_alone(four: tuple[Path, str]) -> None:
    page = four[1]
    found = structure_of(page)
    assert not [item for _, item in found.found if "src" in item or "style" in item or "onclick" in item]
    assert all((item["href"] or "").startswith("#") for _, item in found.found if "href" in item)
    policy = next(item["content"] for item in found.all("meta") if item.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        content = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert len(page.encode()) < MOST_BYTES


def test_the_same_records_give_the_same_bytes(four: tuple[Path, str], tmp_path: Path) -> None:
    assert page_of(["--store", f"dir:{four[0]}"], tmp_path) == four[1]


def test_the_verdict_comes_first_and_the_noise_floor_is_told(four: tuple[Path, str]) -> None:
    page = four[1]
    assert (
        page.index('id="verdict"') < page.index('id="choice"') < page.index('id="limits"') < page.index('id="latency"')
    )
    text = re.sub(r"<[^>]+>", "", page[page.index('id="verdict"') :])
    assert re.search(r"microservices: better in \d+:.*worse in \d+: install until ready \(1\.\d\d×\)", text)
    assert "No A/A control" not in page
    assert "What two measurements of one stack differ by" in page


def test_two_stacks_are_compared_without_a_control(tmp_path: Path) -> None:
    four_patterns(tmp_path / "store", control=False, repetitions=3)
    page = page_of(["overlay", "composition", "--store", f"dir:{tmp_path / 'store'}"], tmp_path)
    assert "Two ways to deploy perception" in page
    assert "No A/A control" in page
    assert 'id="noise"' not in page
    assert "monolithic" not in page
    structure_of(page)


def test_a_stack_or_a_run_named_alone_is_shown_alone(four: tuple[Path, str], tmp_path: Path) -> None:
    store = f"dir:{four[0]}"
    stack = page_of(["composition", "--store", store], tmp_path)
    assert "What stack composition costs" in stack
    assert "microservices" not in stack
    assert "Which to choose" not in stack
    run_id = next(four[0].glob("**/pattern=overlay/*")).name.removeprefix("run=")
    assert "What stack overlay costs" in page_of([run_id[-12:], "--store", store], tmp_path)


def test_a_folder_of_a_record_needs_no_store(four: tuple[Path, str], tmp_path: Path) -> None:
    folder = next(four[0].glob("**/pattern=overlay/*"))
    copy = tmp_path / "copied"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert "What stack overlay costs" in page_of([str(copy)], tmp_path)
    assert "What stack overlay costs" in page_of([str(copy / "manifest.json")], tmp_path)
    other = next(four[0].glob("**/pattern=composition/*"))
    assert "Two ways to deploy" in page_of([str(copy), str(other)], tmp_path)


def test_with_nothing_measured_every_section_says_why(tmp_path: Path) -> None:
    for stack in ("monolithic", "overlay"):
        write_record(tmp_path / "store", Made(stack, metrics=False, repetitions=0))
    page = page_of(["--store", f"dir:{tmp_path / 'store'}"], tmp_path)
    assert "No headline metric was measured" in page
    assert "Nothing that counts in this situation was measured" in page
    assert "no repetition came far enough to tell" in page
    assert 'class="panel"' not in page
    structure_of(page)


def test_a_failed_run_is_shown_and_said_not_to_be_compared(tmp_path: Path) -> None:
    write_record(tmp_path / "store", Made("monolithic", state=("failed", "no_message"), metrics=False, repetitions=0))
    page = page_of(["--store", f"dir:{tmp_path / 'store'}"], tmp_path)
    assert "is failed (no_message): do not compare it" in page


def test_a_lone_repetition_gives_values_without_intervals(tmp_path: Path) -> None:
    for stack in ("monolithic", "overlay"):
        write_record(tmp_path / "store", Made(stack, repetitions=1))
    page = page_of(["--store", f"dir:{tmp_path / 'store'}"], tmp_path)
    assert "How sure that is cannot be said" in page
    assert 'class="interval"' not in page
    assert "Fewer than three repetitions, so no interval: monolithic (1), overlay (1)" in page


def test_names_of_others_cannot_break_out(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"' onload=x ]]></svg>&amp;"
    pods = [{"name": hostile, "image": f"r/{hostile}@sha256:0", "processes": [[hostile]], "replicas": 2}]
    for stack in ("monolithic", "overlay"):
        outputs = {
            "application": {"name": hostile, "pods": pods, "labels": {}, "load": {hostile: hostile},
                            "topics": [{"name": "/results", "isResult": True}]},
            "network": {"mode": hostile}, "stack": stack,
        }  # fmt: skip
        finding = {"check": "x", "severity": "warning", "message": hostile, "next_step": ""}
        changes = {"outputs": outputs, "findings": [finding], "images": {hostile: hostile}}
        write_record(tmp_path / "store", Made(stack, repetitions=2, changes=changes))
    page = page_of(["--store", f"dir:{tmp_path / 'store'}"], tmp_path)
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5
    structure_of(page)


def test_nothing_to_report_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    result = runner.invoke(app, ["-o", str(tmp_path / "r.html")])
    assert result.exit_code == 2
    assert "no record to report" in result.output.replace("\n", " ")
    assert not (tmp_path / "r.html").exists()


def test_a_run_that_is_not_sealed_has_no_page_yet(
    four: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    Spool().create("0199aaaa-0000-7000-8000-00000000beef")
    result = runner.invoke(app, ["0000beef", "--store", f"dir:{four[0]}", "-o", str(tmp_path / "r.html")])
    assert result.exit_code == 2
    assert "is not sealed" in result.output
    assert "python -m probes.resume 0199aaaa-0000-7000-8000-00000000beef" in result.output.replace("\n", " ")


def test_a_name_that_fits_nothing_gets_the_choices(four: tuple[Path, str], tmp_path: Path) -> None:
    result = runner.invoke(app, ["monolitic", "--store", f"dir:{four[0]}", "-o", str(tmp_path / "r.html")])
    assert result.exit_code == 2
    assert "microservices" in result.output


def test_a_page_that_cannot_be_written_is_no_traceback(four: tuple[Path, str], tmp_path: Path) -> None:
    result = runner.invoke(app, ["overlay", "--store", f"dir:{four[0]}", "-o", str(tmp_path / "none" / "r.html")])
    assert result.exit_code == 2
    assert "cannot be written" in result.output


def test_a_page_does_not_tell_where_the_users_home_is(
    four: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(four[0].parent))
    page = page_of(["overlay", "--store", f"dir:{four[0]}"], tmp_path)
    assert str(four[0].parent) not in page
    assert "Records were read from ~/store" in page


def test_a_damaged_folder_of_a_record_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    result = runner.invoke(app, [str(tmp_path), "-o", str(tmp_path / "r.html")])
    assert result.exit_code == 3
    assert "is no manifest" in result.output.replace("\n", " ")


def test_latencies_are_of_first_arrivals_inside_the_window() -> None:
    manifest = {
        "outputs": {"application": {"topics": [{"name": "/results", "isResult": True}]}},
        "metrics": {"inference_s": {"value": 1.0}},
    }
    rows = [sample(frame=0, late_ms=4), sample(frame=0, late_ms=9), sample(frame=1, late_ms=2),
            sample(frame=2, late_ms=1, in_window=False), sample(frame=3, late_ms=7, repetition=1),
            sample(frame=4, late_ms=1, topic="/raw")]  # fmt: skip
    found = latencies_of(manifest, rows_table("samples", rows))
    assert [part.tolist() for part in found] == [[0.002, 0.004], [0.007]]
    missing = manifest | {"metrics": {"inference_s": {"missing": "clock_unproven"}}}
    assert latencies_of(missing, rows_table("samples", rows)) == []


def test_lost_messages_are_the_gaps_in_the_sequence_numbers() -> None:
    manifest = {"run_id": "r", "metrics": {"inference_s": {"value": 1.0}}}
    rows = [sample(frame=frame, late_ms=4, sequence=sequence) for frame, sequence in enumerate((5, 6, 9, 10))]
    rows += [sample(frame=9, late_ms=4, sequence=100, repetition=1)]
    flow, other = flows_of([(manifest, rows_table("samples", [*rows, sample(frame=0, late_ms=1, topic="/z")]))])
    assert (flow.topic, flow.messages, flow.lost) == ("/results", 5, 2)
    assert flow.rate_hz == pytest.approx(10.0)
    assert flow.latency[0] == pytest.approx(0.004)
    assert flow.latency[2] is None
    assert (other.lost, other.rate_hz) == (None, None)


def test_evidence_keeps_repetitions_in_line(four: tuple[Path, str]) -> None:
    frame = pl.DataFrame(
        {
            "run_id": ["a", "a", "b", "a", "b"],
            "repetition": [0, 1, 0, 1, -1],
            "key": ["x_s", "x_s", "x_s", "y_s", "image_bytes_wire"],
            "value": [1.0, 2.0, 3.0, None, 9.0],
            "missing": [None, None, None, "no_platform", None],
        }
    )

    found = evidence_of("c", ("a", "b"), frame)
    assert found.values == {"x_s": [1.0, 2.0, 3.0], "image_bytes_wire": (9.0,)}
    assert found.missing == {"y_s": "no_platform"}
    assert found.repetitions == 3


def test_attributes_and_texts_are_escaped() -> None:
    assert tag("p", "a<b", title='"x"', hidden=False, data_x=1.0) == '<p title="&quot;x&quot;" data-x="1">a&lt;b</p>'


def test_samples_have_the_columns_of_the_contract() -> None:
    assert list(SAMPLES) == [
        "repetition", "topic", "frame_number", "intended_ns", "published_ns", "source_ns", "received_ns", "taken_ns",
        "monotonic_ns", "sequence_number", "in_window",
    ]  # fmt: skip
    assert SAMPLES["repetition"] == pl.Int32
    assert FRAMES > 20


def sample(
    *,
    frame: int,
    late_ms: int,
    repetition: int = 0,
    topic: str = "/results",
    in_window: bool = True,
    sequence: int = ABSENT,
) -> dict[str, object]:
    """Make a row of the table samples: frames are due every 100 ms."""
    due = 1_000_000_000 + frame * 100_000_000
    received = due + late_ms * 1_000_000
    return {"repetition": repetition, "topic": topic, "frame_number": frame, "intended_ns": due, "published_ns": due,
            "source_ns": due, "received_ns": received, "taken_ns": received, "monotonic_ns": received,
            "sequence_number": sequence, "in_window": in_window}  # fmt: skip
