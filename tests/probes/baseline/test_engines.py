"""How the containers are started: every line of it is what a pod would have, or less."""

import asyncio
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from images.cache import cache_folder
from probes.baseline.__main__ import app, make_engine
from probes.baseline.command_line import CommandLineEngine
from probes.baseline.containers import ContainerPlan
from probes.baseline.engine import call, check_platform, chosen_engine
from probes.baseline.rootfs import MountedImage, RootfsEngine, enter_words
from probes.errors import ExitCode, TargetError, UsageError

TEMPORARY, SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108 - folders in the container
PLAN = ContainerPlan(
    name="recorder",
    image="registry.invalid/recorder@sha256:1",
    arguments=("ros2bench-recorder", "/etc/ros2bench/recorder.json"),
    environment={"ROS_DOMAIN_ID": "42"},
    files={"/etc/ros2bench": {"recorder.json": "{}"}},
    writable=(TEMPORARY, SHARED_MEMORY, "/captures"),
    port=18080,
)
# Writes down what it is asked, and answers as the program would.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$*" >> "$(dirname "$0")/calls"
case "$1" in
  port) echo "127.0.0.1:49153" ;;
  inspect) echo true ;;
  logs) echo "the last line" ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name on PATH; gives the file of its calls."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program.with_name("calls")


def test_docker_runs_both_in_the_network_of_the_first(docker: Path, tmp_path: Path) -> None:
    engine = CommandLineEngine("docker", tmp_path / "configuration")
    application = ContainerPlan("perception", "image", ("bringup",), {}, {}, (), 18081)
    engine.prepare((PLAN, application))
    assert (tmp_path / "configuration" / "recorder" / "0" / "recorder.json").read_text() == "{}"
    engine.start(PLAN)
    engine.start(application)
    pulled, _, first, second = docker.read_text().splitlines()
    assert pulled == f"pull --quiet {PLAN.image}"
    holder = first.split()[3]
    assert "--publish 127.0.0.1::18080 --publish 127.0.0.1::18081" in first
    assert "--read-only --user 10001:10001 --cap-drop ALL --security-opt no-new-privileges" in first
    assert "--tmpfs /captures:mode=1777" in first
    assert "--tmpfs /dev/shm" not in first
    assert first.endswith(f"--env ROS_DOMAIN_ID=42 {PLAN.image} ros2bench-recorder /etc/ros2bench/recorder.json")
    assert f"--network container:{holder}" in second
    assert "--publish" not in second
    assert engine.is_running("perception")
    assert not engine.is_running("other")
    assert engine.said("perception") == "the last line\n"

    async def address() -> str:
        async with engine.address(18081) as found:
            return found

    assert asyncio.run(address()) == "http://127.0.0.1:49153"
    engine.stop("perception")
    assert not engine.is_running("perception")
    engine.close()
    assert docker.read_text().splitlines()[-1] == f"rm --force {holder}"


def test_a_mounted_image_is_entered_as_its_user_with_its_environment(tmp_path: Path) -> None:
    config = {"User": "10001:10001", "Env": ["PATH=/bin", "HOME=/tmp"], "Entrypoint": ["/entrypoint"]}
    words = enter_words(PLAN, MountedImage("c", tmp_path, config), tmp_path / "configuration")
    after = words[words.index("baseline") + 1 :]
    assert after[:3] == [str(tmp_path), "10001:10001", str(tmp_path / "configuration")]
    assert after[3:12] == [
        "file", "/etc/ros2bench", "folder", TEMPORARY, "folder", SHARED_MEMORY, "folder", "/captures", "--",
    ]  # fmt: skip
    assert after[12:] == ["PATH=/bin", "HOME=/tmp", "ROS_DOMAIN_ID=42", "/entrypoint", *PLAN.arguments]


def test_what_is_seen_of_the_machine_is_mounted_read_only(tmp_path: Path) -> None:
    plan = replace(PLAN, host={"/host/sys": "/sys", "/usr/bin/tegrastats": "/opt/tegrastats"})
    words = enter_words(plan, MountedImage("c", tmp_path, {}), tmp_path / "configuration")
    after = words[words.index("baseline") + 1 :]
    assert after[:3] == [str(tmp_path), "0:0", str(tmp_path / "configuration")]
    assert after[11:16] == ["host", "/sys:/host/sys", "host", "/opt/tegrastats:/usr/bin/tegrastats", "--"]


def test_a_machine_reader_needs_containers_that_it_can_tell(docker: Path) -> None:
    check_platform("buildah", "platform")
    check_platform("docker", None)
    with pytest.raises(UsageError, match="--platform platform needs --engine buildah") as refused:
        check_platform("docker", "platform")
    assert "leave --platform out" in refused.value.next_step
    done = CliRunner().invoke(app, ["--engine", "docker", "--platform", "platform"])
    assert done.exit_code == ExitCode.USAGE
    assert not docker.exists()


def test_mounting_needs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="needs root"):
        RootfsEngine(tmp_path, tmp_path, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting images needs root")
def test_pulled_images_stay_apart_from_built_ones(tmp_path: Path) -> None:
    engine = make_engine("buildah", tmp_path, None)
    assert isinstance(engine, RootfsEngine)
    assert cache_folder() / "containers" not in {engine.storage, *engine.storage.parents}
    assert engine.storage.parent == cache_folder()


def test_the_first_engine_of_the_machine_is_taken(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(docker.parent))
    assert chosen_engine(None) == chosen_engine("docker") == "docker"
    with pytest.raises(UsageError, match="no podman on PATH"):
        chosen_engine("podman")
    with pytest.raises(UsageError, match="choices: buildah, docker, podman"):
        chosen_engine("rkt")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="no buildah and no docker and no podman"):
        chosen_engine(None)


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(TargetError, match="ended with 3: no such thing"):
        call(["sh", "-c", "echo no such thing >&2; exit 3"])
    assert json.loads(call(["sh", "-c", "echo 1"])) == 1
