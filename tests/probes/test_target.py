"""What the engine says is understood: locks, outputs, failures; an interruption reaches it and is waited for."""

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.errors import DeployFailed, TargetError, UsageError
from probes.target import EngineCommand, Lock, PulumiTarget, is_stale, parse_lock, parse_outputs
from probes.world import EngineInterrupted
from tests.probes.standins import outputs_of

LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete "
    "the lock file with `pulumi cancel`.\n"
    "  file:///state/.pulumi/locks/organization/ros2bench/monolithic/1.json: "
    "created by root@{host} (pid {pid}) at 2026-01-02T03:04:05Z"
)

ENGINE = """#!/bin/sh
# A stand-in for the engine's command line: answers as its script says.
echo "$*" >> "$CALLS"
case "$1 $2 $3" in
  "version "*) echo v3.259.0 ;;
esac
case "$*" in
  *"stack ls"*) cat "$REPLIES/stacks" ;;
  *"stack output"*) cat "$REPLIES/outputs" ;;
  *" up "*) . "$REPLIES/up" ;;
  *cancel*) rm -f "$REPLIES/locked" ;;
esac
"""


ENDLESS = """
trap 'echo cleaned > "$REPLIES/cleaned"; exit 1' INT
touch "$REPLIES/started"
while :; do sleep 0.05; done
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "pulumi"
    command.write_text(ENGINE)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("REPLIES", str(tmp_path))
    (tmp_path / "stacks").write_text('[{"name": "monolithic", "current": true}, {"name": "overlay", "current": false}]')
    (tmp_path / "outputs").write_text("{}")
    (tmp_path / "up").write_text("exit 0\n")
    return tmp_path


def test_a_lock_is_read_from_the_engines_message() -> None:
    lock = parse_lock(LOCKED.format(host="box", pid=42))
    assert lock == Lock("root", "box", 42, "2026-01-02T03:04:05Z")
    assert parse_lock("error: update failed") is None


def test_only_a_dead_process_of_this_machine_has_a_stale_lock() -> None:
    here = socket.gethostname()
    assert is_stale(Lock("root", here, 2**22 + 1, ""))
    assert not is_stale(Lock("root", here, os.getpid(), ""))
    assert not is_stale(Lock("root", f"not-{here}", 2**22 + 1, ""))


def test_outputs_are_checked_against_the_contract() -> None:
    outputs = outputs_of()
    text = json.dumps({"ros2bench": outputs.model_dump(mode="json", by_alias=True)})
    assert parse_outputs("monolithic", text) == outputs


def test_a_stack_that_is_not_up_says_what_to_type() -> None:
    with pytest.raises(TargetError, match="Stack monolithic is not up") as caught:
        parse_outputs("monolithic", "{}")
    assert caught.value.next_step == "pulumi up -s monolithic"
    assert caught.value.exit_code == 4


def test_outputs_of_another_version_are_named_by_their_key() -> None:
    exported = outputs_of().model_dump(mode="json", by_alias=True) | {"clusterUid": 7}
    with pytest.raises(TargetError, match="clusterUid"):
        parse_outputs("monolithic", json.dumps({"ros2bench": exported}))


def test_the_selected_stack_is_the_default_and_unknown_ones_are_refused(engine: Path) -> None:
    target = PulumiTarget(engine)
    assert target.choose(()) == ("monolithic",)
    assert target.choose(("overlay",)) == ("overlay",)
    with pytest.raises(UsageError, match="no stack 'nope'; stacks that exist: monolithic, overlay"):
        target.choose(("nope",))
    (engine / "stacks").write_text("[]")
    with pytest.raises(UsageError, match="none is selected; stacks that exist: none"):
        target.choose(())
    assert "stack select" not in (engine / "calls").read_text()


def test_a_switch_passes_the_state_by_environment(engine: Path) -> None:
    (engine / "up").write_text('echo "$ROS2BENCH_STATE" > "$REPLIES/state"\n')
    PulumiTarget(engine).switch("monolithic", "parked")
    assert (engine / "state").read_text() == "parked\n"
    call = (engine / "calls").read_text().splitlines()[-1]
    for part in ("up --yes --skip-preview", "--parallel 32", "--stack monolithic"):
        assert part in call


def test_what_was_deleted_is_made_again_in_the_parked_state(engine: Path) -> None:
    (engine / "up").write_text('echo "$ROS2BENCH_STATE" > "$REPLIES/state"\nexit 0\n')
    PulumiTarget().restore("monolithic")
    assert (engine / "state").read_text() == "parked\n"
    assert " up --refresh --yes" in (engine / "calls").read_text()
    (engine / "up").write_text("echo broken >&2\nexit 1\n")
    with pytest.raises(DeployFailed, match="broken"):
        PulumiTarget().restore("monolithic")


def test_a_failed_update_shows_the_engines_diagnostics(engine: Path) -> None:
    (engine / "up").write_text('printf "Updating\\nDiagnostics:\\n  pods is forbidden\\n"; exit 255\n')
    with pytest.raises(DeployFailed, match="pods is forbidden") as caught:
        PulumiTarget(engine).switch("monolithic", "running")
    assert "pulumi up -s monolithic" in caught.value.next_step


def lock_script(pid: int) -> str:
    message = LOCKED.format(host=socket.gethostname(), pid=pid)
    return f"if [ -e \"$REPLIES/locked\" ]; then echo '{message.replace('`', '')}' >&2; exit 255; fi\n"


def test_a_stale_lock_of_our_own_is_removed_and_a_live_one_respected(engine: Path) -> None:
    (engine / "locked").write_text("")
    (engine / "up").write_text(lock_script(2**22 + 1))
    PulumiTarget(engine).switch("monolithic", "running")
    assert "cancel" in (engine / "calls").read_text()
    (engine / "locked").write_text("")
    (engine / "up").write_text(lock_script(os.getpid()))
    with pytest.raises(DeployFailed, match=rf"pid {os.getpid()}") as caught:
        PulumiTarget(engine).switch("monolithic", "running")
    assert caught.value.reason == "stack_locked"
    assert (engine / "locked").exists()


def test_an_interruption_stops_the_engine_and_waits_for_it(engine: Path) -> None:
    (engine / "up").write_text(ENDLESS)
    target, raised = PulumiTarget(engine), list[BaseException]()

    def work() -> None:
        try:
            target.switch("monolithic", "running")
        except EngineInterrupted as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _wait_for((engine / "started").exists)
    target.interrupt()
    assert (engine / "cleaned").read_text() == "cleaned\n"
    thread.join(5)
    assert len(raised) == 1
    target.interrupt()


def test_a_lock_of_an_engine_that_a_signal_ended_is_removed(engine: Path) -> None:
    # The real one has a moment between taking the lock and listening to signals.
    (engine / "up").write_text('touch "$REPLIES/started"\nexec sleep 60\n')
    target = PulumiTarget(engine)

    def work() -> None:
        with pytest.raises(EngineInterrupted):
            target.switch("monolithic", "parked")

    thread = threading.Thread(target=work)
    thread.start()
    _wait_for((engine / "started").exists)
    target.interrupt()
    thread.join(5)
    assert not thread.is_alive()
    assert "cancel --yes --stack monolithic" in (engine / "calls").read_text()


def test_an_interrupted_command_is_told_from_one_that_runs_after_it(engine: Path) -> None:
    """The lock is removed while the thread of the interrupted command has yet to see that it was."""
    (engine / "up").write_text('touch "$REPLIES/started"\nexec sleep 60\n')
    command, unlocked, raised = EngineCommand(), threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            command.run(["up", "--yes"], str(engine), {}, on_error=lambda _: unlocked.wait(5))
        except EngineInterrupted as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _wait_for((engine / "started").exists)
    assert command.interrupt()
    command.run(["cancel"], str(engine), {})
    assert not command.interrupt()
    unlocked.set()
    thread.join(5)
    assert len(raised) == 1


def test_no_engine_on_path_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetError, match="no `pulumi` on PATH") as caught:
        PulumiTarget(tmp_path)
    assert "python -m lab env" in caught.value.next_step


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
