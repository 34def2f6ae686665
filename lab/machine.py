"""First process of one lab machine: makes its file system, starts its services, reaps, restarts, ends.

Run by `lab.machines` as process 1 of new PID, mount, network, UTS and IPC namespaces, with the path of a machine's
specification (JSON) as its argument. Standard library only, no imports from the project: it must start in milliseconds.
All mounts are private to the namespace, so they end with it; so does every process that a service leaves behind.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

RESTART_DELAY_S = 0.5
RESTART_DELAY_MAX_S = 8.0
POLL_S = 0.1


def start_ticks(stat: str) -> int:
    """Return a process's start time in clock ticks since boot from its /proc/PID/stat line (proc(5), field 22)."""
    return int(stat.rpartition(")")[2].split()[19])


def write_atomically(path: Path, value: dict[str, Any]) -> None:
    """Write JSON so that a reader sees the old value or the new one, never a part."""
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(json.dumps(value))
    scratch.rename(path)


def mount(*arguments: str, keep: tuple[int, ...] = ()) -> None:
    """Mount a file system with the arguments of the mount program, whose own message is the error."""
    subprocess.run(["mount", "--no-canonicalize", *arguments], check=True, pass_fds=keep)


def make_file_system(spec: dict[str, Any]) -> None:
    """Give the machine its own /proc, /run and writable copies of the folders that services write to.

    `overlays` are copy-on-write over the host's folder; `shared` folders stay the host's own wherever they lie;
    `folders` are bound to plain ones, because containerd cannot put overlay snapshots on an overlay; `files` replaces
    single files, kernel settings among them, so that the kubelet's writes to global settings end in a plain file.
    Sources are relative to the machine's own folder, the working folder: its path may lie under one of the overlays.
    """
    mount("-t", "proc", "proc", "/proc")
    shared = {folder: os.open(folder, os.O_PATH) for folder in spec["shared"]}
    for folder in spec["overlays"]:
        upper, work = Path("upper" + folder), Path("work" + folder)
        upper.mkdir(parents=True, exist_ok=True)
        work.mkdir(parents=True, exist_ok=True)
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={folder},upperdir={upper},workdir={work}", folder)
    for folder, descriptor in shared.items():
        mount("--bind", f"/proc/self/fd/{descriptor}", folder, keep=(descriptor,))
        os.close(descriptor)
    for folder in spec["folders"]:
        source = Path("folders" + folder)
        source.mkdir(parents=True, exist_ok=True)
        Path(folder).mkdir(parents=True, exist_ok=True)
        mount("--bind", str(source), folder)
    for folder in spec["memory_folders"]:
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for target, content in spec["files"].items():
        if not target.startswith("/proc/"):
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(target).write_text(content)
        elif Path(target).exists():
            source = Path("settings" + target)
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(content)
            mount("--bind", str(source), target)
    for target, source in spec["copies"].items():
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(Path(source).read_bytes())


class Service:
    """One program that must run while the machine does."""

    def __init__(self, spec: dict[str, Any], log_folder: Path) -> None:
        """Hold what to start; nothing starts before its required files exist."""
        self.name: str = spec["name"]
        self.command: list[str] = spec["command"]
        self.environment: dict[str, str] = spec["environment"]
        self.requires: list[str] = spec["requires"]
        self.log = log_folder / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.next_start = 0.0

    def start_if_due(self) -> bool:
        """Start the program when it is not running, its files exist and its delay has passed."""
        now = time.monotonic()
        if self.process or now < self.next_start or not all(Path(f).exists() for f in self.requires):
            return False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
                cwd="/",
            )
        self.starts += 1
        self.next_start = now + min(RESTART_DELAY_MAX_S, RESTART_DELAY_S * 2 ** min(self.starts, 10))
        return True

    def ended(self, status: int) -> None:
        """Note that the program has ended, and how."""
        code = os.waitstatus_to_exitcode(status)
        with self.log.open("a") as log:
            log.write(f"[machine] {self.name} ended with status {code}\n")
        if self.process:
            self.process.returncode = code  # collected by reap(), so the object must not try to collect it again
        self.process = None


class Machine:
    """The supervisor's loop."""

    def __init__(self, spec: dict[str, Any], record: dict[str, Any]) -> None:
        """Prepare the services of one machine."""
        self.record = record
        self.record_path = Path(spec["record"])
        self.services = [Service(s, Path(spec["logs"])) for s in spec["services"]]
        self.stopping = False

    def stop(self, *_: object) -> None:
        """Ask the loop to end (signal handler)."""
        self.stopping = True

    def reap(self) -> bool:
        """Collect every ended child, adopted ones too; return whether a service was among them."""
        changed = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return changed
            if not pid:
                return changed
            for service in self.services:
                if service.process and service.process.pid == pid:
                    service.ended(status)
                    changed = True

    def publish(self, phase: str) -> None:
        """Tell `lab status` what runs."""
        starts = {s.name: {"running": s.process is not None, "starts": s.starts} for s in self.services}
        write_atomically(self.record_path, {**self.record, "phase": phase, "services": starts})

    def run(self) -> NoReturn:
        """Supervise until told to stop, then end the services in reverse order."""
        self.publish("running")
        while not self.stopping:
            changed = self.reap()
            for service in self.services:
                changed = service.start_if_due() or changed
            if changed:
                self.publish("running")
            time.sleep(POLL_S)
        for service in reversed(self.services):
            if service.process:
                service.process.terminate()
                deadline = time.monotonic() + 5
                while service.process and time.monotonic() < deadline:
                    self.reap()
                    time.sleep(0.02)
        sys.exit(0)


def main() -> NoReturn:
    """Record who we are, check that we are still wanted, become the machine."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    os.chdir(spec["root"])
    # The host's procfs is still mounted here, so /proc/self names our process number on the host.
    record = {
        "pid": int(Path("/proc/self").readlink().name),
        "start_ticks": start_ticks(Path("/proc/self/stat").read_text()),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "generation": spec["generation"],
    }
    write_atomically(Path(spec["record"]), {**record, "phase": "starting", "services": {}})
    generation = Path(spec["generation_file"])
    if not generation.exists() or generation.read_text() != spec["generation"]:
        sys.exit("this machine was taken down before it started")
    subprocess.run(["hostname", spec["hostname"]], check=True)
    make_file_system(spec)
    machine = Machine(spec, record)
    signal.signal(signal.SIGTERM, machine.stop)
    signal.signal(signal.SIGINT, machine.stop)
    machine.run()


if __name__ == "__main__":
    main()
