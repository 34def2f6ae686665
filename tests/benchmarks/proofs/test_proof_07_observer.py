"""With and without the recorder: ratios of what the application and the kernel say."""

import json
from pathlib import Path

import pytest

from benchmarks.proofs.own_report import own_latencies_s
from benchmarks.proofs.pod_cpu import cores, cpu_ns, pod_folder
from benchmarks.proofs.proof_07_observer import Block, findings, is_application

UID = "01234567-89ab-cdef-0123-456789abcdef"


def test_a_silent_observer_holds_and_a_loud_one_fails() -> None:
    quiet = [(Block(0.0301, 0.051, 0.202), Block(0.0300, 0.050, 0.200))] * 10
    assert [found.verdict for found in findings(quiet)] == ["holds"] * 3
    loud = [(Block(0.0310, 0.054, 0.210), Block(0.0300, 0.050, 0.200))] * 10
    assert [found.verdict for found in findings(loud)] == ["fails"] * 3


def test_what_cannot_be_measured_is_said() -> None:
    blind = [(Block(0.03, 0.05, None), Block(0.03, 0.05, 0.2))] * 10
    assert [found.verdict for found in findings(blind)] == ["holds", "holds", "not enough data"]


def test_the_applications_own_lines_are_found_among_others() -> None:
    rows = [[number, 1000 * number, 1000 * number + 5] for number in range(10)]
    lines = [
        "[INFO] revision 0",
        json.dumps({"own_report": rows[:5]}),
        '{"own_report": [[1, 2',
        json.dumps({"own_report": rows[4:]}),
        '"own_report"',
    ]
    assert own_latencies_s(lines, 2000, 8000).tolist() == [5e-9] * 6
    assert own_latencies_s([], 0, 1).size == 0


@pytest.mark.parametrize(
    ("folder", "file", "text"),
    [
        (f"cpuacct/r2b/kubepods/besteffort/pod{UID}", "cpuacct.usage", "1500000000\n"),
        (
            f"kubepods.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice",
            "cpu.stat",
            "usage_usec 1500000\nuser_usec 7\n",
        ),
    ],
)
def test_counters_of_both_versions(tmp_path: Path, folder: str, file: str, text: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / folder / file).write_text(text)
    found = pod_folder(UID, tmp_path)
    assert found == tmp_path / folder
    assert found is not None
    assert cpu_ns(found) == 1_500_000_000
    assert pod_folder("other", tmp_path) is None


def test_a_window_is_read_between_two_readings_and_never_beyond() -> None:
    rows = [(0, 0), (10, 5), (20, 5), (30, 15)]
    assert cores(rows, 5, 25) == pytest.approx((10 - 2.5) / 20)
    assert cores(rows, 0, 31) is None
    assert cores([], 0, 1) is None


def test_pods_of_the_application_are_told_by_their_label() -> None:
    assert is_application({"metadata": {"labels": {"app.kubernetes.io/component": "application"}}})
    assert not is_application({"metadata": {}})
