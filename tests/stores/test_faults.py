"""Faults 29 to 35 of a store, each from many seeds: a record ends stored with identical bytes, or on this machine only.

A seed draws the record, the requests that meet with a fault, and whether the fault passes. Whatever happens: what was
acknowledged is in the store, byte for byte; what was not acknowledged ends with exit 5 or 7, a sentence and a next
step, and is complete on this machine; and once the fault is over, the same upload succeeds (or conflicts, where the
store kept other bytes). The unit tier draws a few seeds; `make test-stores` draws the number that counts.
"""

import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from probes.backoff import Backoff
from probes.errors import ExitCode, ProbeError, RecordConflict, StoreUnavailable
from probes.integrity import digest, record_prefix
from probes.journal import Journal
from probes.manifest import SCHEMA
from probes.record import upload
from probes.spool import MANIFEST_FILE, RunFolder
from probes.store import S3Store
from tests.stores.door import METHODS, Door, Fault, Kind, Served, refusal
from tests.stores.opening import PREFIX, open_s3
from tests.stores.strict_store import BUCKET, StrictStore

SEEDS = range(int(os.environ.get("ROS2BENCH_TEST_SEEDS", "4")))
ENOUGH = 20
ALL_REQUESTS = 10_000
RUN_ID = "01a1fe1d-c144-7d62-9047-ae094b6d73df"
PASSING = [
    refusal(500, "InternalError"),
    refusal(503, "SlowDown"),
    refusal(503, "ServiceUnavailable"),
    refusal(429, "TooManyRequestsException"),
    refusal(400, "RequestTimeout"),
    refusal(409, "ConditionalRequestConflict"),
]


class Scene:
    """One seed: a sealed record in a spool, a strict store, and the door before it."""

    def __init__(self, seed: int, root: Path, strict: StrictStore, door: Door, store: S3Store) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - faults, not secrets
        self.strict, self.door, self.store = strict, door, store
        self.folder = RunFolder(root / str(seed) / RUN_ID)
        self.run_id = f"{RUN_ID}-{seed}"
        self.seal({"samples.parquet": self.chance.randbytes(self.chance.choice((0, 1, 999, 1001, 2500)))})

    def seal(self, parts: dict[str, bytes]) -> None:
        """Make a record of some parts."""
        manifest = {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "created_at": "2026-01-31T12:00:00+00:00",
            "pattern": "overlay",
            "parts": [{"name": name, "bytes": len(part), "sha256": digest(part)} for name, part in parts.items()],
        }
        self.prefix = f"/{BUCKET}/{PREFIX}{record_prefix(manifest)}"
        self.sealed = {**parts, MANIFEST_FILE: json.dumps(manifest).encode()}
        self.folder.sealed.mkdir(parents=True, exist_ok=True)
        for name, payload in self.sealed.items():
            (self.folder.sealed / name).write_bytes(payload)

    def upload(self) -> ProbeError | None:
        """Upload as the runner does, and check whatever must hold after it."""
        with Journal(self.folder.path) as journal:
            try:
                upload(self.folder, journal, self.store)
            except (StoreUnavailable, RecordConflict) as problem:
                assert journal.state != "committed"
                self.check_refused(problem)
                return problem
            assert journal.state == "committed"
        self.check_stored()
        return None

    def check_stored(self) -> None:
        """What was acknowledged is there, once and identical."""
        stored = {path: body for path, body in self.strict.objects.items() if path.startswith(self.prefix)}
        assert stored == {self.prefix + name: payload for name, payload in self.sealed.items()}

    def check_refused(self, problem: ProbeError) -> None:
        """What was not acknowledged is complete here, and the user knows what to type."""
        assert problem.exit_code in {ExitCode.STORED_LOCALLY, ExitCode.CONFLICT}
        assert "python -m probes." in problem.next_step
        assert "a-secret" not in str(problem)
        assert {path.name: path.read_bytes() for path in self.folder.sealed.iterdir()} == self.sealed

    def meet(self, draw: Callable[[random.Random], Fault], *, methods: str = METHODS) -> None:
        """Let faults begin at a drawn request and last for a drawn number of requests."""
        count = self.chance.choice((1, 1, 2, 3, 5, ALL_REQUESTS))
        self.door.meet(lambda: draw(self.chance), first=self.chance.randrange(8), count=count, methods=methods)


SceneOf = Callable[[int], Scene]


@pytest.fixture
def scene_of(tmp_path: Path, strict: StrictStore, door: Door, served: Served) -> SceneOf:
    store = open_s3(served.endpoint)

    def make(seed: int) -> Scene:
        door.calm()
        return Scene(seed, tmp_path, strict, door, store)

    return make


