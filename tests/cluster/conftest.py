"""A lab of the tests' own: a copy of the tree, data of its own, the tools' cache shared with everybody."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LAB = "journey"
UP = "pulumi up --yes --skip-preview --suppress-outputs"
DATA_MARK = f"ros2bench-journey-{os.getpid()}"

RECORD = re.compile(r"s3://ros2bench/(runs/\S+/manifest\.json)")
FETCH = """
import json, os, sys, boto3
s3 = boto3.client("s3", endpoint_url=os.environ["ROS2BENCH_RECORDS_ENDPOINT"])
print(s3.get_object(Bucket="ros2bench", Key=sys.argv[1])["Body"].read().decode())
"""


@dataclass(frozen=True)
class Journey:
    """A user's shell: a checkout, an environment, and the words that the user types."""

    checkout: Path
    environment: Mapping[str, str]

    def type(self, line: str, *, timeout_s: float = 900, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a line in bash as a user would type it; output is shown and returned."""
        print(f"\n$ {line}", flush=True)
        began = time.monotonic()
        with subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail; {line}"],
            cwd=self.checkout,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as shell:
            try:
                output = shell.communicate(timeout=timeout_s)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                interrupted(shell)
                raise
        done = subprocess.CompletedProcess(line, shell.returncode, *output)
        print(
            done.stdout[-6000:],
            done.stderr[-6000:],
            f"[{done.returncode}] {time.monotonic() - began:.1f} s",
            flush=True,
        )
        return done

    def in_lab(self, line: str, *, timeout_s: float = 900, **more: str) -> subprocess.CompletedProcess[str]:
        """The same after `eval "$(python -m lab env)"`, as the README says; what that prints is kept while it holds."""
        data = Path(self.environment["XDG_DATA_HOME"])
        files = [data / "ros2bench" / "labs" / LAB / name for name in ("cluster.json", "platform-images.json")]
        state = "-".join(str(file.stat().st_mtime_ns) for file in files if file.exists())
        kept = data / f"lab-{state}.env"
        if not kept.exists():
            said = self.type(".venv/bin/python -m lab env")
            if said.returncode != 0:  # there is no lab yet, and so nothing in it
                return said
            kept.write_text(said.stdout)
        return self.type(f"eval \"$(cat '{kept}')\"; {line}", timeout_s=timeout_s, **more)

    def kubectl(self, words: str) -> str:
        """Return what kubectl prints."""
        done = self.in_lab(f"kubectl {words}")
        assert done.returncode == 0, done.stderr
        return done.stdout


def interrupted(shell: subprocess.Popen[str]) -> None:
    """End a shell with all that it started as Ctrl-C does, so that Pulumi gives back its lock; then without asking."""
    for sign, limit_s in ((signal.SIGINT, 30), (signal.SIGKILL, 5)):
        try:
            os.killpg(shell.pid, sign)
            shell.communicate(timeout=limit_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def copy_of_the_tree(target: Path) -> None:
    """Copy tracked files and new ones that git does not ignore; the Python environment is linked."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.split("\0"):
        if name and (PROJECT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "copy"],
    ):
        subprocess.run(["git", *command], cwd=target, check=True)
    (target / ".venv").symlink_to(Path(sys.prefix))


def host_state() -> dict[str, object]:
    """What a lab must leave as it found it, read from the kernel."""
    spaces: set[str] = set()
    for kind in ("net", "mnt", "pid", "uts", "ipc"):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                spaces.add(str((process / "ns" / kind).readlink()))
            except OSError:
                continue
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, check=True).stdout)
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    settings = [
        "net/ipv4/ip_forward",
        "vm/overcommit_memory",
        "kernel/panic",
        "kernel/panic_on_oops",
        "net/core/rmem_max",
    ]
    return {
        "namespaces": spaces,
        "links": {link["ifname"] for link in links},
        "routes": {line for line in routes.splitlines() if "r2b-" in line},
        "rules": {line for line in rules.splitlines() if not line.startswith(("#", ":"))},
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "cgroups": {str(p) for p in Path("/sys/fs/cgroup").glob("*/ros2bench*")}
        | {str(p) for p in Path("/sys/fs/cgroup").glob("ros2bench*")},
        "settings": {key: (Path("/proc/sys") / key).read_text() for key in settings},
        "run": {p.name for p in Path("/run").iterdir()},
        "temporary": {p.name for p in Path("/var/tmp").iterdir()} - {DATA_MARK},  # noqa: S108
        "processes": {
            p.name for p in Path("/proc").glob("[0-9]*") if DATA_MARK.encode() in read_or_empty(p / "cmdline")
        },
    }


