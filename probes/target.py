"""The only file that talks to the Pulumi engine: which stacks there are, what they export, switching their state.

Through the Automation API's workspace and command, not through its `Stack`: selecting a stack would change which one
the user's shell has selected, and `Stack.up` asks for outputs and history again after each update.
"""

import copy
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
from pulumi import automation
from pulumi.automation.errors import CommandError

from probes.errors import DeployFailed, TargetError, UsageError
from probes.provenance import PROJECT_ROOT
from probes.world import EngineInterrupted, TargetState
from stacks.outputs import OUTPUT_NAME, StackOutputs
from stacks.temporary_files import private_environment

PARALLEL = 32
GRACE_S = 60.0
OVERRIDE_VARIABLE, OVERRIDE_SEPARATOR = "ROS2BENCH_SPEC_OVERRIDE", ":"
ENVIRONMENT_HINT = 'eval "$(python -m lab env)" (or set the PULUMI_* variables of your own backend)'


@dataclass(frozen=True)
class Lock:
    """Who holds the lock of a stack, as the engine prints it."""

    user: str
    host: str
    pid: int
    since: str


def parse_lock(text: str) -> Lock | None:
    """Read the holder of a stack's lock from the engine's message; None where the message is about something else."""
    found = re.search(r"created by (\S+?)@(\S+) \(pid (\d+)\) at (\S+)", text)
    if "locked by" not in text or found is None:
        return None
    return Lock(found[1], found[2], int(found[3]), found[4])


def is_stale(lock: Lock) -> bool:
    """Tell whether the lock's process has ended; only a process of this machine can be judged."""
    return lock.host == socket.gethostname() and not Path(f"/proc/{lock.pid}").exists()


