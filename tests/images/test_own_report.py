"""What the monitor says about its own latency: a line of JSON now and then, or nothing."""

import json
from types import SimpleNamespace
from typing import Any

from tests.images.in_cluster import module

own_report = module("ros2bench_nodes.own_report")


def stamp(number: int) -> Any:
    due, published = (SimpleNamespace(sec=1_700_000_000 + number, nanosec=nanosec) for nanosec in (5, 4_000_005))
    return SimpleNamespace(intended=due, frame_number=number, published=published)


def test_every_so_many_frames_a_line() -> None:
    lines: list[str] = []
    report = own_report.OwnReport(2, lines.append)
    for number in range(5):
        report.add(stamp(number))
    rows = [row for line in lines for row in json.loads(line)["own_report"]]
    assert [row[0] for row in rows] == [0, 1, 2, 3]
    assert rows[0] == [0, 1_700_000_000_000_000_005, 1_700_000_000_004_000_005]


def test_off_says_nothing() -> None:
    lines: list[str] = []
    report = own_report.OwnReport(0, lines.append)
    report.add(stamp(1))
    assert lines == []
