"""Provide a pinned program: from PATH, from the cache, from its official release, or built."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.folders import LabFolders
from lab.toolchain.gobuild import build, version_numbers
from lab.toolchain.pins import Pins, Tool
from lab.toolchain.release import UnreachableError, get_release


@dataclass(frozen=True)
class Provided:
    """A program that is ready to run."""

    tool: Tool
    folder: Path
    origin: str

    def binary(self, name: str) -> Path:
        """Return the path of one of the tool's binaries."""
        return self.folder / name


def on_path(tool: Tool) -> Path | None:
    """Return the folder on PATH that holds every binary of the tool at the pinned version, if there is one."""
    if not tool.version_command:
        return None
    found = [shutil.which(binary) for binary in tool.binaries]
    parents = {Path(path).parent for path in found if path}
    if None in found or len(parents) != 1:
        return None
    try:
        said = subprocess.run(tool.version_command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    fits = version_numbers(said.stdout + said.stderr) == version_numbers(tool.version)
    return parents.pop() if fits else None


def provide(tool: Tool, pins: Pins, folders: LabFolders, said: Callable[[str], None]) -> Provided:
    """Return the tool, getting it first if need be. An interrupted download or build never looks complete.

    Raises:
        LabError: no way worked; the message names each.
    """
    home = folders.tools / tool.name / tool.version
    receipt = home / "receipt.json"
    if receipt.exists() and all((home / binary).exists() for binary in tool.binaries):
        return Provided(tool, home, json.loads(receipt.read_text())["origin"])
    path = on_path(tool)
    if path:
        return Provided(tool, path, "PATH")
    scratch = home.with_name(home.name + ".partial")
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    began = time.monotonic()
    try:
        get_release(tool, scratch, folders.data / "learned-checksums.json", said)
        origin = "release"
    except UnreachableError as reason:
        said(f"{tool.name}: no release ({reason}); building it")
        build(tool, pins, scratch, folders, said)
        origin = "built"
    missing = [binary for binary in tool.binaries if not (scratch / binary).exists()]
    if missing:
        raise LabError(
            f"{tool.name} {tool.version} came without {', '.join(missing)}.",
            advice="Report this pin as wrong.",
        )
    (scratch / "receipt.json").write_text(json.dumps({"origin": origin, "seconds": round(time.monotonic() - began, 1)}))
    if home.exists():
        shutil.rmtree(home)
    scratch.rename(home)
    return Provided(tool, home, origin)