class EngineCommand(automation.PulumiCommand):
    """The Pulumi command in a process group of its own, so that Ctrl-C reaches it once, from us, and is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._running: subprocess.Popen[str] | None = None
        self._interrupted: subprocess.Popen[str] | None = None
        self._guard = threading.Lock()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        """Run one command to its end.

        Raises:
            CommandError: It ended with another code than 0.
            EngineInterrupted: It was interrupted.
        """
        with self._guard:
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**private_environment(), **additional_env, "PULUMI_AUTOMATION_API": "true"},
                encoding="utf-8",
                start_new_session=True,
            )
            self._running = process
        try:
            output, problem = process.communicate()
        finally:
            with self._guard:
                # Another command may run meanwhile: the one that removes the lock of an interrupted one.
                if self._running is process:
                    self._running = None
        if on_output:
            on_output(output)
        if on_error:
            on_error(problem)
        if self._interrupted is process:
            raise EngineInterrupted
        result = automation.CommandResult(output, problem, process.returncode)
        if process.returncode:
            raise automation.errors.create_command_error(result)
        return result

    def interrupt(self) -> bool:
        """Ask a running command to stop, politely, then firmly; `run` raises in its own thread.

        Returns:
            Whether a signal ended it, so that it could not clean up after itself: one that does not end in time is
            killed, and one that has just taken a lock does not listen to signals yet.
        """
        with self._guard:
            process = self._running
            if process is None:
                return False
            self._interrupted = process
        for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            process.send_signal(sent)
            try:
                process.wait(GRACE_S if sent == signal.SIGINT else GRACE_S / 6)
            except subprocess.TimeoutExpired:
                continue
            return process.returncode < 0
        return True


class PulumiTarget:
    """The stacks of this project, as the backend of the environment holds them."""

    def __init__(self, root: Path = PROJECT_ROOT) -> None:
        self._root = root
        self._overrides: tuple[Path, ...] = ()
        self._switching: str | None = None
        try:
            self._command = EngineCommand()
        except FileNotFoundError:
            raise TargetError(
                "There is no `pulumi` on PATH.", next_step=ENVIRONMENT_HINT, reason="pulumi_not_found"
            ) from None
        except (subprocess.CalledProcessError, automation.InvalidVersionError) as error:
            raise TargetError(f"`pulumi version` failed: {error}", next_step=ENVIRONMENT_HINT) from None
        self._workspace = automation.LocalWorkspace(work_dir=str(root), pulumi_command=self._command)

    def stacks(self) -> list[automation.StackSummary]:
        """List the stacks of the project.

        Raises:
            TargetError: The backend cannot be read.
        """
        try:
            return self._workspace.list_stacks()
        except CommandError as error:
            raise TargetError(
                f"`pulumi stack ls` in {self._root.name}/ failed: {_last_lines(str(error))}",
                next_step=ENVIRONMENT_HINT,
                reason="backend_unreadable",
            ) from None

    def choose(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Check the names that a user gave, or give the selected stack where there are none.

        Raises:
            UsageError: A stack does not exist, or none is named and none is selected.
        """
        known = self.stacks()
        existing = ", ".join(sorted(stack.name for stack in known)) or "none"
        unknown = [name for name in names if name not in {stack.name for stack in known}]
        if unknown:
            raise UsageError(
                f"There is no stack {', '.join(map(repr, unknown))}; stacks that exist: {existing}.",
                next_step=f"name one of them with -s, or: pulumi stack init {unknown[0]}",
            )
        selected = tuple(stack.name for stack in known if stack.current)
        if not names and not selected:
            raise UsageError(
                f"No stack is named and none is selected; stacks that exist: {existing}.",
                next_step="python -m probes.run -s NAME",
            )
        return names or selected

    def outputs(self, stack: str) -> StackOutputs:
        """Read the contract of a stack.

        Raises:
            TargetError: The stack was never deployed, or exports something else than this version reads.
        """
        try:
            result = self._command.run(["stack", "output", "--json", "--stack", stack], str(self._root), {})
        except CommandError as error:
            raise TargetError(
                f"`pulumi stack output` of {stack} failed: {_last_lines(str(error))}",
                next_step=ENVIRONMENT_HINT,
                reason="backend_unreadable",
            ) from None
        return parse_outputs(stack, result.stdout)

    def switch(self, stack: str, state: TargetState) -> None:
        """Bring a stack to a state by `pulumi up` and return when the engine has ended. Blocks; see `interrupt`.

        A lock that a killed process of this machine left behind is removed; any other lock is respected.

        Raises:
            DeployFailed: The update failed, or somebody else holds the stack's lock.
            EngineInterrupted: `interrupt` was called.
        """
        try:
            self._up(stack, state)
        except CommandError as error:
            lock = parse_lock(str(error))
            if lock is None:
                raise _deploy_failed(stack, state, str(error)) from None
            if not is_stale(lock):
                raise DeployFailed(
                    f"Stack {stack} is locked by {lock.user}@{lock.host} (pid {lock.pid}, since {lock.since}), "
                    "which may still work on it.",
                    next_step=f"wait for it; if that process is gone: pulumi cancel -s {stack}",
                    reason="stack_locked",
                ) from None
            self.unlock(stack)
            try:
                self._up(stack, state)
            except CommandError as second:
                raise _deploy_failed(stack, state, str(second)) from None

    def restore(self, stack: str) -> None:
        """Make what a parked stack should have and the cluster has no more. Blocks; see `interrupt`.

        Raises:
            DeployFailed: The update failed.
            EngineInterrupted: `interrupt` was called.
        """
        try:
            self._up(stack, "parked", "--refresh")
        except CommandError as error:
            raise _deploy_failed(stack, "parked", str(error)) from None

    def preview(self, stack: str) -> str:
        """Say as JSON what bringing a stack to running would change. Blocks; see `interrupt`.

        Raises:
            TargetError: The preview failed.
            EngineInterrupted: `interrupt` was called.
        """
        arguments = ["preview", "--json", "--color", "never", "--stack", stack]
        try:
            return self._command.run(arguments, str(self._root), self._environment("running")).stdout
        except CommandError as error:
            raise TargetError(
                f"`pulumi preview` of stack {stack} failed:\n{_last_lines(str(error))}",
                next_step=f"pulumi preview -s {stack}",
                reason="preview_failed",
            ) from None

    def overriding(self, files: tuple[Path, ...]) -> "PulumiTarget":
        """Give the same stacks, with keys of their spec replaced by those of files; where two differ, the last holds.

        Raises:
            UsageError: A path holds what separates paths from one another.
        """
        if unfit := [str(file) for file in files if OVERRIDE_SEPARATOR in str(file)]:
            raise UsageError(
                f"The path {unfit[0]!r} of a spec override holds {OVERRIDE_SEPARATOR!r}, which separates paths in "
                f"{OVERRIDE_VARIABLE}.",
                next_step="move the file, or set XDG_DATA_HOME to a folder without it",
            )
        other = copy.copy(self)
        other._overrides = (*self._overrides, *(file.absolute() for file in files))  # noqa: SLF001 - its own kind
        return other

    def interrupt(self) -> None:
        """Stop a running `switch`; returns when the engine has ended and its lock is gone."""
        stack = self._switching
        if self._command.interrupt() and stack is not None:
            self.unlock(stack)

    def unlock(self, stack: str) -> None:
        """Remove the lock that our own killed update left behind."""
        try:
            self._command.run(["cancel", "--yes", "--stack", stack], str(self._root), {})
        except CommandError as error:
            raise DeployFailed(
                f"The stale lock of stack {stack} cannot be removed: {_last_lines(str(error))}",
                next_step=f"pulumi cancel -s {stack}",
                reason="stack_locked",
            ) from None

    def _up(self, stack: str, state: TargetState, *options: str) -> None:
        arguments = ["up", *options, "--yes", "--skip-preview", "--parallel", str(PARALLEL), "--color", "never"]
        arguments += ["--suppress-outputs", "--stack", stack]
        self._switching = stack
        self._command.run(arguments, str(self._root), self._environment(state))

    def _environment(self, state: TargetState) -> dict[str, str]:
        """What a stack reads beside its file: the state, and the overrides of the user's shell and of this object."""
        variables = {"ROS2BENCH_STATE": state}
        if self._overrides:
            own = OVERRIDE_SEPARATOR.join(map(str, self._overrides))
            inherited = os.environ.get(OVERRIDE_VARIABLE)
            variables[OVERRIDE_VARIABLE] = f"{inherited}{OVERRIDE_SEPARATOR}{own}" if inherited else own
        return variables


