"""`python -m probes.panels`: the page, what is said, exit codes, bad options."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.dashboards.catalogue import DASHBOARDS
from probes import panels
from probes.panel_answers import Asking, Scope
from probes.panels import app, endpoint_of, span_until
from probes.prometheus import Series, Span
from probes.report.panel_page import PageFacts, render
from probes.report.timelines import Period, Timeline, bands, plot, said, stretches, value_axis
from stacks.outputs import Observability, ProgramEndpoint, StackOutputs
from tests.probes.prometheus_standin import TableAsker, matrix, no_wait, standin
from tests.probes.standins import outputs_of

SPAN = Span(1_700_000_000, 1_700_000_900, 5)
PERIOD = Period(SPAN.from_s, SPAN.until_s, SPAN.step_s)
ONE = ("--dashboard", "experiment")
TWO = ("--dashboard", "gpu-power", "--dashboard", "platform-health")
POINTS = tuple((SPAN.from_s + 5.0 * step, 10 + step % 3) for step in range(181))
SOME = (Series({"stack": "a", "topic": "/results", "pod": "p<1>", "machine": "edge"}, POINTS),)


class StandInTarget:
    """Stacks that are up, by name."""

    def __init__(self, **found: StackOutputs) -> None:
        self._found = found

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Give the names."""
        return names or tuple(self._found)[:1]

    def outputs(self, stack: str) -> StackOutputs:
        """Give a contract."""
        return self._found[stack]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Run the command on a stack `microservices` without a platform."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(panels, "PulumiTarget", lambda: StandInTarget(microservices=outputs_of("microservices")))

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["-s", "microservices", *words])

    return run


def everything(_: str) -> tuple[int, str]:
    labels = {"stack": "microservices", "topic": "/results"}
    return 200, matrix((labels, [(1_700_000_000, "1"), (1_700_000_005, "2")]))


def test_a_page_is_written_from_a_prometheus_at_an_address(command: Callable[..., Any], tmp_path: Path) -> None:
    with standin(everything) as (address, asked):
        done = command("--url", address, "--check", "--minutes", "10", "--output", "page.html", *ONE)
    assert done.exit_code == 0, done.output
    assert "Experiment: 15 found" in done.output
    assert re.search(r"panels: page.html \(0\.\d MB, opens without a network\)", done.output)
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'<section id="([a-z-]+)"', page) == ["experiment"]
    assert {path for path, _ in asked} == {"/api/v1/query_range"}


def test_check_fails_where_a_panel_lacks_its_series(command: Callable[..., Any]) -> None:
    with standin(lambda _: (200, matrix())) as (address, _):
        checked = command("--url", address, "--check", *TWO)
        plain = command("--url", address, *TWO)
    assert (checked.exit_code, plain.exit_code) == (3, 0)
    assert "Slowest scrape: missing: all that it needs is there" in checked.output
    assert "GPU in use: not here: no machine reader sees a GPU" in checked.output


def test_a_stack_without_platform_is_told_what_to_do(command: Callable[..., Any]) -> None:
    done = command()
    assert done.exit_code == 2
    assert "names no platform" in done.output
    assert "--platform NAME" in done.output


def test_a_platform_without_prometheus_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any]
) -> None:
    one = outputs_of("microservices", platform="platform")
    platform = outputs_of("platform", kind="platform", application=None)
    monkeypatch.setattr(panels, "PulumiTarget", lambda: StandInTarget(microservices=one, platform=platform))
    done = command()
    assert done.exit_code == 2
    assert "observability.mode is 'none'; choices: builtin, operator, external" in done.output
    assert "--url" in done.output


