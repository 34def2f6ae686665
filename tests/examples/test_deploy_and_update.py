"""Deploying and updating from Python, against a stack that only remembers what it was asked."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pulumi.automation.errors import CommandError, ConcurrentUpdateError
from typer.testing import CliRunner

FILE = Path(__file__).parents[2] / "examples" / "deploy_and_update.py"
URN = "urn:pulumi:service::ros2bench::kubernetes:apps/v1:Deployment::service-client"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_and_update", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


example = load()


def command_error(kind: type[CommandError] = CommandError) -> CommandError:
    return kind(SimpleNamespace(stdout="", stderr="the engine's last words", code=255, __str__=lambda: "failed"))  # type: ignore[arg-type]


def event(**what: Any) -> SimpleNamespace:
    return SimpleNamespace(**({"diagnostic_event": None, "res_outputs_event": None} | what))


def step(op: str) -> SimpleNamespace:
    metadata = SimpleNamespace(op=SimpleNamespace(value=op), type="kubernetes:apps/v1:Deployment", urn=URN)
    return event(res_outputs_event=SimpleNamespace(metadata=metadata))


def diagnostic(severity: str, message: str, *, ephemeral: bool = False) -> SimpleNamespace:
    return event(diagnostic_event=SimpleNamespace(severity=severity, message=message, ephemeral=ephemeral))


@dataclass
class FakeStack:
    """What each `up` reports, in order; an exception is raised."""

    ups: list[list[SimpleNamespace] | CommandError] = field(default_factory=list[Any])
    exported: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: int = 0

    def up(self, *, color: str, on_event: Callable[[Any], Any]) -> SimpleNamespace:
        """Report the next events, or fail."""
        assert color == "never"
        self.asked += 1
        said = self.ups.pop(0)
        if isinstance(said, CommandError):
            raise said
        for each in said:
            on_event(each)
        if any(each.diagnostic_event and each.diagnostic_event.severity == "error" for each in said):
            raise command_error()
        return SimpleNamespace(summary=SimpleNamespace(resource_changes={"update": 1, "same": 20}))

    def outputs(self) -> dict[str, Any]:
        """What is exported."""
        return {name: SimpleNamespace(value=value) for name, value in self.exported.items()}

    def history(self, page_size: int) -> list[SimpleNamespace]:
        """The one update that there was."""
        assert page_size == 1
        started = datetime(2026, 5, 9, 7, 30, tzinfo=UTC)
        return [SimpleNamespace(kind="update", result="succeeded", start_time=started, resource_changes={"create": 26})]


def test_a_deployment_tells_what_changed_and_leaves_out_what_did_not() -> None:
    said: list[str] = []
    stack = FakeStack([[step("same"), step("update"), diagnostic("warning", "old provider")]])
    deployed = example.up(stack, said.append)
    assert deployed.errors == ()
    assert deployed.changes == {"update": 1, "same": 20}
    assert [line.split() for line in said] == [["update", "Deployment", "service-client"]]


def test_a_failure_gives_the_errors_and_not_the_noise() -> None:
    noise = [diagnostic("info", "reading"), diagnostic("error", "still waiting", ephemeral=True)]
    noise.append(diagnostic("error", "an unhandled error occurred: program exited with non-zero exit code: 1"))
    stack = FakeStack([[*noise, *[diagnostic("error", "ImagePullBackOff\n")] * 2]])
    assert example.up(stack, print).errors == ("ImagePullBackOff",)


def test_a_failure_without_a_diagnosis_gives_the_last_words() -> None:
    (error,) = example.up(FakeStack([command_error()]), print).errors
    assert "the engine's last words" in error


def test_another_update_at_the_same_time_is_a_refusal() -> None:
    with pytest.raises(example.Refused, match="pulumi cancel"):
        example.up(FakeStack([command_error(ConcurrentUpdateError)]), print)


@pytest.mark.parametrize(
    ("roll_back", "ups", "kept"), [(True, 2, "rate: 10  # of the camera\n"), (False, 1, "rate: 999\n")]
)
def test_a_failed_update_is_undone_to_the_byte(tmp_path: Path, roll_back: bool, ups: int, kept: str) -> None:
    file = tmp_path / "Pulumi.service.yaml"
    file.write_text("rate: 10  # of the camera\n")
    stack = FakeStack([[diagnostic("error", "node does not become ready")], [step("update")]])
    deployed = example.update(stack, file, lambda: file.write_text("rate: 999\n"), print, roll_back=roll_back)
    assert (stack.asked, file.read_text()) == (ups, kept)
    assert deployed.errors == ("node does not become ready",)


def test_a_successful_update_keeps_the_change(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.service.yaml"
    file.write_text("rate: 10\n")
    stack = FakeStack([[step("update")]])
    deployed = example.update(stack, file, lambda: file.write_text("rate: 20\n"), print, roll_back=True)
    assert (deployed.errors, stack.asked, file.read_text()) == ((), 1, "rate: 20\n")


def test_a_change_that_cannot_be_written_leaves_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.service.yaml"
    file.write_text("rate: 10\n")

    def change() -> None:
        file.write_text("rate: half")
        raise command_error()

    with pytest.raises(CommandError):
        example.update(FakeStack(), file, change, print, roll_back=True)
    assert file.read_text() == "rate: 10\n"


@pytest.mark.parametrize(
    ("value", "kind"), [("20", "int"), ("20.5", "float"), ("true", "bool"), ("parked", "string"), ("1.2.3", "string")]
)
def test_values_have_the_type_that_they_look_like(value: str, kind: str) -> None:
    change = example.parse_change(f"application.load.rateHz={value}")
    assert (change.key, change.value, change.kind) == ("application.load.rateHz", value, kind)


def test_the_status_names_pods_images_and_the_last_update() -> None:
    contract = {
        "pattern": "microservices",
        "state": "running",
        "namespace": "ros2bench-service",
        "application": {
            "pods": [{"name": "service-client", "processes": [["service_client"]], "image": "r/e@sha256:0"}]
        },
    }
    lines = example.status(FakeStack(exported={"ros2bench": contract}))
    assert lines == [
        "microservices, running, namespace ros2bench-service",
        "  pod service-client: service_client from r/e@sha256:0",
        "last update: succeeded at 2026-05-09 07:30:00 (create 26)",
        "pods now: kubectl get pods -n ros2bench-service",
    ]


def test_the_status_of_what_was_never_deployed_says_what_to_type() -> None:
    with pytest.raises(example.Refused, match=r"deploy_and_update\.py deploy"):
        example.status(FakeStack())


@pytest.mark.parametrize("arguments", [["--help"], ["deploy", "--help"], ["update", "--help"], ["status", "--help"]])
def test_help_is_there(arguments: list[str]) -> None:
    done = CliRunner().invoke(example.app, arguments)
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_a_wrong_change_is_a_sentence() -> None:
    done = CliRunner().invoke(example.app, ["update", "-s", "service", "rateHz"])
    assert done.exit_code == 2
    assert "Write KEY=VALUE" in done.stderr
    assert "Traceback" not in done.output