def parse_outputs(stack: str, text: str) -> StackOutputs:
    """Check what a stack exports against the contract.

    Raises:
        TargetError: The output is absent (not deployed) or does not fit.
    """
    exported = json.loads(text or "{}")
    if OUTPUT_NAME not in exported:
        raise TargetError(
            f"Stack {stack} is not up: it has no output {OUTPUT_NAME!r} yet.",
            next_step=f"pulumi up -s {stack}",
            reason="stack_not_up",
        )
    try:
        return StackOutputs.model_validate_json(json.dumps(exported[OUTPUT_NAME]))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise TargetError(
            f"The output {OUTPUT_NAME!r} of stack {stack} does not fit this version of the probes: "
            f"{where}: {first['msg']} ({error.error_count()} in all).",
            next_step=f"deploy it with this checkout: pulumi up -s {stack}",
            reason="contract_mismatch",
        ) from None


def _deploy_failed(stack: str, state: TargetState, text: str) -> DeployFailed:
    return DeployFailed(
        f"`pulumi up` of stack {stack} to {state} failed:\n{_last_lines(text)}",
        next_step=f"ROS2BENCH_STATE={state} pulumi up -s {stack}",
    )


def _last_lines(text: str, count: int = 15) -> str:
    """Give the part of a failed command's output that says why: its diagnostics, else its end."""
    plain = re.sub(r"^ (code: \d+|stdout: ?|stderr: ?)", "", text, flags=re.MULTILINE)
    lines = [line.rstrip() for line in plain.splitlines() if line.strip()]
    start = next((index for index, line in enumerate(lines) if line.startswith("Diagnostics:")), None)
    if start is not None:
        return "\n".join(lines[start : start + count])
    return "\n".join(lines[-count:])
