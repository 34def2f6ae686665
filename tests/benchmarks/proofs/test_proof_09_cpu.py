"""Known processor loads: the program keeps to its share, the record is read, two percent are the limit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.proofs import cpu_load
from benchmarks.proofs import proof_09_cpu as proof
from stacks.reading import read_file


def test_two_percent_hold_and_three_fail() -> None:
    assert proof.finding(0.25, 0.2549, (0.25, 0.26)).verdict == "holds"
    assert proof.finding(0.25, 0.2576, None).verdict == "fails"
    assert proof.finding(0.75, 0.7275, None).verdict == "fails"
    missing = proof.finding(0.75, None, None, "no_platform")
    assert (missing.verdict, missing.measured) == ("not enough data", "cpu_cores is missing(no_platform)")


def test_the_load_of_a_pods_container_is_found() -> None:
    metrics = {
        "cpu_cores{container=load-25,pod=load-25-7c9-x}": {"value": 0.25, "interval": [0.24, 0.26]},
        "cpu_cores{container=load-25,pod=load-25-7c9-x,process=python3}": {"value": 0.2},
        "cpu_cores{container=load-25,pod=load-25-7c9-x,statistic=max}": {"value": 0.9},
        "cpu_cores{container=load-75,pod=load-75-5d4-y,statistic=mean}": {"value": 0.75},
    }
    assert proof.reported_load(metrics, "load-25")[1]["value"] == 0.25
    assert proof.reported_load(metrics, "load-75")[1]["value"] == 0.75
    assert proof.reported_load({"cpu_cores": {"missing": "no_platform"}}, "load-25") == (
        None,
        {"missing": "no_platform"},
    )


def test_the_stack_file_is_one_that_can_be_deployed() -> None:
    spec = read_file(proof.STACK_FILE, {})
    assert set(spec.application.nodes) == {"camera", "load_25", "load_75"}
    assert proof.spec()["application"]["name"] == "cpu-load"
    shares = {node: (found.executable or [])[-1] for node, found in spec.application.nodes.items() if node != "camera"}
    assert {name.replace("_", "-"): float(share) for name, share in shares.items()} == proof.LOADS


def test_the_program_uses_its_share_by_its_own_clock() -> None:
    command = [sys.executable, str(Path(cpu_load.__file__)), "0.25"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.kill()
    assert line["cpu_load"]["share"] == pytest.approx(0.25, rel=0.03)


def test_a_share_that_cannot_be_is_refused() -> None:
    command = [sys.executable, str(Path(cpu_load.__file__)), "1.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "must be between 0 and 1" in done.stderr
