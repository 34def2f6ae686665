"""Shows the steps of a build with their elapsed time, and runs the commands they consist of."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from images.errors import BuildError

TAIL_LINES = 15
DISK_FULL = "No space left on device"


class Steps:
    """Reports steps to a terminal (moving) or a file (a line each) and keeps the output of their commands.

    Args:
        logs: folder for the output, one file per step, overwritten by the next build.
        console: where the report goes.
    """

    def __init__(self, logs: Path, console: Console | None = None) -> None:
        self._logs = logs
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._begun_s = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Generator[None]:
        """Show a step while it runs, and its time when it has ended well."""
        begun_s = time.monotonic()
        with self._console.status(f"{title} …"):
            if not self._console.is_terminal:
                self._console.print(f"{title} …", markup=False)
            yield
        now_s = time.monotonic()
        self._console.print(f"{title}: {now_s - begun_s:.1f} s ({now_s - self._begun_s:.0f} s in all)", markup=False)

    def note(self, sentence: str) -> None:
        """Show one line."""
        self._console.print(sentence, markup=False)

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
        """Run a command.

        Args:
            name: short name of what it does; names its log.
            command: program and arguments.
            environment: additions to the environment.

        Returns:
            Its standard output.

        Raises:
            BuildError: the program is missing or has failed; the text holds the end of its output.
        """
        if shutil.which(command[0]) is None:
            raise BuildError(
                f"{name}: the program {command[0]} is not installed. "
                f"On Debian or Ubuntu type: apt-get install --yes buildah mmdebstrap"
            )
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        with log.open("wb") as errors:
            done = subprocess.run(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                check=False,
            )
        output = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            with log.open("a") as errors:
                errors.write(output)
            said = log.read_text(errors="replace")
            raise BuildError(failure(name, command, done.returncode, said, log))
        return output


def failure(name: str, command: Sequence[str], code: int, said: str, log: Path) -> str:
    """Explain a failed command: its last lines, the whole log, and the way out where it is known."""
    tail = "\n".join(f"  | {line}" for line in said.strip().splitlines()[-TAIL_LINES:])
    advice = "Correct the cause and run the same command again; finished steps are kept."
    if DISK_FULL.lower() in said.lower():
        advice = "The disk is full: free some space and run the same command again; finished steps are kept."
    elif "certificate signed by unknown authority" in said or "failed to verify certificate" in said:
        advice = "The registry's certificate is not signed by the authority given: check --ca or ROS2BENCH_REGISTRY_CA."
    elif "connection refused" in said or "no such host" in said or "no route to host" in said:
        advice = "The registry cannot be reached: check --registry or ROS2BENCH_REGISTRY and that it is running."
    return f"{name}: {command[0]} ended with {code}.\n{tail}\nThe whole output is in {log}. {advice}"
