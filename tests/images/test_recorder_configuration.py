"""The recorder's file: read strictly, refused with a sentence."""

import base64
import json
import sys
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.images.in_cluster import module

configuration = module("ros2bench_recorder.configuration")

TOPIC = {"name": "/results", "type": "p/msg/T", "reliability": "reliable", "depth": 1000, "stamp": "ros2bench"}
OPERATOR = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
CAPTURES = {"folder": "/captures", "limit_bytes": 2**30}
FILE: dict[str, Any] = {"contract": 1, "port": 8080, "operator": OPERATOR, "captures": CAPTURES, "topics": [TOPIC]}


def test_file_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "recorder.json"
    path.write_text(json.dumps(FILE))
    read = configuration.read_configuration(path)
    assert read.port == 8080
    assert read.topics == (configuration.Topic(**TOPIC),)
    assert base64.b64encode(read.operator.public_bytes_raw()).decode() == OPERATOR
    assert (read.nodes, read.mappings, read.topics[0].expected_rate_hz) == ((), (), None)
    assert (read.captures_folder, read.captures_limit_bytes) == (Path("/captures"), 2**30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contract": 2}, "speaks 1"),
        ({"port": 0}, "port is 0"),
        ({"operator": None}, "operator is None but must be the base64"),
        ({"operator": "a2V5"}, "operator is 'a2V5'"),
        ({"captures": None}, "captures must be an object"),
        ({"captures": {**CAPTURES, "folder": "captures"}}, "absolute path"),
        ({"captures": {**CAPTURES, "limit_bytes": 1}}, "captures.limit_bytes is 1"),
        ({"topics": []}, "not empty"),
        ({"topics": [TOPIC, TOPIC]}, "must differ"),
        ({"extra": 1}, "unknown keys"),
        ({"topics": [{**TOPIC, "name": "results"}]}, "topics[0].name"),
        ({"topics": [{**TOPIC, "type": "Result"}]}, "topics[0].type"),
        ({"topics": [{**TOPIC, "reliability": "maybe"}]}, "reliable, best_effort"),
        ({"topics": [{**TOPIC, "durability": "forever"}]}, "volatile, transient_local"),
        ({"topics": [{**TOPIC, "stamp": "clock"}]}, "ros2bench, header, none"),
        ({"topics": [{**TOPIC, "depth": "10"}]}, "topics[0].depth"),
        ({"topics": [{**TOPIC, "expected_rate_hz": 0}]}, "topics[0].expected_rate_hz"),
        ({"nodes": ["no name"]}, "list of names like camera"),
        ({"mappings": {}}, "mappings must be a list"),
    ],
)
def test_refusals_name_the_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises(configuration.ConfigurationError) as refused:
        configuration.parse_configuration({**FILE, **change})
    assert words in str(refused.value)


def test_a_file_may_expect_rates_and_nodes_and_map_without_measuring() -> None:
    more = {"topics": [], "nodes": ["camera"], "mappings": [{"topic": "/a", "preset": "battery"}, "broken"]}
    read = configuration.parse_configuration({**FILE, **more})
    assert (read.topics, read.nodes, len(read.mappings)) == ((), ("camera",), 2)
    rated = configuration.parse_configuration({**FILE, "topics": [{**TOPIC, "expected_rate_hz": 10}]})
    assert rated.topics[0].expected_rate_hz == 10.0


class Policy(Enum):
    """Both policies of rclpy that are used."""

    RELIABLE = 1
    BEST_EFFORT = 2
    TRANSIENT_LOCAL = 3
    VOLATILE = 4


@pytest.mark.parametrize(
    ("key", "durability", "refused"),
    [
        ({}, Policy.VOLATILE, set[Policy]()),
        ({"durability": "volatile"}, Policy.VOLATILE, set[Policy]()),
        ({"durability": "transient_local"}, Policy.TRANSIENT_LOCAL, {Policy.VOLATILE}),
    ],
)
def test_a_topic_may_be_asked_for_what_was_sent_before(
    monkeypatch: pytest.MonkeyPatch, key: dict[str, str], durability: Policy, refused: set[Policy]
) -> None:
    qos = SimpleNamespace(QoSProfile=SimpleNamespace, ReliabilityPolicy=Policy, DurabilityPolicy=Policy)
    monkeypatch.setitem(sys.modules, "rclpy", SimpleNamespace(qos=qos))
    monkeypatch.setitem(sys.modules, "rclpy.qos", qos)
    quality = module("ros2bench_recorder.quality")
    del sys.modules["ros2bench_recorder.quality"]
    (topic,) = configuration.parse_configuration({**FILE, "topics": [{**TOPIC, **key}]}).topics
    wanted = quality.quality(topic)
    assert (wanted.depth, wanted.reliability, wanted.durability) == (1000, Policy.RELIABLE, durability)
    for offered in (Policy.VOLATILE, Policy.TRANSIENT_LOCAL):
        profile = SimpleNamespace(reliability=Policy.RELIABLE, durability=offered)
        assert quality.incompatible(profile, topic) == (offered in refused)
    assert quality.incompatible(SimpleNamespace(reliability=Policy.BEST_EFFORT, durability=durability), topic)


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(configuration.ConfigurationError, match=r"none\.json cannot be read"):
        configuration.read_configuration(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(configuration.ConfigurationError, match=r"broken\.json is no JSON"):
        configuration.read_configuration(broken)
