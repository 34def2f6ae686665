"""The text format of Prometheus, as the recorder and the machine reader write it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

exposition = module("ros2bench_service.exposition")


def test_a_family_is_introduced_once_and_absent_without_samples() -> None:
    samples = [(exposition.labels_text({"topic": "/a"}), 3), (exposition.labels_text({"topic": "/b"}), 0.5)]
    assert exposition.family("x_total", "counter", "What\nit \\ is.", samples) == [
        "# HELP x_total What\\nit \\\\ is.",
        "# TYPE x_total counter",
        'x_total{topic="/a"} 3',
        'x_total{topic="/b"} 0.5',
    ]
    assert exposition.family("x_total", "counter", "Nothing.", []) == []
    assert exposition.family("y_bytes", "gauge", "Plain.", [("", 1)])[-1] == "y_bytes 1"


def test_buckets_of_a_histogram_add_up() -> None:
    lines = exposition.HistogramLines("t_seconds", (0.001, 2.5), {"topic": "/a"}).lines([1, 2, 3], 7.25)
    assert lines == [
        't_seconds_bucket{topic="/a",le="0.001"} 1',
        't_seconds_bucket{topic="/a",le="2.5"} 3',
        't_seconds_bucket{topic="/a",le="+Inf"} 6',
        't_seconds_sum{topic="/a"} 7.25',
        't_seconds_count{topic="/a"} 6',
    ]


def test_values_are_written_as_the_format_wants_them() -> None:
    assert [exposition.number_text(each) for each in (1, 1.5, 1e-7, math.inf, -math.inf, math.nan)] == [
        "1",
        "1.5",
        "1e-07",
        "+Inf",
        "-Inf",
        "NaN",
    ]


def unescaped(text: str) -> str:
    """What a reader of the format makes of a label."""
    found, rest = "", iter(text)
    for sign in rest:
        found += {"n": "\n", "\\": "\\", '"': '"'}[next(rest)] if sign == "\\" else sign
    return found


@given(st.text())
def test_any_text_is_a_label_and_stays_what_it_is(text: str) -> None:
    shown = exposition.labels_text({"name": text})
    assert "\n" not in shown
    assert unescaped(shown.removeprefix('{name="').removesuffix('"}')) == text
    document = exposition.document([f"x{shown} 1"])
    assert document.endswith(b" 1\n")


def test_what_is_no_unicode_spoils_nothing() -> None:
    assert exposition.document(['x{name="\ud800"} 1']) == b'x{name="?"} 1\n'
