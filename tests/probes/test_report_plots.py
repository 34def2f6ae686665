"""What plots and numbers of the page are made of: axes, distributions, amounts, stages, placements."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.report.amounts import MINUS, SPACE, TIMES, amount, fixed, number, percent, ratio, style_of_row
from probes.report.curves import Curve, ecdf, ecdf_points, tail, value_axis
from probes.report.placement import described, placement
from probes.report.scale import linear_axis, log_axis
from probes.report.stages import lane, median_repetition
from probes.report.strips import Strip, strip
from probes.report.titles import title_of
from probes.tables import rows_table

POSITIVE = st.floats(1e-9, 1e12)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_a_linear_axis_holds_its_values_and_has_few_round_ticks(values: list[float]) -> None:
    axis = linear_axis(values)
    assert axis.low <= min(values) + 1e-6 * (axis.high - axis.low)
    assert axis.high >= max(values) - 1e-6 * (axis.high - axis.low)
    assert 2 <= len(axis.ticks) <= 8
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert axis.share(axis.low) == 0
    assert axis.share(axis.high) == 1


@given(st.lists(POSITIVE, min_size=2, max_size=20))
def test_a_logarithmic_axis_holds_its_values(values: list[float]) -> None:
    axis = log_axis(values)
    assert axis.low <= min(values) * 1.001
    assert axis.high >= max(values) * 0.999
    assert axis.ticks
    shares = [axis.share(value) for value in sorted(values)]
    assert shares == sorted(shares)
    if axis.is_log:
        assert max(values) / min(values) >= 12


def test_an_axis_begins_at_zero_unless_values_are_close_together() -> None:
    assert linear_axis([1.0, 9.0]).begins_at_zero
    assert not linear_axis([8.0, 9.0]).begins_at_zero
    assert linear_axis([0.0, 0.0]).high > 0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5000))
def test_a_thinned_distribution_keeps_its_ends(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    x, y = ecdf_points(ordered)
    assert (x[0], x[-1], y[-1]) == (ordered[0], ordered[-1], 1.0)
    assert len(x) <= 500
    assert x == sorted(x)


def test_a_distribution_is_drawn_from_zero_to_all() -> None:
    curve = Curve(0, "a", np.array([0.01, 0.02, 0.03, 0.04]))
    axis = value_axis([curve])
    path = re.search(r'<path d="([^"]+)"', ecdf([curve], axis, "s"))
    assert path is not None
    heights = [float(value) for value in re.findall(r"V([\d.]+)", path[1])]
    assert heights == [750, 500, 250, 0]
    assert 'd="M0 0' in tail([curve], axis, "s")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.02189, "s", "21.9 ms"), (3.5, "s", "3.5 s"), (250.0, "s", "4.17 min"), (1.2e-4, "s", "120 µs"),
        (0, "s", "0 s"),
        (133_700_000, "B", "134 MB"), (105_947, "B", "106 kB"), (12, "B", "12 B"), (10.0, "Hz", "10 Hz"),
        (0.0048, "1", "0.0048"), (600, "1", "600"), (1_234_567, "1", "1,234,567"), (-0.0021, "J", f"{MINUS}2.1 mJ"),
    ],
)  # fmt: skip
def test_amounts_are_written_for_people(value: float, unit: str, said: str) -> None:
    assert amount(value, unit).replace(SPACE, " ") == said


@given(st.floats(-1e11, 1e11, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) > 1e-4))
def test_a_written_number_is_near_its_value(value: float) -> None:
    said = float(number(value).replace(",", "").replace(MINUS, "-"))
    assert math.isclose(said, value, rel_tol=0.006)


@given(st.lists(POSITIVE, min_size=1, max_size=5), st.floats(0.001, 0.5))
def test_a_row_has_one_style_that_keeps_two_digits_of_every_value(values: list[float], width: float) -> None:
    values = [value for value in values if value >= max(values) / 100]
    intervals = [(value * (1 - width), value * (1 + width)) for value in values]
    style = style_of_row(values, intervals, "Hz")
    for value in values:
        said = float(style.value(value).replace(",", "").replace(f"{SPACE}Hz", "").replace(MINUS, "-"))
        assert math.isclose(said, value, rel_tol=0.06) or value < 1e-4


def test_ratios_and_probabilities_do_not_pretend() -> None:
    assert (ratio(1.0), ratio(0.1234), ratio(0.0123), ratio(250.4)) == (
        f"1.00{TIMES}", f"0.12{TIMES}", f"0.012{TIMES}", f"250{TIMES}",
    )  # fmt: skip
    assert [percent(share).replace(SPACE, " ") for share in (1.0, 0.994, 0.5, 0.006, 0.0)] == [
        "> 99 %", "99 %", "50 %", "1 %", "< 1 %",
    ]  # fmt: skip
    assert fixed(-0.004, 2) == "0.00"


def test_keys_have_titles() -> None:
    assert title_of("inference_s") == "Latency, median"
    assert title_of("inference_s{statistic=p95}") == "Latency, p95"
    assert title_of("update_s{change=code,stage=ready}") == "Code update, until first new result"
    assert title_of("service_gap_s{change=model,part=update}") == "Silence during a model update"
    assert title_of("something_new_s{pod=x}") == "Something new s, x"


def test_a_strip_shows_each_repetition_and_what_is_noise() -> None:
    axis = linear_axis([0.0, 10.0])
    drawn = strip(Strip(1, 5.0, (4.0, 6.0), (4.0, 5.0, 6.0)), axis, (4.9, 5.1))
    assert drawn.count('class="repetition"') == 3
    assert [drawn.count(f'class="{part}"') for part in ("interval", "estimate", "noise")] == [1, 1, 1]
    assert 'x1="40.00%" x2="60.00%"' in drawn
    assert "noise" not in strip(Strip(0, None, None, ()), axis, None)


def span(repetition: int, stage: str, since_ms: int, until_ms: int, pod: str = "") -> dict[str, object]:
    return {
        "repetition": repetition, "pod": pod, "stage": stage, "from_ns": since_ms * 1_000_000,
        "to_ns": until_ms * 1_000_000, "source": "watch..sample", "resolution_ns": 1_000_000, "missing": None,
    }  # fmt: skip


def test_the_repetition_with_the_median_time_is_drawn() -> None:
    rows = [span(repetition, "api", 0, length) for repetition, length in enumerate((900, 100, 300))]
    assert median_repetition(rows_table("timeline", rows)) == 2
    assert median_repetition(rows_table("timeline", ())) is None


def test_a_lane_has_a_box_for_each_stage_and_tells_its_sources() -> None:
    rows = [span(0, "api", 0, 400), span(0, "<stage>", 400, 1000)]
    drawn = lane(rows, 0, linear_axis([0.0, 1.0]))
    assert drawn.count("<rect") == 2
    assert "api: 400" in drawn
    assert "watch to sample" in drawn
    assert "<stage>" not in drawn


def test_the_placement_shows_each_node_once_and_the_images_below() -> None:
    pods = [
        {"name": "application", "processes": [["camera", "detector"], ["monitor"]], "replicas": 2,
         "image": "r/x/base@sha256:1", "overlays": [{"name": "interfaces"}, {"name": "nodes"}]},
        {"name": "<reader>", "processes": [["reader"]], "replicas": 1, "image": "r/application-reader@sha256:1"},
    ]  # fmt: skip
    drawn = placement(pods, "placement")
    assert [drawn.count(f">{node}<") for node in ("camera", "detector", "monitor", "reader")] == [1, 1, 1, 1]
    assert "pod application × 2" in drawn
    assert "<reader>" not in drawn
    assert drawn.index("overlay nodes") < drawn.index("overlay interfaces") < drawn.index(">base<")
    assert described(pods)[0] == (
        "application × 2", "container, 2 processes", "camera + detector; monitor",
        "base, overlay interfaces, overlay nodes",
    )  # fmt: skip