def fault_of(*kinds: Kind) -> Callable[[random.Random], Fault]:
    """Draw a fault among some kinds."""
    return lambda chance: Fault(chance.choice(kinds), chance.random(), chance.choice(PASSING))


def outcomes(scene_of: SceneOf, hit: Callable[[Scene], None]) -> tuple[int, int]:
    """Run every seed; gives how many records were stored at once and how many only after the fault had ended."""
    at_once = later = 0
    for seed in SEEDS:
        scene = scene_of(seed)
        hit(scene)
        if scene.upload() is None:
            at_once += 1
            continue
        scene.door.calm()
        assert scene.upload() is None, "what was kept on this machine is stored once the fault is over"
        later += 1
    return at_once, later


def some_of_each(found: tuple[int, int]) -> None:
    """Enough seeds draw faults that pass while the program tries, and faults that do not."""
    assert all(found) or len(SEEDS) < ENOUGH


def test_29_a_store_that_is_down_from_the_start(tmp_path: Path, strict: StrictStore, door: Door) -> None:
    for seed in SEEDS:
        with Served(door) as once:
            port = once.port
        scene = Scene(seed, tmp_path, strict, door, open_s3(f"http://127.0.0.1:{port}"))
        problem = scene.upload()
        assert problem is not None
        assert (problem.reason, problem.exit_code) == ("store_unreachable", ExitCode.STORED_LOCALLY)
        with Served(door, port):
            assert scene.upload() is None


def test_30_connections_that_are_cut(scene_of: SceneOf) -> None:
    cuts = fault_of("close", "cut_request", "lost_answer", "cut_answer")
    some_of_each(outcomes(scene_of, lambda scene: scene.meet(cuts)))


def test_30_a_store_that_falls_silent(scene_of: SceneOf, served: Served) -> None:
    patient = open_s3(served.endpoint, answer_s=0.1)

    def hit(scene: Scene) -> None:
        scene.store, scene.door.silence_s = patient, 0.15
        scene.door.meet(Fault("silence"), first=scene.chance.randrange(5), count=1)

    assert outcomes(scene_of, hit) == (len(SEEDS), 0)


def test_30_an_upload_in_parts_that_is_cut_leaves_nothing_behind(scene_of: SceneOf) -> None:
    for seed in SEEDS:
        scene = scene_of(seed)
        scene.store.check()
        scene.meet(fault_of("close", "cut_request"), methods="PUT")
        if scene.upload() is not None:
            scene.door.calm()
            assert scene.upload() is None
        assert scene.strict.uploads == {}


def test_31_errors_although_it_was_stored(scene_of: SceneOf) -> None:
    some_of_each(outcomes(scene_of, lambda scene: scene.meet(fault_of("refusal_after"))))


def test_31_a_lost_answer_to_who_may_not_read_is_never_called_a_success(scene_of: SceneOf) -> None:
    for seed in SEEDS:
        scene = scene_of(seed)
        scene.store.check()
        scene.strict.writers = {"an-id"}
        scene.meet(fault_of("lost_answer"), methods="PUT")
        problem = scene.upload()
        if problem is not None:
            assert problem.reason in {"not_comparable", "store_unreachable"}
        scene.door.calm()
        scene.strict.writers = set()
        assert scene.upload() is None


@pytest.mark.parametrize("kind", ["dropped", "altered"])
def test_32_a_store_that_lies(scene_of: SceneOf, kind: Kind) -> None:
    found: set[str] = set()
    for seed in SEEDS:
        scene = scene_of(seed)
        scene.store.check()
        scene.meet(fault_of(kind), methods="PUT")
        problem = scene.upload()
        if problem is None:
            continue
        found.add(problem.reason)
        scene.door.calm()
        kept = {path: body for path, body in scene.strict.objects.items() if path.startswith(scene.prefix)}
        is_other = any(scene.sealed[path.removeprefix(scene.prefix)] != body for path, body in kept.items())
        assert isinstance(scene.upload(), RecordConflict) == is_other, "other bytes under the run's name are a conflict"
    # Of an object in parts the store itself finds that one part is not there, or another one.
    named = {"read_back_missing" if kind == "dropped" else "read_back_differs", "store_refused"}
    assert found <= named
    assert found == named or len(SEEDS) < ENOUGH


def test_32_bytes_that_are_damaged_on_the_way(scene_of: SceneOf) -> None:
    damage = fault_of("damaged_request", "damaged_answer", "quietly_damaged_answer")
    some_of_each(outcomes(scene_of, lambda scene: scene.meet(damage)))


