"""Containers by docker or podman: the recorder has the network, the application joins it."""

import re
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from probes.baseline.containers import ContainerPlan
from probes.baseline.engine import STOP_LIMIT_S, call
from probes.errors import ProbeError, TargetError

USER = "10001:10001"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a folder in the container
SHARED_MEMORY_SIZE = "64m"


def run_words(
    program: str, plan: ContainerPlan, container: str, configuration: Path, *, network: str | None, ports: Sequence[int]
) -> list[str]:
    """Command that starts a container as its pod would.

    Args:
        program: `docker` or `podman`.
        plan: What runs in it.
        container: Its name.
        configuration: Folder with a folder for each folder of configuration files, in the plan's order.
        network: Container whose network it joins; none for a network of its own.
        ports: Ports of its own network that are published on the loopback device.
    """
    words = [program, "run", "--detach", "--name", container, "--read-only", "--user", USER]
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--shm-size", SHARED_MEMORY_SIZE]
    words += ["--network", f"container:{network}"] if network else []
    words += [word for port in ports for word in ("--publish", f"127.0.0.1::{port}")]
    for position, folder in enumerate(plan.files):
        words += ["--volume", f"{configuration / str(position)}:{folder}:ro"]
    for folder in plan.writable:
        if folder != SHARED_MEMORY:
            words += ["--tmpfs", f"{folder}:mode=1777"]
    for name, value in plan.environment.items():
        words += ["--env", f"{name}={value}"]
    return [*words, plan.image, *plan.arguments]


def write_configuration(plan: ContainerPlan, folder: Path) -> None:
    """Write the configuration files of a container, readable by its user."""
    folder.mkdir(parents=True)
    for position, files in enumerate(plan.files.values()):
        own = folder / str(position)
        own.mkdir()
        for name, text in files.items():
            (own / name).write_text(text, encoding="utf-8")
            (own / name).chmod(0o644)
        own.chmod(0o755)
    folder.chmod(0o755)


class CommandLineEngine:
    """Docker or podman.

    Args:
        program: Which of the two.
        folder: For configuration files.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._mark = uuid.uuid4().hex[:8]
        self._ports: tuple[int, ...] = ()
        self._holder: str | None = None
        self._started: set[str] = set()

    def prepare(self, plans: Sequence[ContainerPlan]) -> None:
        """Pull the images; the first container will hold the network."""
        self._ports = tuple(plan.port for plan in plans)
        for plan in plans:
            call([self._program, "pull", "--quiet", plan.image])
            write_configuration(plan, self._folder / plan.name)

    def start(self, plan: ContainerPlan) -> None:
        """Start a container."""
        name = self._name(plan.name)
        ports = () if self._holder else self._ports
        configuration = self._folder / plan.name
        call(run_words(self._program, plan, name, configuration, network=self._holder, ports=ports))
        self._holder = self._holder or name
        self._started.add(name)

    def stop(self, name: str) -> None:
        """End and remove a container."""
        container = self._name(name)
        if container in self._started:
            call([self._program, "stop", "--time", f"{STOP_LIMIT_S:g}", container])
            call([self._program, "rm", "--force", container])
            self._started.discard(container)

    def is_running(self, name: str) -> bool:
        """Ask for a container's state."""
        container = self._name(name)
        if container not in self._started:
            return False
        return call([self._program, "inspect", "--format", "{{.State.Running}}", container]).strip() == "true"

    def said(self, name: str) -> str:
        """Give the end of a container's logs."""
        return call([self._program, "logs", "--tail", "20", self._name(name)])

    @asynccontextmanager
    async def address(self, port: int) -> AsyncGenerator[str]:
        """Give the address under which a port is published."""
        if self._holder is None:
            raise TargetError("No container runs yet.", reason="engine_failed")
        told = call([self._program, "port", self._holder, f"{port}/tcp"])
        found = re.search(r"127\.0\.0\.1:(\d+)", told)
        if found is None:
            raise TargetError(f"`{self._program} port` says {told!r}.", reason="engine_failed")
        yield f"http://127.0.0.1:{found[1]}"

    def close(self) -> None:
        """Remove every container; those that share the network before the one that holds it."""
        problem: ProbeError | None = None
        for container in sorted(self._started, key=lambda name: name == self._holder):
            try:
                call([self._program, "rm", "--force", container])
            except ProbeError as error:
                problem = error
        self._started.clear()
        if problem is not None:
            raise problem

    def _name(self, name: str) -> str:
        return f"ros2bench-{self._mark}-{name}"
