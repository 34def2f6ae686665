"""The live part of every proof: deploy a stack with other settings, measure it, put it back."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks.proofs.evidence import Evidence, newest
from probes.errors import ExitCode, TargetError

OVERRIDE_VARIABLE = "ROS2BENCH_SPEC_OVERRIDE"
STATE_VARIABLE = "ROS2BENCH_STATE"
UP = ("up", "--yes", "--skip-preview", "--suppress-outputs")
DESTROY = ("destroy", "--yes", "--skip-preview", "--suppress-outputs")
RUN_TRIES = 3
USABLE = frozenset({ExitCode.COMMITTED, ExitCode.INVALID})
ROLLOUT_LIMIT = "120s"
NAMESPACE_PREFIX = "ros2bench-"
PLATFORM = "platform"

SMALL_LOAD: Mapping[str, Any] = {
    "widthPx": 160,
    "heightPx": 120,
    "source": "synthetic",
    "detectorInference": "synthetic",
    "detectorCostS": 0.001,
}
"""A load that leaves the machine idle, so that what a proof adds stands out."""


class Bench:
    """One stack at a time, changed through overrides only: no tracked file is written.

    Args:
        folder: Where overrides and records lie.
        console: Shows what happens.
    """

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console
        self._deployed: str | None = None
        self._environment: dict[str, str] = dict(os.environ)
        self._stores = 0
        self._has_platform = self._owns_platform = False

    def deploy(self, stack: str, spec: Mapping[str, Any] | None = None) -> None:
        """Bring a stack to running with keys of its spec replaced; what was deployed before is removed.

        Raises:
            TargetError: `pulumi up` failed.
        """
        if self._deployed not in {None, stack}:
            self.remove()
        override = self._folder / "override.yaml"
        override.write_text(yaml.safe_dump(dict(spec or {})), encoding="utf-8")
        self._environment = {**os.environ, OVERRIDE_VARIABLE: str(override)}
        self._environment.pop(STATE_VARIABLE, None)
        self._deployed = stack
        self.call(["pulumi", *UP, "-s", stack])
        # `pulumi up` of a change may return before the pods of the change are Ready.
        self.kubectl("rollout", "status", "deployment", "--timeout", ROLLOUT_LIMIT)

    def need_platform(self) -> None:
        """Have machine readers; a platform that is there already is left as it is, now and at the end."""
        if self._has_platform:
            return
        self._owns_platform = self._run(["pulumi", "stack", "output", "ros2bench", "-s", PLATFORM]).returncode != 0
        if self._owns_platform:
            # Readers alone: what watches an experiment all the time would be measured with it.
            override = self._folder / "platform.yaml"
            override.write_text(yaml.safe_dump({"observability": {"mode": "none"}}), encoding="utf-8")
            self._environment = {**os.environ, OVERRIDE_VARIABLE: str(override)}
            self.call(["pulumi", *UP, "-s", PLATFORM])
        self._has_platform = True

    def remove(self) -> None:
        """Remove the stack that is deployed."""
        if self._deployed is not None:
            self.call(["pulumi", *DESTROY, "-s", self._deployed])
        self._deployed = None

    def close(self) -> None:
        """Remove everything that was deployed here."""
        self.remove()
        if self._owns_platform:
            self._environment = dict(os.environ)
            self.call(["pulumi", *DESTROY, "-s", PLATFORM])
        self._has_platform = self._owns_platform = False

    def measure(
        self,
        *,
        cycles: str = "none",
        repetitions: int = 1,
        duration_s: float = 20.0,
    ) -> Evidence:
        """Measure what is deployed; a run that a gate refuses is repeated, and the last one is given.

        Raises:
            TargetError: There is no record at all.
        """
        if self._deployed is None:
            raise TargetError("Nothing is deployed to be measured.", next_step="call deploy first")
        evidence: Evidence | None = None
        for _ in range(RUN_TRIES):
            self._stores += 1
            store = self._folder / f"records-{self._stores:03d}"
            words = [sys.executable, "-m", "probes.run", "-s", self._deployed, "--cycles", cycles]
            words += ["--repetitions", str(repetitions), "--duration-s", f"{duration_s:g}"]
            words += ["--store", f"dir:{store}", *(("--platform", PLATFORM) if self._has_platform else ())]
            code = self.call(words, accepted=USABLE)
            evidence = newest(store)
            if code == ExitCode.COMMITTED and evidence is not None:
                return evidence
            if evidence is not None:
                self._console.print(f"  repeated, because {evidence.problem}", markup=False)
        if evidence is None:
            raise TargetError(
                f"`probes.run` of stack {self._deployed} left no record.", next_step="python -m probes.doctor"
            )
        return evidence

    @property
    def namespace(self) -> str:
        """Namespace of what is deployed."""
        return f"{NAMESPACE_PREFIX}{self._deployed}"

    def kubectl(self, *words: str) -> str:
        """Run kubectl in the namespace of what is deployed; gives what it prints.

        Raises:
            TargetError: It failed.
        """
        done = self._run(["kubectl", "-n", self.namespace, *words])
        if done.returncode:
            raise TargetError(f"`kubectl {shlex.join(words)}` failed: {done.stderr.strip()}")
        return done.stdout

    def pods(self) -> list[dict[str, Any]]:
        """Pods of what is deployed, as the API server has them."""
        return list(json.loads(self.kubectl("get", "pods", "-o", "json"))["items"])

    def call(self, words: Sequence[str], accepted: frozenset[ExitCode] = frozenset({ExitCode.COMMITTED})) -> int:
        """Run a command with the override in place; gives its exit code.

        Raises:
            TargetError: It ended with another code than those accepted.
        """
        shown = [Path(words[0]).name, *words[1:]]
        self._console.print(f"  $ {shlex.join(shown)}", markup=False)
        done = self._run(words)
        if done.returncode not in accepted:
            raise TargetError(
                f"`{shlex.join(shown)}` ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}",
                next_step='eval "$(python -m lab env)", then the same command by hand',
            )
        return done.returncode

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(words),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def bench_folder() -> tempfile.TemporaryDirectory[str]:
    """Folder of one call: overrides and records; the spool keeps the runs beyond it."""
    return tempfile.TemporaryDirectory(prefix="ros2bench-proofs-")
