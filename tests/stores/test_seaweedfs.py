"""The same promises from real SeaweedFS, one process and distributed; a volume server's death loses nothing."""

import random
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from benchmarks.seaweedfs import BUCKET, SeaweedFS, distributed, single
from probes.backoff import Backoff
from probes.errors import ExitCode, StoreUnavailable
from probes.integrity import record_prefix
from probes.resume import needs_resuming, resume_run
from probes.spool import Spool
from probes.store import S3Store
from stacks.outputs import Records
from tests.probes.records_at_hand import sample_files, sample_manifest, sealed
from tests.stores.door import Door, Fault, Kind, Served, forwarded_to, refusal
from tests.stores.opening import impatient
from tests.stores.suite import OpenStore, each_promise

pytestmark = pytest.mark.store
PART_BYTES = 5 * 1024**2
LARGE = random.Random(1).randbytes(2 * PART_BYTES + 12_345)  # noqa: S311 - content, not a secret
SEEDS = range(20)
OBJECTS = 60
RECOVERY_S = 60
SPARE_S = 5
"""For a machine that is busy."""


@pytest.fixture(scope="module", params=[single, distributed], ids=["single", "distributed"])
def weed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[SeaweedFS]:
    make: Callable[[Path], SeaweedFS] = request.param
    with make(tmp_path_factory.mktemp("weed")) as one:
        yield one


def act_as(monkeypatch: pytest.MonkeyPatch, keys: tuple[str, str]) -> None:
    """Take on an identity."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[1])


def open_store(endpoint: str, prefix: str, *, answer_s: float = 30) -> S3Store:
    """Open the bucket; every test has a prefix of its own."""
    return S3Store(BUCKET, prefix, endpoint, "us-east-1", backoff=impatient(), part_bytes=PART_BYTES, answer_s=answer_s)


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A place for one test."""
    return f"{abs(hash(request.node.nodeid))}/"


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, weed: SeaweedFS) -> None:
    act_as(monkeypatch, weed.operator)


@pytest.mark.usefixtures("operator")
@each_promise
def test_it_keeps_the_promises(promise: Callable[[OpenStore], None], weed: SeaweedFS, prefix: str) -> None:
    promise(lambda: open_store(weed.endpoint, prefix))


@pytest.mark.usefixtures("operator")
def test_parts_are_joined_on_condition(weed: SeaweedFS, prefix: str) -> None:
    store = open_store(weed.endpoint, prefix)
    assert store.put("runs/large", LARGE) == "read_back"
    assert store.put("runs/large", LARGE) == "read_back"
    assert store.get("runs/large") == LARGE
    # An object of several parts has their number in its tag: the store respects the condition of their join.
    assert weed.admin().head_object(Bucket=BUCKET, Key=f"{prefix}runs/large")["ETag"].strip('"').endswith("-3")
    assert weed.admin().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_who_may_only_put_can_record(weed: SeaweedFS, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    act_as(monkeypatch, weed.recorder)
    store = open_store(weed.endpoint, prefix)
    store.check()
    assert store.put("runs/manifest.json", b"content") == "checksum"
    assert store.put("runs/large", LARGE) == "checksum"
    with pytest.raises(StoreUnavailable) as caught:
        store.put("runs/manifest.json", b"other")
    assert caught.value.reason == "not_comparable"
    for attempt in (lambda: store.get("runs/manifest.json"), lambda: store.list("runs/")):
        with pytest.raises(StoreUnavailable) as caught:
            attempt()
        assert caught.value.reason == "access_denied"
    act_as(monkeypatch, weed.operator)
    assert open_store(weed.endpoint, prefix).get("runs/manifest.json") == b"content"
    assert open_store(weed.endpoint, prefix).get("runs/large") == LARGE


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    "kind", ["close", "cut_request", "lost_answer", "cut_answer", "refusal_after", "damaged_request", "damaged_answer"]
)
def test_faults_on_the_way(weed: SeaweedFS, prefix: str, kind: Kind) -> None:
    """Stored with identical bytes, or an error and stored later; never a false success."""
    door, direct = Door(forwarded_to(weed.s3_port)), open_store(weed.endpoint, prefix)
    with Served(door) as served:
        store = open_store(served.endpoint, prefix)
        for seed in SEEDS:
            chance = random.Random(seed)  # noqa: S311 - faults, not secrets
            key, payload = f"runs/{seed}", chance.randbytes(chance.randrange(1, 50_000))
            fault = Fault(kind, chance.random(), refusal(503, "SlowDown"))
            door.meet(fault, first=chance.randrange(4), count=chance.choice((1, 2, 1000)))
            try:
                store.put(key, payload)
            except StoreUnavailable:
                door.calm()
                assert store.put(key, payload) == "read_back"
            assert direct.get(key) == payload
    assert door.met


