"""The comparison with nvidia-smi, over stand-ins of the library and of that program."""

import json
from typing import Any

import pytest

from benchmarks import nvml_against_nvidia_smi as benchmark
from tests.images.in_cluster import module
from tests.images.nvml_standin import StandInGpu, StandInLibrary

nvml = module("ros2bench_machine_reader.nvml")
GPU = StandInGpu(power_mw=61_500, energy_mj=None)


def run(monkeypatch: pytest.MonkeyPatch, watts: float, library: StandInLibrary | None) -> int:
    def load(name: str) -> Any:
        if library is None:
            raise OSError(name)
        return library

    monkeypatch.setattr(nvml.ctypes, "CDLL", load)
    monkeypatch.setattr(benchmark, "ask_nvidia_smi", lambda: [(0.0, watts, 2048.0, 8192.0, 40.0, 31.0, 1980.0)])
    monkeypatch.setattr(benchmark, "READ_EVERY_S", 0.02)
    return benchmark.main(["--seconds", "0.05"])


def test_agreement_and_disagreement(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, 61.5, StandInLibrary([GPU])) == 0
    assert json.loads(capsys.readouterr().out)["idle"][0]["broken"] == []
    assert run(monkeypatch, 80.0, StandInLibrary([GPU])) == 1
    assert json.loads(capsys.readouterr().out)["idle"][0]["broken"] == ["energy_ratio"]


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, 1.0, None) == 1
    assert "no_nvml" in capsys.readouterr().err
