"""The spool: one folder per run on this machine, from which a run can be sealed and uploaded at any time.

    RUN_ID/journal.jsonl            states, see probes.journal
    RUN_ID/context.json             what was known before the first repetition: outputs, plan, machines, …
    RUN_ID/repetitions/000.json     readings, gates and window of one repetition
    RUN_ID/repetitions/000.copy/    samples as they are fetched while a repetition runs; gone once its tables are there
    RUN_ID/repetitions/000.samples.parquet and one file for each other table
    RUN_ID/sealed/                  the record exactly as it is stored: its tables and manifest.json
    RUN_ID/reserve                  space kept free, given back when the disk is full so that the run can be sealed

Files appear whole or not at all (written aside, synced, renamed). What is found damaged is renamed (`.damaged`,
`.failed`, journal.quarantined) and stays.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, cast

from probes.durable import disk_problems_named, make_folder, replace_file, sync_folder, sync_name
from probes.errors import SpoolDamaged, UsageError
from probes.journal import JOURNAL_FILE, Recovered, is_busy, recover

RESERVE_BYTES = 8 * 1024 * 1024
RESERVE_FILE = "reserve"
LEAST_FREE_BYTES = 256 * 1024 * 1024
MANIFEST_FILE = "manifest.json"


def data_home() -> Path:
    """Give the folder of data that a user must not lose: `$XDG_DATA_HOME/ros2bench`."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "ros2bench"


def cache_home() -> Path:
    """Give the folder that may be removed at any time: `$XDG_CACHE_HOME/ros2bench`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ros2bench"


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self.sealed = path / "sealed"
        self.repetitions = path / "repetitions"

    @property
    def is_sealed(self) -> bool:
        """Whether the record is complete in this folder."""
        return (self.sealed / MANIFEST_FILE).exists()

    def read_journal(self) -> Recovered:
        """Read the journal without touching it."""
        path = self.path / JOURNAL_FILE
        return recover(path.read_bytes() if path.exists() else b"", self.run_id)

    def is_running(self) -> bool:
        """Tell whether the process of the run is alive."""
        return is_busy(self.path)

    def write(self, name: str, payload: bytes) -> Path:
        """Write a file whole and durable.

        Raises:
            SpoolFull: The disk has no room.
            DiskFailed: The disk returns errors.
        """
        path = self.path / name
        with disk_problems_named(self.path):
            make_folder(path.parent)
            replace_file(path, payload)
            # Of every folder down to the file: who made one may have been killed before its name was durable.
            for folder in (path.parent, *path.parent.parents):
                sync_folder(folder)
                if folder == self.path:
                    break
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Write a JSON file whole and durable."""
        return self.write(name, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON object of this folder.

        Raises:
            SpoolDamaged: It is not there or not readable.
        """
        path = self.path / name
        try:
            found: object = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise SpoolDamaged(
                f"{path} cannot be read ({error}); it stays there.", next_step="python -m probes.doctor"
            ) from None
        if not isinstance(found, dict):
            raise SpoolDamaged(
                f"{path} holds no JSON object. Nothing was deleted.", next_step="python -m probes.doctor"
            )
        return cast("dict[str, Any]", found)

    def reserve(self, size_bytes: int = RESERVE_BYTES) -> None:
        """Keep space free for the seal; what is kept already only grows."""
        with disk_problems_named(self.path):
            descriptor = os.open(self.path / RESERVE_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size < size_bytes:
                    os.posix_fallocate(descriptor, 0, size_bytes)
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Give the kept space back."""
        (self.path / RESERVE_FILE).unlink(missing_ok=True)

    def reserved_bytes(self) -> int:
        """Give how much space is kept."""
        path = self.path / RESERVE_FILE
        return path.stat().st_size if path.exists() else 0

    def size_bytes(self) -> int:
        """Give the size of all files of the run."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())


class Spool:
    """All runs on this machine."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data_home() / "spool"

    def create(self, run_id: str) -> RunFolder:
        """Make the folder of a new run, with its reserve."""
        folder = RunFolder(self.root / run_id)
        with disk_problems_named(self.root):
            make_folder(self.root)
            folder.path.mkdir(mode=0o700)
            sync_folder(self.root)
            sync_name(self.root)
        folder.reserve()
        return folder

    def runs(self) -> list[RunFolder]:
        """List the runs, oldest first (identifiers sort by time)."""
        if not self.root.exists():
            return []
        return [RunFolder(path) for path in sorted(self.root.iterdir()) if path.is_dir()]

    def find(self, prefix: str) -> RunFolder:
        """Find one run by its identifier or an unambiguous part of its beginning or end.

        Raises:
            UsageError: No run or several runs match.
        """
        runs = self.runs()
        found = [run for run in runs if run.run_id.startswith(prefix) or run.run_id.endswith(prefix)]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(run.run_id for run in (found or runs)[-5:]) or "none"
        problem = "several runs match" if found else "no run matches"
        raise UsageError(
            f"{problem} {prefix!r} in {self.root}; runs there (newest last): {listed}.",
            next_step="python -m probes.doctor",
        )

    def free_bytes(self) -> int:
        """Give the free space of the spool's disk."""
        existing = self.root
        while not existing.exists():
            existing = existing.parent
        return shutil.disk_usage(existing).free