def test_the_death_of_each_volume_server_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed one after the other: all that was acknowledged is read from the other copy, and new objects are kept."""
    with distributed(tmp_path) as weed:
        act_as(monkeypatch, weed.operator)
        store = open_store(weed.endpoint, "")
        chance = random.Random(7)  # noqa: S311 - content, not a secret
        acknowledged = {
            f"runs/{number:03d}": chance.randbytes(chance.randrange(1, 100_000)) for number in range(OBJECTS)
        }
        acknowledged["runs/large"] = LARGE
        for key, payload in acknowledged.items():
            assert store.put(key, payload) == "read_back"
        for server in [name for name in weed.commands if name.startswith("volume-")]:
            weed.kill(server)
            check_all(weed, acknowledged)
            key = f"runs/while-{server}-is-dead"
            put_within(weed, key, server.encode())
            acknowledged[key] = server.encode()
            weed.start(server)
            wait_for_its_volumes(weed, server)
            put_within(weed, f"runs/after-{server}", server.encode())
            check_all(weed, acknowledged)
        assert set(store.list("runs/")) >= set(acknowledged)


@pytest.mark.parametrize("fate", ["frozen", "killed"])
def test_an_upload_to_volume_servers_that_are_gone_ends_in_time_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    """By a real clock: exit 5 within the bound, the record whole on this machine, and stored once they are back."""
    with distributed(tmp_path / "weed") as weed:
        act_as(monkeypatch, weed.operator)
        backoff, connect_s, answer_s = Backoff(total_s=8), 2.0, 4.0
        store = S3Store(BUCKET, "", weed.endpoint, "us-east-1", backoff=backoff, connect_s=connect_s, answer_s=answer_s)
        store.check()

        def opened(_option: str | None, _records: Records) -> S3Store:
            return store

        monkeypatch.setattr("probes.resume.open_store", opened)
        files = sample_files()
        folder = sealed(Spool(tmp_path / "spool"), files)
        servers = [name for name in weed.commands if name.startswith("volume-")]
        for server in servers:
            (weed.freeze if fate == "frozen" else weed.kill)(server)
        began_s = time.monotonic()
        try:
            resumed = resume_run(folder, None)
            taken_s = time.monotonic() - began_s
        finally:
            for server in servers:
                (weed.thaw if fate == "frozen" else weed.start)(server)
        assert resumed.code == ExitCode.STORED_LOCALLY
        assert taken_s < backoff.total_s + connect_s + answer_s + SPARE_S
        assert needs_resuming(folder)
        assert {path.name: path.read_bytes() for path in folder.sealed.iterdir()} == files
        deadline = time.monotonic() + RECOVERY_S
        while (resumed := resume_run(folder, None)).code != ExitCode.COMMITTED:
            assert resumed.code == ExitCode.STORED_LOCALLY, resumed.text
            assert time.monotonic() < deadline, resumed.text
            time.sleep(0.5)
        prefix = record_prefix(sample_manifest())
        assert {name: store.get(prefix + name) for name in files} == files


def check_all(weed: SeaweedFS, acknowledged: dict[str, bytes]) -> None:
    """Everything that was acknowledged is there."""
    store = open_store(weed.endpoint, "")
    lost = {key: found[:80] for key, payload in acknowledged.items() if (found := store.get(key)) != payload}
    assert lost == {}


def put_within(weed: SeaweedFS, key: str, payload: bytes) -> None:
    """Put as `probes.resume` would, until the cluster has noticed who is gone."""
    deadline = time.monotonic() + RECOVERY_S
    while True:
        try:
            assert open_store(weed.endpoint, "").put(key, payload) == "read_back"
        except StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        else:
            return


def wait_for_its_volumes(weed: SeaweedFS, server: str) -> None:
    """Until a volume server that was started again has told the master of its volumes: the next one may die then."""
    deadline = time.monotonic() + RECOVERY_S
    while weed.volumes_of(server) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)
