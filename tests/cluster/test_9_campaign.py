"""What was measured is never lost: a campaign is killed and goes on, the store dies during an upload and comes back.

`make test` makes one visit of each cell of two patterns; with ROS2BENCH_TEST_FULL=1 it makes three of all four, which
carry intervals of whatever varies from one repetition to the next.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import UP, Journey

pytestmark = pytest.mark.cluster

FULL = os.environ.get("ROS2BENCH_TEST_FULL") == "1"
PATTERNS = ("monolithic", "microservices", "composition", "overlay") if FULL else ("monolithic", "overlay")
REPETITIONS = 3 if FULL else 1
VISITS = 2 * len(PATTERNS) * REPETITIONS
"""Each stack and its A/A control."""
PLAN = {
    "campaign": "interrupted",
    "stacks": list(PATTERNS),
    "repetitions": REPETITIONS,
    "durations": {"warmupS": 1, "windowS": 4, "drainS": 1, "coolDownS": 0},
}
COMMAND = "python -m probes.campaign interrupted.yaml"
VERDICTS = {"better", "worse", "within noise", "not enough data"}
START_LIMIT_S = 180
STORE_LIMIT_S = 90
STORED_LOCALLY = 5


def until(what: str, holds: Callable[[], bool], limit_s: float) -> None:
    """Wait until something holds, looking ten times a second."""
    deadline_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline_s, f"{what}: not within {limit_s:g} s"
        time.sleep(0.1)


def spool(journey: Journey) -> Path:
    """Where the runs of this user lie."""
    return Path(journey.environment["XDG_DATA_HOME"]) / "ros2bench" / "spool"


def run_folders(journey: Journey) -> list[Path]:
    """Folders of all runs, oldest first: an identifier begins with its time."""
    return sorted(path for path in spool(journey).iterdir() if (path / "journal.jsonl").exists())


def state_of(folder: Path) -> str:
    """The last whole line of a run's journal; a run that has just been made has none."""
    lines = (folder / "journal.jsonl").read_bytes().split(b"\n")[:-1]
    return json.loads(lines[-1])["state"] if lines else ""


def manifests(journey: Journey, campaign: str) -> list[dict[str, Any]]:
    """Manifests of the sealed runs of a campaign on this machine."""
    sealed = [folder / "sealed" / "manifest.json" for folder in run_folders(journey)]
    found = [json.loads(path.read_bytes()) for path in sealed if path.exists()]
    return [one for one in found if (one["cell"] or {}).get("campaign", "").startswith(campaign)]


