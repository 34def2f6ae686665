"""The entry point: overlays, and names that become addresses before anything starts."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

BIN = Path(__file__).parents[2] / "images" / "bin"
SHOW = 'printf "%s\\n" "$ROS_STATIC_PEERS" "$ROS_DISCOVERY_SERVER"'


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("with_addresses", BIN / "with_addresses.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


program = load()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "entrypoint", *command],
        env={"PATH": os.environ["PATH"], "ROS_STATIC_PEERS": "", "ROS_DISCOVERY_SERVER": ""} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_without_names_the_command_is_all_that_runs() -> None:
    addresses = {"ROS_STATIC_PEERS": "10.0.0.1;10.0.0.2", "ROS_DISCOVERY_SERVER": "10.0.0.3:11811"}
    # With an empty PATH there is no Python that could have been started.
    done = run("/bin/sh", "-c", SHOW, **addresses, PATH="/nonexistent")
    assert done.stdout.splitlines() == ["10.0.0.1;10.0.0.2", "10.0.0.3:11811"]
    assert run("/bin/sh", "-c", "exit 7").returncode == 7


def test_names_become_addresses() -> None:
    done = run("/bin/sh", "-c", SHOW, ROS_STATIC_PEERS="localhost;10.0.0.2", ROS_DISCOVERY_SERVER=";localhost:11811")
    assert done.stdout.splitlines() == ["127.0.0.1;10.0.0.2", ";127.0.0.1:11811"]


def test_an_unknown_name_ends_with_a_sentence_that_names_it() -> None:
    done = run("true", ROS_STATIC_PEERS="localhost;no-such-pod.invalid", ROS2BENCH_NAME_LIMIT_S="0")
    assert done.returncode == 3
    assert "unknown names after 0 s: no-such-pod.invalid (in ROS_STATIC_PEERS)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_optional_peers_are_added_where_they_are_known_and_never_waited_for() -> None:
    optional = {"ROS2BENCH_OPTIONAL_PEERS": "no-such-pod.invalid;localhost", "ROS_STATIC_PEERS": "10.0.0.9"}
    assert run("/bin/sh", "-c", SHOW, **optional).stdout.splitlines()[0] == "10.0.0.9;127.0.0.1"
    none_known = run("/bin/sh", "-c", SHOW, ROS2BENCH_OPTIONAL_PEERS="no-such-pod.invalid")
    assert (none_known.returncode, none_known.stdout.splitlines()[0]) == (0, "")


def test_a_wrong_limit_and_a_missing_command_are_sentences() -> None:
    done = run("true", ROS_STATIC_PEERS="localhost", ROS2BENCH_NAME_LIMIT_S="soon")
    assert (done.returncode, "ROS2BENCH_NAME_LIMIT_S is 'soon'" in done.stderr) == (2, True)
    done = run("/no/such/program", ROS_STATIC_PEERS="localhost")
    assert (done.returncode, "/no/such/program cannot be started" in done.stderr) == (127, True)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (proc(5), SigCgt)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (mask,) = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")]
    return bool(mask >> (number - 1) & 1)


def test_a_stop_while_waiting_is_obeyed_at_once() -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-I", "-S", BIN / "with_addresses.py", "true"],
        env={"PATH": os.environ["PATH"], "ROS_STATIC_PEERS": "no-such-pod.invalid"},
    )
    while not catches(waiting.pid, signal.SIGTERM):
        time.sleep(0.01)
    begun_s = time.monotonic()
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(5) == 128 + signal.SIGTERM
    assert time.monotonic() - begun_s < 1


def test_unknown_names_are_asked_for_in_the_cluster_first_and_then_elsewhere_too() -> None:
    asked: list[tuple[float, str, bool]] = []
    now_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    def ask(name: str, elsewhere: bool) -> str | None:
        asked.append((now_s, name, elsewhere))
        known_now = {"early": "10.0.0.1", "late": "10.0.0.2" if now_s >= 0.5 else None}
        return known_now.get(name, "192.0.2.1" if elsewhere and name == "robot" else None)

    known = program.resolve(["early", "late"], 120.0, ask, lambda: now_s, sleep)
    assert known == {"early": "10.0.0.1", "late": "10.0.0.2"}
    assert asked == [(0.0, "early", False), (0.0, "late", False), (0.25, "late", False), (0.5, "late", False)]

    began_s = now_s
    known = program.resolve(["robot"], 120.0, ask, lambda: now_s, sleep)
    assert (known, now_s - began_s) == ({"robot": "192.0.2.1"}, 3.0)

    began_s = now_s
    known = program.resolve(["early", "never"], 5.0, ask, lambda: now_s, sleep)
    assert (known, now_s - began_s) == ({"early": "10.0.0.1"}, 5.0)


@pytest.mark.parametrize(
    ("value", "names", "replaced"),
    [
        ("camera;detector", ["camera", "detector"], "1.1.1.1;1.1.1.1"),
        ("ros2bench-discovery:11811", ["ros2bench-discovery"], "1.1.1.1:11811"),
        ("a.b.svc.cluster.local:11811;;10.0.0.9:11812", ["a.b.svc.cluster.local"], "1.1.1.1:11811;;10.0.0.9:11812"),
        ("[::1]:11811;TCPv4:[10.0.0.1]:42100", [], "[::1]:11811;TCPv4:[10.0.0.1]:42100"),
        ("camera; camera", ["camera"], "1.1.1.1;1.1.1.1"),
        ("", [], ""),
    ],
)
def test_lists_are_read_and_written_entry_by_entry(value: str, names: list[str], replaced: str) -> None:
    assert program.names_in([value]) == names
    assert program.with_addresses(value, dict.fromkeys(names, "1.1.1.1")) == replaced


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True), min_size=1, max_size=8))
def test_any_service_names_leave_only_addresses(names: list[str]) -> None:
    value = ";".join(names)
    assert program.names_in([value]) == list(dict.fromkeys(names))
    assert program.with_addresses(value, dict.fromkeys(names, "10.1.2.3")) == ";".join(["10.1.2.3"] * len(names))


def test_a_short_name_is_asked_for_as_a_service_of_the_cluster_first() -> None:
    file = "nameserver 10.96.0.10\nsearch robots.svc.cluster.local svc.cluster.local cluster.local example.org\n"
    assert program.candidates("discovery", file) == ["discovery.robots.svc.cluster.local.", "discovery"]
    assert program.candidates("discovery", file, elsewhere=False) == ["discovery.robots.svc.cluster.local."]
    assert program.candidates("robot.example.org", file, elsewhere=False) == ["robot.example.org"]
    assert program.candidates("robot.example.org", file) == ["robot.example.org"]
    assert program.candidates("robot", "nameserver 192.0.2.1\n") == ["robot"]


def test_the_settings_of_the_resolver_are_not_those_of_the_command() -> None:
    done = run("sh", "-c", f'{SHOW}; echo "${{RES_OPTIONS:-none}}"', ROS_STATIC_PEERS="localhost")
    assert done.stdout.split() == ["127.0.0.1", "none"]
    done = run("sh", "-c", 'echo "$RES_OPTIONS"', ROS_STATIC_PEERS="localhost", RES_OPTIONS="timeout:7")
    assert done.stdout.split() == ["timeout:7"]
