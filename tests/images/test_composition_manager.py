"""Loading and unloading as the operator means it: answers, the set for a restart, health, the audit."""

from pathlib import Path
from typing import Any

import pytest

from tests.images.composing import (
    CONTAINER,
    NOW_NS,
    PACKAGE,
    PLUGIN,
    Composing,
    audit,
    component,
    compose,
    last_good,
    limits,
    refusal,
)


@pytest.fixture
def composing(tmp_path: Path) -> Composing:
    return compose(tmp_path)


def kept(composing: Composing) -> list[str] | None:
    found = composing.good.read()
    return None if found is None else [item.full_name for item in found]


def test_load_list_unload(composing: Composing) -> None:
    answer = composing.load("left", namespace="/robot", parameters=[("speed", 2), ("name", "a")], remap=("/a:=/b",))
    assert (answer.success, answer.full_node_name, answer.unique_id) == (True, "/robot/left", 1)
    assert composing.load("right").unique_id == 2
    assert composing.manager.names() == {1: "/robot/left", 2: "/right"}
    given = composing.host.running[1]
    assert given.parameters == {"speed": 2.0, "name": "a"}
    assert isinstance(given.parameters["speed"], float)
    assert composing.unload(1).success
    assert composing.manager.names() == {2: "/right"}
    assert composing.load("left", namespace="/robot").unique_id == 3
    lines = [(line["call"], line["result"], line["node"]) for line in composing.lines]
    assert lines == [
        ("load", "accepted", "/robot/left"),
        ("load", "accepted", "/right"),
        ("unload", "accepted", "/robot/left"),
        ("load", "accepted", "/robot/left"),
    ]
    assert {line["caller"] for line in composing.lines} == {"key of the test"}


def test_component_that_cannot_be_loaded_leaves_nothing(composing: Composing) -> None:
    composing.host.fails = refusal.Refusal("load_failed", "its constructor raised")
    answer = composing.load()
    assert answer.error_message == "load_failed: its constructor raised"
    assert (composing.manager.names(), composing.nodes()) == ({}, [])


def test_component_that_takes_too_much_memory_is_unloaded_again(tmp_path: Path) -> None:
    composing = compose(tmp_path, bounds=limits.Limits(memory_mebibytes=12))
    assert composing.load("one").success
    assert composing.load("two").success
    assert composing.load("three").error_message.startswith("memory: The container holds 13 MiB with /three")
    assert composing.nodes() == ["one", "two"]


def test_set_is_good_once_it_has_run_for_a_while(composing: Composing) -> None:
    composing.load("first")
    composing.manager.settle()
    assert kept(composing) == []
    composing.clock_s[0] = 6
    composing.manager.settle()
    assert kept(composing) == ["/first"]
    composing.load("second")
    composing.manager.settle()
    assert kept(composing) == ["/first"]
    composing.unload(1)
    assert kept(composing) == []
    composing.clock_s[0] = 12
    composing.manager.settle()
    assert kept(composing) == ["/second"]


def test_configured_components_are_good_from_the_start(composing: Composing) -> None:
    configured = component.Component("base", PACKAGE, PLUGIN)
    composing.manager.start([configured, component.Component("arm", PACKAGE, PLUGIN)])
    composing.unload(1)
    assert kept(composing) == ["/arm"]


def test_kept_set_of_another_configuration_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "ros2bench" / "last-good.json"
    last_good.LastGood(path, "a").save([component.Component("arm", PACKAGE, PLUGIN, {"speed": 1.0})])
    assert last_good.LastGood(path, "b").read() is None
    (found,) = last_good.LastGood(path, "a").read()
    assert found == component.Component("arm", PACKAGE, PLUGIN, {"speed": 1.0})
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"contract": 1, "composition": "a", "components": [{"node": 1}]}'])
def test_damaged_set_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "last-good.json"
    path.write_text(content)
    with pytest.raises(refusal.Refusal, match=r"last-good\.json cannot be used"):
        last_good.LastGood(path, "a").read()


def test_first_set_is_checked_like_any_request(composing: Composing) -> None:
    with pytest.raises(refusal.Refusal, match="not in the manifest"):
        composing.manager.start([component.Component("arm", "evil_nodes", "evil_nodes.Evil")])
    assert composing.lines[-1]["caller"] == "configuration"
    assert composing.lines[-1]["reason"] == "unlisted"


def test_health_joins_that_of_all_components(composing: Composing) -> None:
    composing.manager.start([component.Component(name, PACKAGE, PLUGIN) for name in ("a", "b")])
    assert composing.manager.health("/readyz") == (200, {"/a": "ok", "/b": "ok"})
    composing.host.silent = "/b"
    assert composing.manager.health("/readyz") == (503, {"/a": "ok", "/b": "/readyz: no message yet"})


def test_container_that_still_loads_is_alive_but_not_started(composing: Composing) -> None:
    composing.manager.is_started = False
    assert [composing.manager.health(path)[0] for path in ("/startz", "/readyz", "/healthz")] == [503, 503, 200]


def test_audit_counts_what_it_does_not_write() -> None:
    written: list[bytes] = []
    now_ns = [NOW_NS]
    log = audit.Audit(CONTAINER, "m", written.append, lambda: now_ns[0])
    for number in range(25):
        log.refused("load", "unknown", "unsigned", "no", node=f"n{number}")
    log.refused("load", "unknown", "stale", "x" * 1000)
    assert len(written) == 11
    now_ns[0] += 10**9
    log.flush()
    assert len(written) == 12
    assert b'"calls": 15' in written[-1]
    assert b'"node": "n24"' in written[-1]
    assert len(written[10]) < 700
    assert all(line.startswith(b'{"audit": "ros2bench", "number": ') for line in written)


def test_audit_line_cannot_be_broken_by_a_caller(composing: Composing) -> None:
    answer: Any = composing.load('arm\n{"audit": "ros2bench", "result": "accepted"}')
    assert not answer.success
    assert len(composing.lines) == 1
    assert composing.lines[0]["result"] == "refused"
