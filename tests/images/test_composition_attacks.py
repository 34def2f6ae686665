"""Each attack on a component container is refused with a reason and a line in the audit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.images.composing import (
    ARM,
    MEBIBYTE,
    PACKAGE,
    PLUGIN,
    Composing,
    compose,
    forget,
    manifest,
    manifest_of,
    read_in_test,
    refusal,
    request,
    trusted_file,
    write_package,
)
from tests.images.in_cluster import module

guarded_import = module("ros2bench_composition.guarded_import")

EVIL = "raise SystemExit('the evil code ran')\n"


@pytest.fixture
def composing(tmp_path: Path) -> Composing:
    return compose(tmp_path)


def several(count: int, attack: Callable[[Composing, int], Any]) -> Callable[[Composing], Any]:
    def attacks(composing: Composing) -> Any:
        return [attack(composing, number) for number in range(count)][-1]

    return attacks


def replay(composing: Composing) -> Any:
    assert composing.load("first", nonce="a" * 32).success
    return composing.load("second", nonce="a" * 32)


def replay_after_a_restart(composing: Composing) -> Any:
    return composing.load(time_ns=composing.now_ns() - 1)


def duplicate(composing: Composing) -> Any:
    assert composing.load("arm").success
    return composing.load("arm")


def oversize_memory(composing: Composing) -> Any:
    composing.host.per_component = 4096 * MEBIBYTE
    return composing.load()


def too_many(composing: Composing) -> Any:
    return several(17, lambda c, number: c.load(f"arm_{number}"))(composing)


def foreign(composing: Composing) -> Any:
    assert composing.load("arm").success
    return composing.unload(4711)


@dataclass(frozen=True)
class Attack:
    """What is tried, the reason of its refusal, and words of the sentence."""

    do: Callable[[Composing], Any]
    reason: str
    words: str


ATTACKS = {
    "unlisted class": Attack(lambda c: c.load(plugin="os.path.Evil"), "unlisted", f"choices: {PLUGIN}"),
    "unlisted package": Attack(lambda c: c.load(package="evil_nodes"), "unlisted", "evil_nodes"),
    "wrong caller key": Attack(lambda c: c.load(key=Ed25519PrivateKey.generate()), "wrong_key", "key"),
    "no signature": Attack(lambda c: c.load(after={"extra": []}), "unsigned", "probes.components"),
    "request changed on its way": Attack(
        lambda c: c.load(after={"parameters": [("speed", 9.0)]}), "wrong_key", "does not belong to this request"
    ),
    "log level changed on its way": Attack(lambda c: c.load(after={"log_level": 10}), "wrong_key", "request"),
    "replayed nonce": Attack(replay, "replayed", "used before"),
    "replay after a restart": Attack(replay_after_a_restart, "stale", "before this container started"),
    "stale time": Attack(lambda c: c.load(time_ns=c.now_ns() - 31 * 10**9), "stale", "31.0 s ago"),
    "time in the future": Attack(lambda c: c.load(time_ns=c.now_ns() + 31 * 10**9), "stale", "both clocks"),
    "oversize: memory": Attack(oversize_memory, "memory", "limits.memory_mebibytes is 2048"),
    "oversize: parameters": Attack(
        lambda c: c.load(parameters=[(f"p{n}", 1) for n in range(300)]), "oversize", "at most 256"
    ),
    "oversize: text": Attack(lambda c: c.load(parameters=[("name", "x" * 70_000)]), "oversize", "65536"),
    "too many components": Attack(too_many, "count", "limits.components is 16"),
    "path as plugin": Attack(lambda c: c.load(plugin="../../tmp/evil.Arm"), "path_traversal", "is a path"),
    "path as package": Attack(lambda c: c.load(package="/var/evil"), "path_traversal", "is a path"),
    "path as parameter": Attack(
        lambda c: c.load(parameters=[("name", "/opt/models/../../tmp/evil.onnx")]), "path_traversal", '".."'
    ),
    "environment injection": Attack(
        lambda c: c.load(more_extra=[("environment", "LD_PRELOAD=/tmp/evil.so")]), "extra_argument", "Environment"
    ),
    "environment by a remap rule": Attack(lambda c: c.load(remap=("__log_level:=debug",)), "bad_name", "never __node"),
    "options in a name": Attack(lambda c: c.load("arm --params-file /tmp/evil"), "bad_name", "node name"),
    "duplicate name": Attack(duplicate, "duplicate_name", "/arm runs here already"),
    "name of the container": Attack(lambda c: c.load("perception"), "duplicate_name", "/perception"),
    "parameter of a wrong type": Attack(
        lambda c: c.load(parameters=[("speed", "fast")]), "parameter_type", "must be of type double"
    ),
    "truth where a text belongs": Attack(lambda c: c.load(parameters=[("name", True)]), "parameter_type", "(bool)"),
    "unknown parameter": Attack(
        lambda c: c.load(parameters=[("evil", 1)]), "unknown_parameter", "choices: name, speed"
    ),
    "parameter given twice": Attack(
        lambda c: c.load(after={"parameters": [("speed", 1.0), ("speed", 2.0)]}), "bad_name", "given twice"
    ),
    "unload of a foreign node": Attack(foreign, "not_loaded", "it holds 1 /arm"),
    "unload without a signature": Attack(
        lambda c: c.manager.unload(request.UnloadRequest(1), is_signed=False), "unsigned", "unload_signed"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_with_a_reason_and_an_audit_line(composing: Composing, name: str) -> None:
    attack = ATTACKS[name]
    answer = attack.do(composing)
    before = composing.nodes()
    assert not answer.success
    assert answer.error_message.startswith(f"{attack.reason}: ")
    assert attack.words in answer.error_message
    last = composing.lines[-1]
    assert next(iter(last)) == "audit"
    assert (last["audit"], last["result"], last["reason"]) == ("ros2bench", "refused", attack.reason)
    assert attack.words in last["sentence"]
    assert last["number"] == len(composing.lines)
    assert composing.nodes() == before


def test_flood_of_signed_requests_costs_the_others_nothing(composing: Composing) -> None:
    begun_s = time.perf_counter()
    answers = [composing.load(f"arm_{number}", plugin="os.path.Evil", nonce=f"{number:032x}") for number in range(1000)]
    took_s = time.perf_counter() - begun_s
    reasons = [answer.error_message.partition(":")[0] for answer in answers]
    assert reasons.count("unlisted") == 30
    assert reasons[30:] == ["rate"] * 970
    assert took_s < 5
    composing.clock_s[0] += 1
    composing.manager.settle()
    rated = [line for line in composing.lines if line["reason"] == "rate"]
    assert sum(line.get("calls", 1) for line in rated) == 970
    assert len(rated) == 11
    composing.clock_s[0] += 60
    assert composing.load(nonce="f" * 32).success


def test_flood_of_unsigned_requests_does_not_lock_the_operator_out(composing: Composing) -> None:
    for _ in range(1000):
        assert composing.load(after={"extra": []}).error_message.startswith("unsigned")
    assert len(composing.lines) == 10
    assert composing.pauses_s == [0.005] * 900
    composing.clock_s[0] += 1
    assert composing.load().success
    assert composing.load(after={"extra": []}).error_message.startswith("unsigned")
    assert len(composing.pauses_s) == 900


@dataclass(frozen=True)
class Guarded:
    """A listed package under the guard, and its module's file."""

    file: Path
    listed: Any

    def install(self, read: Callable[[str], bytes] = read_in_test) -> Any:
        """Guard it."""
        return guarded_import.install(self.listed, read)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    file = write_package(tmp_path)
    yield Guarded(file, manifest.parse_manifest(manifest_of(tmp_path, None)))
    forget(PACKAGE)


