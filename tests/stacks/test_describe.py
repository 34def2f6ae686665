"""What a stack would export is known without a cluster, and is what the program exports."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from stacks import describe
from stacks.outputs import StackOutputs
from stacks.reading import KEY, read_spec
from tests.stacks.conftest import Run
from tests.support import values

app = typer.Typer()
app.command()(describe.main)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path_factory.mktemp("lock")))}


def described(environment: dict[str, str], stack: str, **section: Any) -> dict[str, Any]:
    return describe.described(stack, read_spec(stack, {KEY: section}, environment)).model_dump(by_alias=True)


def test_it_is_the_contract_of_the_program_but_for_the_cluster(environment: dict[str, str], run: Run) -> None:
    told = described(environment, "monolithic", images={"checkRegistry": False})
    exported = StackOutputs.model_validate_json(json.dumps(run("monolithic").value)).model_dump(by_alias=True)
    differing = {key for key in told if told[key] != exported[key]}
    assert differing <= {"clusterUid", "spec"}
    assert told["clusterUid"] == "none"


def test_ports_on_a_machines_network_are_its_own(environment: dict[str, str]) -> None:
    told = described(environment, "monolithic", network={"discovery": "host-network"})
    assert told["recorder"]["port"] == 18080


def test_a_platform_says_where_its_machine_readers_listen(environment: dict[str, str]) -> None:
    assert described(environment, "platform")["machineReaders"] is None
    told = described(environment, "platform", machineReaders={"enabled": True})
    assert (told["kind"], told["clusterUid"], told["application"]) == ("platform", "none", None)
    assert told["machineReaders"]["port"] == 8090


def test_the_command_prints_json_or_one_sentence(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROS2BENCH_IMAGES_LOCK", environment["ROS2BENCH_IMAGES_LOCK"])
    done = CliRunner().invoke(app, ["-s", "monolithic"])
    assert json.loads(done.stdout)["pattern"] == "monolithic"
    monkeypatch.setenv("ROS2BENCH_IMAGES_LOCK", str(tmp_path / "none.json"))
    refused = CliRunner().invoke(app, ["-s", "monolithic"])
    assert refused.exit_code == 2
    assert "none.json" in refused.stderr