def test_a_dashboard_that_is_none_is_refused(command: Callable[..., Any]) -> None:
    done = command("--dashboard", "experiments", "--url", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "no dashboard 'experiments'; choices: experiment, pod-lifecycle" in " ".join(done.output.split())


@pytest.mark.parametrize("window", ["", "0s", "1 m", "5x", "$x"])
def test_a_window_that_is_none_is_refused(command: Callable[..., Any], window: str) -> None:
    done = command("--window", window, "--url", "http://127.0.0.1:1")
    assert done.exit_code == 2
    assert "which is no duration" in done.output


def test_nobody_at_the_address_is_exit_code_4(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", no_wait)
    done = command("--url", "http://127.0.0.1:9")
    assert done.exit_code == 4
    assert "cannot be asked at http://127.0.0.1:9" in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_said(command: Callable[..., Any]) -> None:
    with standin(everything) as (address, _):
        done = command("--url", address, "--output", "none/page.html", *ONE)
    assert done.exit_code == 2
    assert "cannot be written to none/page.html" in done.output


def test_the_page_loads_nothing_and_escapes_what_it_shows() -> None:
    found = Asking(TableAsker({"": SOME}), SPAN, Scope()).dashboards()
    page = render(found, SPAN, PageFacts("a<b", "microservices", "1m"))
    assert page == render(found, SPAN, PageFacts("a<b", "microservices", "1m"))
    assert re.findall(r'<section id="([a-z-]+)"', page) == [dashboard.name for dashboard in DASHBOARDS]
    assert "default-src &#x27;none&#x27;" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "p<1>" not in page
    assert "p&lt;1&gt;" in page
    assert "a&lt;b" in page
    assert "<script" not in page
    assert "drawn from Prometheus&#x27; answers, not by Grafana" in page


def test_span_has_whole_steps_and_not_too_many_points() -> None:
    short, long = span_until(1_700_000_003.7, 5), span_until(1_700_000_003.7, 1440)
    assert (short.step_s, short.until_s, short.from_s) == (1.0, 1_700_000_003.0, 1_699_999_703.0)
    assert (long.until_s - long.from_s) / long.step_s <= 400


def test_endpoints_come_from_the_contract() -> None:
    kept = Observability(mode="external", prometheus=ProgramEndpoint(url="http://198.51.100.9:9090"))
    assert endpoint_of(outputs_of("platform", observability=kept)).url == "http://198.51.100.9:9090"


def test_a_line_has_a_gap_where_nothing_was_seen() -> None:
    points = [(0.0, 1.0), (5.0, 1.0), (20.0, 2.0), (25.0, float("nan")), (30.0, 3.0)]
    assert [[at for at, _ in part] for part in stretches(points, 5)] == [[0.0, 5.0], [20.0], [30.0]]
    drawn = plot([Timeline("a", [(at + SPAN.from_s, value) for at, value in points])], PERIOD, "s")
    path = re.search(r'class="curve thick k0"', drawn)
    assert path
    assert drawn.count("M") >= 3


def test_a_line_of_one_value_and_of_zeros_is_drawn() -> None:
    for value in (0.0, 5.0, -2.0):
        assert "<path" in plot([Timeline("a", [(SPAN.from_s, value)])], PERIOD, "1")


@given(st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=4), st.floats(0, 1e-9))
def test_every_axis_has_a_length(values: list[float], noise: float) -> None:
    axis = value_axis([*values, values[0] * (1 + noise)])
    assert axis.low < axis.high
    assert all(0 <= axis.share(value) <= 1 for value in values)


def test_bands_show_what_is_so_and_what_is_not() -> None:
    drawn = bands(Timeline("a", [(SPAN.from_s, 1.0), (SPAN.from_s + 5, 0.0)]), PERIOD, 0)
    assert (drawn.count('class="fill"'), drawn.count('class="track"')) == (1, 1)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0125, "ratio", "1.25\N{NO-BREAK SPACE}%"),
        (1.3e9, "Hz", "1,300\N{NO-BREAK SPACE}MHz"),
        (0.0021, "s", "2.1\N{NO-BREAK SPACE}ms"),
        (3, "1", "3"),
        (0.25, "cores", "0.25\N{NO-BREAK SPACE}cores"),
    ],
)
def test_values_have_handy_units(value: float, unit: str, text: str) -> None:
    assert said(value, unit) == text