def refused(name: str = "arm_nodes.arm") -> str:
    with pytest.raises(refusal.ModuleRefused) as error:
        __import__(name)
    return error.value.refusal.reason


def test_listed_module_is_imported_from_its_file(guarded: Guarded) -> None:
    guarded.install()
    imported = __import__("arm_nodes.arm").arm
    assert imported.Arm.speed == 1
    assert imported.__file__ == str(guarded.file)


def test_altered_byte_is_refused(guarded: Guarded) -> None:
    guarded.file.write_text(ARM.replace("1", "2"))
    guarded.install()
    assert refused() == "altered"


def test_link_swapped_in_before_the_load_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(ARM)
    guarded.install()
    guarded.file.unlink()
    guarded.file.symlink_to(copy)
    assert refused() == "link"


def test_linked_folder_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    guarded.install()
    folder = guarded.file.parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert refused() == "link"


def test_file_swapped_between_check_and_load_runs_as_it_was_checked(guarded: Guarded, tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(EVIL)

    def read_and_swap(path: str) -> bytes:
        content = read_in_test(path)
        Path(path).unlink()
        Path(path).symlink_to(evil)
        return content

    guarded.install(read_and_swap)
    assert __import__("arm_nodes.arm").arm.Arm.speed == 1
    assert guarded.file.read_text() == EVIL


def test_writable_folder_is_refused(guarded: Guarded) -> None:
    # The tests' own folder is one that this user may write, whoever it is.
    guarded.install(trusted_file.read_trusted)
    assert refused() == "writable"


def test_module_that_was_added_to_the_package_is_refused(guarded: Guarded) -> None:
    (guarded.file.parent / "evil.py").write_text(EVIL)
    guarded.install()
    assert refused("arm_nodes.evil") == "unlisted_module"


def test_package_that_was_imported_before_is_refused(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(guarded.file.parents[1]))
    __import__("arm_nodes")
    with pytest.raises(refusal.Refusal, match="imported before"):
        guarded.install()
