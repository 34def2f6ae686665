"""Start and end lab machines, each by the identity that its first process recorded, never by name."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab import machine as first_process
from lab.errors import LabError
from lab.folders import LabFolders

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 8.0
NAMES = ("hub", "cloud", "edge")


@dataclass(frozen=True)
class ServiceSpec:
    """A program that a machine keeps running once the files it requires exist."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    requires: Sequence[str] = ()


@dataclass(frozen=True)
class MachineSpec:
    """What one machine is made of; see `lab.machine.make_file_system` for the kinds of folders and files."""

    name: str
    services: Sequence[ServiceSpec]
    overlays: Sequence[str] = ()
    shared: Sequence[str] = ()
    folders: Sequence[str] = ()
    memory_folders: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    copies: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class MachineState:
    """A machine as its record and the kernel describe it together."""

    name: str
    pid: int
    phase: str
    services: Mapping[str, Mapping[str, int]]


def folder_of(folders: LabFolders, name: str) -> Path:
    """Where a machine keeps its file system, record and logs."""
    return folders.machines / name


def is_same_process(pid: int, start_ticks: int, boot_id: str) -> bool:
    """Whether process `pid` is the one that was recorded: same number, same start, same boot, not a zombie."""
    if Path("/proc/sys/kernel/random/boot_id").read_text().strip() != boot_id:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return first_process.start_ticks(stat) == start_ticks and stat.rpartition(")")[2].split()[0] != "Z"


def machine_state(folders: LabFolders, name: str) -> MachineState | None:
    """Return what runs, or None when the machine does not."""
    try:
        record = json.loads((folder_of(folders, name) / "record.json").read_text())
    except FileNotFoundError:
        return None
    if not is_same_process(record["pid"], record["start_ticks"], record["boot_id"]):
        return None
    return MachineState(name=name, pid=record["pid"], phase=record["phase"], services=record["services"])


def start(folders: LabFolders, spec: MachineSpec) -> MachineState:
    """Start a machine and wait until its file system is made.

    Raises:
        LabError: its first process ended or did not get ready; the message shows the end of its log.
    """
    home = folder_of(folders, spec.name)
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    generation = secrets.token_hex(8)
    (home / "generation").write_text(generation)
    document = {
        **asdict(spec),
        "hostname": spec.name,
        "root": str(home),
        "record": "record.json",
        "logs": "logs",
        "generation": generation,
        "generation_file": "generation",
    }
    (home / "spec.json").write_text(json.dumps(document))
    with (logs / "machine.log").open("ab") as log:
        # -I -S: the first process imports nothing but the standard library and starts in 20 ms.
        subprocess.Popen(
            ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--propagation", "private",
             sys.executable, "-I", "-S", first_process.__file__, str(home / "spec.json")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = machine_state(folders, spec.name)
        if state and state.phase == "running":
            return state
        time.sleep(0.02)
    tail = "\n".join((logs / "machine.log").read_text().splitlines()[-8:])
    raise LabError(
        f"Machine {spec.name} did not start within {START_TIMEOUT_S:.0f} s. Its log ends with:\n{tail}",
        advice="`python -m lab doctor` names what this computer lacks.",
    )


def wait_until_gone(folders: LabFolders, name: str, timeout_s: float) -> bool:
    """Wait for a machine's first process to end; the kernel has then ended all others in it."""
    deadline = time.monotonic() + timeout_s
    while machine_state(folders, name):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop(folders: LabFolders, name: str) -> None:
    """End a machine: politely if it holds data, at once otherwise; then remove its files.

    Raises:
        LabError: its first process survives SIGKILL.
    """
    home = folder_of(folders, name)
    (home / "generation").unlink(
        missing_ok=True
    )  # A first process that has not recorded itself yet sees this and ends.
    state = machine_state(folders, name)
    if state:
        os.kill(state.pid, signal.SIGTERM if name == "hub" else signal.SIGKILL)
        if not wait_until_gone(folders, name, STOP_TIMEOUT_S):
            os.kill(state.pid, signal.SIGKILL)
            if not wait_until_gone(folders, name, STOP_TIMEOUT_S):
                raise LabError(f"Machine {name} (process {state.pid}) does not end.", advice="Restart this computer.")
    if home.exists():
        shutil.rmtree(home)


def wait_for(check: Callable[[], bool], *, what: str, timeout_s: float, advice: str, interval_s: float = 0.2) -> None:
    """Call `check` until it returns true.

    Raises:
        LabError: it did not within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            raise LabError(f"{what} within {timeout_s:.0f} s.", advice=advice)
        time.sleep(interval_s)