@pytest.mark.parametrize("is_same", [True, False], ids=["same record", "other record"])
def test_33_runners_with_the_same_run_id(tmp_path: Path, strict: StrictStore, served: Served, *, is_same: bool) -> None:
    """One commit: the others find their own bytes there, or a conflict."""
    runners = 8
    stores = [open_s3(served.endpoint) for _ in range(runners)]
    with ThreadPoolExecutor(runners) as pool:
        for seed in SEEDS:
            scenes = [
                Scene(seed, tmp_path / f"{seed}-{number}", strict, Door(strict.answer), store)
                for number, store in enumerate(stores)
            ]
            for number, scene in enumerate(scenes):
                if not is_same:
                    scene.seal({"samples.parquet": f"of runner {number}".encode()})
            ended = list(pool.map(_ended, scenes))
            if is_same:
                assert ended == [None] * runners
            else:
                assert ended.count(None) == 1
                assert ended.count(ExitCode.CONFLICT) == runners - 1
                scenes[ended.index(None)].check_stored()


def _ended(scene: Scene) -> int | None:
    with Journal(scene.folder.path) as journal:
        try:
            upload(scene.folder, journal, scene.store)
        except RecordConflict as problem:
            return problem.exit_code
    return None


def test_34_a_storm_that_ends_is_waited_for(scene_of: SceneOf) -> None:
    def hit(scene: Scene) -> None:
        answers = [refusal(503, "SlowDown"), refusal(429, "TooManyRequestsException"), refusal(503, "SlowDownWrite")]
        storm = Fault("refusal", refusal=scene.chance.choice(answers))
        scene.door.meet(storm, first=scene.chance.randrange(5), count=scene.chance.randrange(1, 6))

    assert outcomes(scene_of, hit) == (len(SEEDS), 0)


@pytest.mark.parametrize("asks", ["", "7", "86400"], ids=["no word", "7 s", "a day"])
def test_34_a_storm_that_does_not_end_is_given_up_in_bounded_time(
    tmp_path: Path, strict: StrictStore, door: Door, served: Served, asks: str
) -> None:
    """Waits grow, follow the store's own word, and end."""
    told = {"Retry-After": asks} if asks else {}
    for seed in SEEDS:
        waited: list[float] = []
        chance = random.Random(seed)  # noqa: S311 - waits, not secrets
        backoff = Backoff(sleep=waited.append, clock=lambda waited=waited: sum(waited), chance=chance)
        scene = Scene(seed, tmp_path, strict, door, open_s3(served.endpoint, backoff=backoff))
        before = door.passed
        door.meet(Fault("refusal", refusal=refusal(503, "SlowDown", **told)))
        problem = scene.upload()
        assert problem is not None
        assert problem.exit_code == ExitCode.STORED_LOCALLY
        assert door.passed - before <= backoff.attempts
        assert sum(waited) <= backoff.total_s
        assert all(wait_s >= min(float(asks or 0), backoff.longest_s) for wait_s in waited)
        scene.door.calm()


def test_35_credentials_that_expire(scene_of: SceneOf) -> None:
    """They are read anew once; where they are still the old ones, the record stays here and no key is shown."""
    stored = 0
    for seed in SEEDS:
        scene = scene_of(seed)
        expired = Fault("refusal", refusal=refusal(400, "ExpiredToken", "a-secret of an-id has expired"))
        scene.door.meet(expired, first=scene.chance.randrange(5), count=scene.chance.choice((1, ALL_REQUESTS)))
        problem = scene.upload()
        stored += problem is None
        if problem is not None:
            assert problem.reason == "credentials_refused"
            scene.door.calm()
            assert scene.upload() is None
    some_of_each((stored, len(SEEDS) - stored))


SIMPLE = {
    "a deleted bucket": (refusal(404, "NoSuchBucket"), "bucket_missing"),
    "a full store": (refusal(507, "XMinioStorageFull"), "store_full"),
    "a spent quota": (refusal(403, "QuotaExceeded"), "store_full"),
    "a clock that is wrong": (refusal(403, "RequestTimeTooSkewed"), "clock_skewed"),
    "a bucket elsewhere": (refusal(307, "TemporaryRedirect"), "bucket_elsewhere"),
    "keys taken away": (refusal(403, "InvalidAccessKeyId"), "credentials_refused"),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_what_waiting_does_not_cure_is_said_at_once(scene_of: SceneOf, name: str) -> None:
    answer, reason = SIMPLE[name]
    for seed in SEEDS:
        scene = scene_of(seed)
        first, before = scene.chance.randrange(4), scene.door.passed
        scene.door.meet(Fault("refusal", refusal=answer), first=first)
        problem = scene.upload()
        assert problem is not None
        assert problem.reason == reason
        # Taking an upload in parts back is one more request.
        assert scene.door.passed - before <= first + 2
        scene.door.calm()
        assert scene.upload() is None
