"""A canary: what must stay on the operator's machine is planted everywhere a run looks, and then looked for.

Secrets must be in nothing that is kept, shown or visible to others. Folders of the machine may be in its own spool,
which needs them, and in nothing that leaves it.
"""

import io
import json
import subprocess
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import ExitCode
from probes.plan import Durations
from probes.provenance import PROJECT_ROOT
from probes.records import list_runs, read_manifest, read_table
from probes.registry import RegistryProblem
from probes.session import Request
from probes.spool import Spool, cache_home, data_home
from probes.store_folder import FolderStore
from probes.tables import TABLES
from probes.world import World
from tests.probes.standins import Deployment, StandInCluster, StandInRecorder, StandInTarget, outputs_of

SECRETS = {
    "AWS_ACCESS_KEY_ID": "CANARYaccessKEY",
    "AWS_SECRET_ACCESS_KEY": "canary/secret+key",
    "AWS_SESSION_TOKEN": "canary-session-token",
    "PULUMI_CONFIG_PASSPHRASE": "canary-passphrase",
    "PULUMI_ACCESS_TOKEN": "pul-canary-token",
    "GITHUB_TOKEN": "ghp-canary-token",
    "REGISTRY_PASSWORD": "canary-registry-password",
}
SHORT = Durations(warmup_s=0.02, window_s=0.1, drain_s=0.02, cool_down_s=0.0, ready_timeout_s=5.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, data and cache elsewhere, and secrets in the environment."""
    own = tmp_path / "home" / "canary"
    own.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-canary"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-canary"))
    monkeypatch.setenv("KUBECONFIG", str(own / "kubeconfig"))
    monkeypatch.setenv("ROS2BENCH_IMAGES_LOCK", str(own / "lock.json"))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return own


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The command lines of everything that is started."""
    seen: list[str] = []
    start = subprocess.Popen.__init__

    def noted(self: Any, args: Any, *others: Any, **options: Any) -> None:
        seen.append(repr(args))
        start(self, args, *others, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    yield seen
    assert seen, "nothing was started: the test sees nothing"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Generator[StandInRecorder]:
    monkeypatch.setattr("probes.session.absent_images", no_absent_images)
    for name in ("deploy.POLL_S", "beginning.POLL_S", "beginning.DISCOVERY_POLL_S"):
        monkeypatch.setattr(f"probes.{name}", 0.02)
    monkeypatch.setattr("probes.measurements.images._measure", no_registry)
    with StandInRecorder(Deployment()) as recorder:
        yield recorder


def no_absent_images(_references: list[str]) -> list[str]:
    return []


def no_registry(_references: list[str], _architecture: str) -> Any:
    raise RegistryProblem("registry_unreachable", "no registry")


def spec_of(home: Path) -> dict[str, Any]:
    """What a user may write into a stack file about the own machine."""
    return {
        "pattern": "monolithic",
        "images": {"lock": str(home / "lock.json"), "registryCa": "/opt/canary-keys/ca.crt"},
        "application": {
            "name": "perception",
            "nodes": {
                "camera": {
                    "files": {"/etc/camera.yaml": {"source": str(PROJECT_ROOT / "camera.yaml"), "text": None}},
                    "parametersFile": "/srv/canary-parameters/camera.yaml",
                    "executable": ["ros2bench-node", "camera"],
                    "secrets": {"TOKEN": {"config": "camera-token"}},
                }
            },
        },
        "notes": [f"made in {PROJECT_ROOT} by {home}", str(data_home() / "labs"), str(cache_home())],
    }


def run(tmp_path: Path, home: Path, recorder: StandInRecorder, **changes: Any) -> tuple[ExitCode, str]:
    """Run a campaign of one repetition; gives its exit code and all that it showed."""
    shown = io.StringIO()
    console = Console(file=shown, width=300)
    cluster = StandInCluster(recorder.application, recorder)

    @asynccontextmanager
    async def connect() -> AsyncGenerator[StandInCluster]:
        yield cluster

    target = StandInTarget(recorder.application, {"monolithic": outputs_of(spec=spec_of(home))})
    store = FolderStore(tmp_path / "store")
    world = World(target, connect, Spool(), lambda _option, _records: store, Screen(progress=console, result=console))
    request: dict[str, Any] = {
        "stacks": (),
        "repetitions": 1,
        "cycles": "install",
        "durations": SHORT,
        "seed": 1,
        "store": None,
    }
    return run_campaign(Request(**(request | changes)), world), shown.getvalue()


def texts_below(folder: Path) -> dict[str, str]:
    """Everything that is in a folder's files, tables decoded: compression would hide a text."""
    found: dict[str, str] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            said = path.read_bytes().decode(errors="replace")
            if path.suffix == ".parquet":
                said += json.dumps(pl.read_parquet(path).to_dicts(), default=str)
            found[str(path.relative_to(folder))] = said
    return found


def test_secrets_are_in_nothing_and_folders_in_nothing_that_leaves_the_machine(
    tmp_path: Path, home: Path, arguments: list[str], recorder: StandInRecorder
) -> None:
    code, shown = run(tmp_path, home, recorder)
    assert code == ExitCode.COMMITTED, shown
    spool, stored = texts_below(data_home() / "spool"), texts_below(tmp_path / "store")
    assert any(name.endswith("journal.jsonl") for name in spool)
    assert sum(name.endswith(".parquet") for name in stored) == 6
    everything = {**spool, **stored, "shown": shown, "arguments": "\n".join(arguments)}
    assert [(name, secret) for name, said in everything.items() for secret in SECRETS.values() if secret in said] == []
    places = [str(tmp_path), str(PROJECT_ROOT), "/opt/canary", "/srv/canary", "home/canary", "data-canary", "cache-can"]
    assert [(name, place) for name, said in stored.items() for place in places if place in said] == []


def test_what_replaces_a_folder_still_says_which(
    tmp_path: Path, home: Path, arguments: list[str], recorder: StandInRecorder
) -> None:
    run(tmp_path, home, recorder)
    store = FolderStore(tmp_path / "store")
    (record,) = list_runs(store)
    assert {name: read_table(store, record, name).columns for name in TABLES} == {
        name: list(columns) for name, columns in TABLES.items()
    }
    spec = read_manifest(store, record)["spec"]
    assert spec["images"] == {"lock": "lock.json", "registryCa": "ca.crt"}
    camera = spec["application"]["nodes"]["camera"]
    assert camera["parametersFile"] == "camera.yaml"
    assert camera["files"] == {"/etc/camera.yaml": {"source": "camera.yaml", "text": None}}
    assert spec["notes"] == ["made in . by ~", "$XDG_DATA_HOME/ros2bench/labs", "$XDG_CACHE_HOME/ros2bench"]


def test_a_run_that_fails_says_no_more(
    tmp_path: Path, home: Path, arguments: list[str], recorder: StandInRecorder
) -> None:
    recorder.application.silent = True
    code, shown = run(tmp_path, home, recorder, durations=Durations(0.02, 0.1, 0.02, 0.0, 0.3))
    assert code == ExitCode.TARGET
    everything = {**texts_below(data_home() / "spool"), "shown": shown, "arguments": "\n".join(arguments)}
    sealed = {name: said for name, said in everything.items() if "/sealed/" in name}
    assert sealed
    assert [(name, secret) for name, said in everything.items() for secret in SECRETS.values() if secret in said] == []
    assert [name for name, said in sealed.items() if str(tmp_path) in said] == []