def read_or_empty(file: Path) -> bytes:
    """Read a file of a process that may have ended."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def assert_as_before(before: dict[str, object], timeout_s: float = 10) -> None:
    """Compare the host with an earlier state; namespaces end a moment after their last process."""
    deadline = time.monotonic() + timeout_s
    while True:
        now = host_state()
        left = {
            key: value - before[key] if isinstance(value, set) else value  # type: ignore[operator]
            for key, value in now.items()
            if (value - before[key] if isinstance(value, set) else value != before[key])  # type: ignore[operator]
        }
        if not left:
            return
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Generator[Journey]:
    """Yield a user's shell with a fresh checkout and fresh data; whatever happens, the lab is taken down in the end."""
    assert os.geteuid() == 0, "The cluster tier needs root: run `make test-cluster` as root."
    home = Path("/var/tmp") / DATA_MARK  # noqa: S108
    checkout = tmp_path_factory.mktemp("checkout") / "ros2bench"
    checkout.mkdir()
    copy_of_the_tree(checkout)
    dropped = re.compile(r"(AWS_(?!CA_BUNDLE)|PULUMI_|ROS2BENCH_|KUBECONFIG|VIRTUAL_ENV)")
    kept = {key: value for key, value in os.environ.items() if not dropped.match(key)}
    environment = {**kept, "XDG_DATA_HOME": str(home), "ROS2BENCH_LAB": LAB, "NO_COLOR": "1", "COLUMNS": "160"}
    one = Journey(checkout, environment)
    try:
        yield one
    finally:
        one.type("test -x .venv/bin/python && .venv/bin/python -m lab down --purge")
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def before(journey: Journey) -> dict[str, object]:
    """The host before the tests' lab existed."""
    return host_state()


@pytest.fixture(scope="session")
def chance() -> random.Random:
    """Random moments, from a seed that is shown so that a failure can be repeated."""
    seed = int(os.environ.get("ROS2BENCH_TEST_SEED") or random.SystemRandom().randrange(2**32))
    print(f"ROS2BENCH_TEST_SEED={seed}")
    return random.Random(seed)  # noqa: S311


def manifest(journey: Journey, output: str) -> dict[str, Any]:
    """Read the manifest whose address the runner printed, from the store."""
    found = RECORD.search(output)
    assert found, "the record's address is printed"
    (journey.checkout / "fetch.py").write_text(FETCH)
    done = journey.in_lab(f"python fetch.py {found[1]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def demo(journey: Journey, before: dict[str, object]) -> dict[str, Any]:
    """`make demo`, once for all tests; returns the record's manifest."""
    del before
    done = journey.type("make demo", timeout_s=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    return manifest(journey, done.stdout + done.stderr)


@dataclass(frozen=True)
class Room:
    """A lab in which each file of tests brings its own stacks, and those that files to come use, too."""

    journey: Journey
    shared: set[str] = field(default_factory=set[str])

    def clear(self) -> None:
        """Remove every other stack, one whose update was killed as well."""
        listed = self.journey.in_lab("pulumi stack ls --json")
        assert listed.returncode == 0, listed.stderr
        for stack in json.loads(listed.stdout):
            if stack.get("resourceCount") and stack["name"] not in self.shared:
                # Fails where no update was killed: then there is no lock.
                self.journey.in_lab(f"pulumi cancel --yes {stack['name']}")
                destroyed = self.journey.in_lab(f"pulumi destroy -s {stack['name']} --yes --skip-preview")
                assert destroyed.returncode == 0, destroyed.stderr


ROOM = pytest.StashKey[Room]()
"""Unset while all tests use the demo's stack."""


@pytest.fixture(scope="module", autouse=True)
def room_for_the_next(request: pytest.FixtureRequest) -> Generator[None]:
    """Remove the stacks that a file of tests left because one failed: two machines have no room for another's."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed and (room := request.config.stash.get(ROOM, None)):
        room.clear()


@pytest.fixture(scope="session")
def four_patterns(journey: Journey, demo: dict[str, Any], pytestconfig: pytest.Config) -> None:
    """The demo's stack is gone, and the registry holds the images of every pattern and example."""
    del demo
    pytestconfig.stash[ROOM] = Room(journey)
    done = journey.in_lab("pulumi destroy -s monolithic --yes --skip-preview")
    assert done.returncode == 0, done.stderr
    done = journey.type(".venv/bin/python -m lab up --images all", timeout_s=1800)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def observed(journey: Journey, four_patterns: None, pytestconfig: pytest.Config) -> Any:
    """The platform with Prometheus and its exporters, once for the tests that only watch it."""
    # What asks a platform needs a Journey, which is defined here.
    from tests.cluster.observed import EXPERIMENTS, Platform, destroyed, provided, up  # noqa: PLC0415

    del four_patterns
    destroyed(journey, *EXPERIMENTS)
    provided(journey, "builtin")
    up(journey, "platform")
    pytestconfig.stash[ROOM].shared.add("platform")
    return Platform(journey)
