"""The stack of images, seen by recording mocks: Pulumi's provider for commands is not part of the tests."""

import asyncio
import json
import runpy
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import pytest
from pulumi.runtime import mocks
from typer.main import get_command

from images.build import application
from tests.support.deployment import event_loop

ROOT = Path(__file__).parents[2]
STACK = ROOT / "images-stack"
LINE = json.dumps({"lock": "/l.json", "registry": "r", "images": {"recorder": "r/ros2bench/recorder@sha256:a"}})


class Recorder(mocks.Mocks):
    """Remembers commands and answers as `python -m images.build --json` does."""

    def __init__(self) -> None:
        self.commands: list[mocks.MockResourceArgs] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Run nothing."""
        self.commands.append(args)
        return "id", {**args.inputs, "stdout": LINE}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Refuse: the program asks for nothing."""
        raise AssertionError(args.token)


def run(**configuration: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs of the one command, and what the stack exports."""
    recorder = Recorder()
    exported: dict[str, Any] = {}
    asyncio.set_event_loop(event_loop())
    mocks.set_mocks(recorder, project="ros2bench-images", stack="test")
    settings = {f"ros2bench-images:{key}": value for key, value in configuration.items()}

    def resolve(name: str, value: pulumi.Output[Any]) -> None:
        value.apply(lambda resolved: exported.update({name: resolved}))

    @pulumi.runtime.test
    def program() -> None:
        runpy.run_path(str(STACK / "__main__.py"), run_name="__main__")

    pulumi.runtime.set_all_config(settings)
    try:
        with patch("pulumi.export", resolve):
            program()
    finally:
        pulumi.runtime.set_all_config({})
    (command,) = recorder.commands
    assert command.typ == "command:local:Command"
    return command.inputs, exported


def test_the_stack_is_one_command_with_the_images_as_output() -> None:
    inputs, exported = run(registry="registry.example:5000", images='["demo"]', registryCa="/ca.crt")
    words = shlex.split(inputs["create"])
    assert words[1:4] == ["-m", "images.build", "--json"]
    assert words[-1] == "demo"
    assert words[words.index("--registry") + 1] == "registry.example:5000"
    assert words[words.index("--ca") + 1] == "/ca.crt"
    assert inputs["logging"] == "stderr"
    assert exported == {"lock": "/l.json", "images": {"recorder": "r/ros2bench/recorder@sha256:a"}}


def test_every_option_is_one_of_the_command() -> None:
    inputs, _ = run(registry="r", registryCa="/ca.crt")
    known = {name for option in get_command(application).params for name in option.opts}
    assert {word for word in shlex.split(inputs["create"]) if word.startswith("--")} <= known


def changed_digest(root: Path, paths: Iterable[Path]) -> str:
    """Digest of other sources."""
    return f"sha256:{root} {list(paths)}"


def test_the_command_runs_again_when_a_source_or_a_word_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = run(registry="r")
    same, _ = run(registry="r")
    other, _ = run(registry="r", flavour="official")
    monkeypatch.setattr("images.inputs.digest_of_files", changed_digest)
    changed, _ = run(registry="r")
    assert before["triggers"] == same["triggers"]
    assert len({tuple(inputs["triggers"]) for inputs in (before, other, changed)}) == 3


def test_a_stack_without_a_registry_says_so() -> None:
    with pytest.raises(pulumi.ConfigMissingError, match="registry"):
        run()