def begin(journey: Journey, line: str) -> subprocess.Popen[bytes]:
    """Start what a user types in the lab's environment, as a process group of its own."""
    print(f"\n$ {line} &", flush=True)
    return subprocess.Popen(
        ["bash", "-c", f'eval "$(.venv/bin/python -m lab env)"; exec {line}'],
        cwd=journey.checkout,
        env=dict(journey.environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_if_running(process: subprocess.Popen[bytes]) -> None:
    """End a process group whatever became of the test."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def stacks(journey: Journey, four_patterns: None) -> Generator[None]:
    """All patterns of the plan were deployed once, so that their images are present, and are parked."""
    del four_patterns
    names = " ".join(PATTERNS)
    done = journey.type("git checkout -q " + " ".join(f"Pulumi.{name}.yaml" for name in PATTERNS))
    assert done.returncode == 0, done.stderr
    for name in PATTERNS:  # one after the other: all at once find no room on the machines
        done = journey.in_lab(
            f"{UP} -s {name}; kubectl -n ros2bench-{name} wait deployment --all --for condition=Available "
            f"--timeout 120s; ROS2BENCH_STATE=parked {UP} -s {name}"
        )
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    try:
        yield
    finally:
        done = journey.in_lab(f"for one in {names}; do pulumi destroy -s $one --yes --skip-preview; done")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("stacks")
def test_a_campaign_that_is_killed_while_it_measures_ends_with_every_record(journey: Journey) -> None:
    (journey.checkout / "interrupted.yaml").write_text(yaml.safe_dump(PLAN))
    before = set(run_folders(journey))

    def second_is_measuring() -> bool:
        new = [folder for folder in run_folders(journey) if folder not in before]
        return len(new) == 2 and state_of(new[1]) == "measuring"

    process = begin(journey, COMMAND)
    try:
        until("the second visit measures", second_is_measuring, START_LIMIT_S)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        kill_if_running(process)
    first, killed = (folder for folder in run_folders(journey) if folder not in before)
    assert (state_of(first), state_of(killed)) == ("committed", "measuring")

    resumed = journey.in_lab(COMMAND, timeout_s=3600 if FULL else 900)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    assert f"1 of {VISITS} visits are done" in resumed.stderr
    found = manifests(journey, "interrupted")
    complete = [one for one in found if one["state"] == "complete"]
    places = sorted((one["cell"]["name"], one["cell"]["role"], one["cell"]["repetition"]) for one in complete)
    assert places == sorted(
        (name, role, block) for name in PATTERNS for role in ("cell", "control") for block in range(REPETITIONS)
    )
    assert {one["run_id"] for one in found} - {one["run_id"] for one in complete} <= {killed.name}
    assert f"0 of {VISITS} visits to make" in journey.in_lab(f"{COMMAND} --dry-run").stdout
    stored = journey.in_lab(f"python -m probes.verify --store own {' '.join(one['run_id'] for one in found)}")
    assert stored.returncode == 0, stored.stdout + stored.stderr

    compared = journey.in_lab(f"python -m probes.compare {' '.join(PATTERNS)} --all --json > compared.json")
    assert compared.returncode == 0, compared.stderr
    comparison = json.loads((journey.checkout / "compared.json").read_text())
    check_comparison(comparison, {one["run_id"] for one in complete})
    reported = journey.in_lab(f"python -m probes.report {' '.join(PATTERNS)} --output campaign.html")
    assert reported.returncode == 0, reported.stderr
    page = (journey.checkout / "campaign.html").read_text()
    assert [name for name in PATTERNS if name not in page] == []
    assert any(word in page for word in VERDICTS)
    assert all(cell["run_id"] in page for cell in complete if cell["cell"]["role"] == "cell")


def check_comparison(comparison: dict[str, Any], run_ids: set[str]) -> None:
    """Each pattern, all of this campaign: values, intervals, verdicts."""
    assert [one["name"] for one in comparison["contenders"]] == list(PATTERNS)
    assert {run for one in comparison["contenders"] for run in one["run_ids"]} <= run_ids
    assert {one["repetitions"] for one in comparison["contenders"]} == {REPETITIONS}
    rows = {row["key"]: row for row in comparison["rows"]}
    # What is read from content does not vary, so one repetition decides; what varies needs three.
    decided = ["image_bytes_wire", *(["inference_s", "install_s"] if FULL else [])]
    for key in (*decided, "inference_s", "install_s"):
        cells = rows[key]["cells"]
        assert all(cell["estimate"] > 0 and cell["n"] >= 1 for cell in cells), key
        assert {cell["verdict"] for cell in cells[1:]} <= VERDICTS, key
        assert all(cell["interval"] is not None for cell in cells) or key not in decided, key
    assert {cell["verdict"] for cell in rows["image_bytes_wire"]["cells"][1:]} <= VERDICTS - {"not enough data"}


class HubStore:
    """The lab's object store: its process, and the one that would start it again at once."""

    def __init__(self, journey: Journey) -> None:
        """Find both processes."""
        lab = Path(journey.environment["XDG_DATA_HOME"]) / "ros2bench" / "labs" / journey.environment["ROS2BENCH_LAB"]
        self._supervisor = int(json.loads((lab / "machines" / "hub" / "record.json").read_text())["pid"])
        self._endpoint = journey.in_lab('echo "$ROS2BENCH_RECORDS_ENDPOINT"').stdout.strip()
        self._is_held = False

    def freeze(self) -> None:
        """Answer nothing any more; nobody starts it again until `start`."""
        os.kill(self._supervisor, signal.SIGSTOP)
        self._is_held = True
        os.kill(self._process(), signal.SIGSTOP)

    def kill(self) -> None:
        """End it without a word."""
        os.kill(self._process(), signal.SIGKILL)

    def start(self) -> None:
        """Let it be started again."""
        if self._is_held:
            os.kill(self._supervisor, signal.SIGCONT)
            self._is_held = False

    def answers(self) -> bool:
        """Whether it answers at all; without keys it says 403."""
        try:
            with urllib.request.urlopen(self._endpoint, timeout=1):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _process(self) -> int:
        """The child of the supervisor that is the store."""
        found: list[int] = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(parent) == self._supervisor and b"mini" in words:
                found.append(int(folder.name))
        (process,) = found
        return process


@pytest.mark.usefixtures("stacks")
def test_a_store_that_dies_during_an_upload_loses_nothing(journey: Journey) -> None:
    store, before = HubStore(journey), set(run_folders(journey))

    def is_in(*states: str) -> bool:
        new = [folder for folder in run_folders(journey) if folder not in before]
        return len(new) == 1 and state_of(new[0]) in states

    process = begin(
        journey, "python -m probes.run -s monolithic --cycles install --repetitions 1 --duration-s 4 --warmup-s 1"
    )
    try:
        until("the repetition is collected", lambda: is_in("collected"), START_LIMIT_S)
        store.freeze()
        # The upload is under way and gets no answer; then its connection breaks, and nobody listens any more.
        until("the record is sealed", lambda: is_in("sealed"), START_LIMIT_S)
        time.sleep(1)
        assert not is_in("committed")
        store.kill()
        assert process.wait(STORE_LIMIT_S) == STORED_LOCALLY
        (folder,) = set(run_folders(journey)) - before
        sealed = {path.name: path.read_bytes() for path in (folder / "sealed").iterdir()}
        assert json.loads(sealed["manifest.json"])["state"] == "complete"
        waiting = json.loads(journey.in_lab("python -m probes.doctor --json").stdout)
        (said,) = [one for one in waiting["runs"] if one["run_id"] == folder.name]
        assert said["kinds"] == ["waiting"]
        assert said["advice"][0]["next_step"].startswith(f"python -m probes.resume {folder.name}")
    finally:
        store.start()
        kill_if_running(process)
    until("the store answers", store.answers, STORE_LIMIT_S)

    def resumed() -> bool:
        done = journey.in_lab(f"python -m probes.resume {folder.name}")
        assert done.returncode in {0, STORED_LOCALLY}, done.stderr  # it answers before it can be written
        return done.returncode == 0

    until("what waited is stored", resumed, STORE_LIMIT_S)
    assert state_of(folder) == "committed"
    assert {path.name: path.read_bytes() for path in (folder / "sealed").iterdir()} == sealed
    # All that the store was given before it died, too.
    kept = [folder.name, *(one["run_id"] for one in manifests(journey, "interrupted"))]
    verified = journey.in_lab(f"python -m probes.verify --store own {' '.join(kept)}")
    assert verified.returncode == 0, verified.stdout + verified.stderr
