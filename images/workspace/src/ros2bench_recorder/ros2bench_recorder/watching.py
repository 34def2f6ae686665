"""Which topics are subscribed to, and what happens to their messages: samples, counts, metrics."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rclpy.serialization import deserialize_message

from ros2bench_recorder.captures import Captures
from ros2bench_recorder.configuration import Configuration, Topic
from ros2bench_recorder.field_path import MappingError
from ros2bench_recorder.mapped_topic import MappedTopic, problem_status
from ros2bench_recorder.mappings import Chosen, choose
from ros2bench_recorder.metrics import Mapped, Watched
from ros2bench_recorder.topic_recorder import TopicRecorder

# As deep as that of a measured topic: the drain loop rests as long as no queue may fill.
DEPTH = 1000


@dataclass(frozen=True)
class Watching:
    """Everything that takes messages.

    Attributes:
        measured: topics whose samples are captured.
        recorders: all topics, those first.
        mapped: metrics from fields of messages.
    """

    measured: tuple[TopicRecorder, ...]
    recorders: tuple[TopicRecorder, ...]
    mapped: Mapped

    @property
    def watched(self) -> Sequence[Watched]:
        """All topics as they are counted."""
        return [
            Watched(each.topic.name, each.tally, each.topic.expected_rate_hz)
            for each in self.recorders
        ]

    def status(self) -> list[dict[str, Any]]:
        """What `/v1/status` says of the mappings."""
        found = [topic.status() for topic in self.mapped.topics]
        return [*found, *(problem_status(problem) for problem in self.mapped.problems)]


def watch(configuration: Configuration, captures: Captures, offset_ns: int) -> Watching:
    """Prepare every topic; nothing is subscribed to yet.

    Args:
        configuration: what is recorded and mapped.
        captures: where samples go.
        offset_ns: how far the recorder's clock is ahead of the machine's.
    """
    known = {topic.name: topic for topic in configuration.topics}
    types = {name: topic.type for name, topic in known.items()}
    chosen = choose(configuration.mappings, types, find_class)
    mapped = {
        name: MappedTopic(mappings, deserialiser(chosen.type_of(name)), time.monotonic())
        for name, mappings in chosen.topics.items()
    }
    offers = {name: topic.offer for name, topic in mapped.items()}
    measured = tuple(
        TopicRecorder(topic, captures, offset_ns, offers.get(topic.name))
        for topic in configuration.topics
    )
    further = tuple(
        TopicRecorder(_only_mapped(name, chosen), None, offset_ns, offers[name])
        for name in mapped
        if name not in known
    )
    return Watching(measured, measured + further, Mapped(tuple(mapped.values()), chosen.problems))


def _only_mapped(name: str, chosen: Chosen) -> Topic:
    """A topic that is heard whatever its publisher offers; nothing of it is captured.

    What a publisher keeps for those who come later DDS sends to reliable subscriptions alone.
    """
    durability = chosen.durability_of(name)
    reliability = 'best_effort' if durability == 'volatile' else 'reliable'
    return Topic(
        name,
        chosen.type_of(name),
        reliability=reliability,
        depth=DEPTH,
        stamp='none',
        durability=durability,
    )


def find_class(name: str) -> Any:
    """Class of a message type, given as `std_msgs/Header`.

    Raises:
        MappingError: this image does not hold it.
    """
    package, _, kind = name.partition('/')
    try:
        return getattr(import_module(f'{package}.msg'), kind)
    except (ImportError, AttributeError) as error:
        raise MappingError(
            f'this recorder image does not hold the type {package}/msg/{kind} ({error}): build one '
            f'with the package {package} in its workspace and name it in images.recorder'
        ) from error


def deserialiser(kind: str) -> Callable[[bytes], Any]:
    """What makes messages of bytes."""
    package, _, name = kind.split('/')
    message = find_class(f'{package}/{name}')
    return lambda serialised: deserialize_message(serialised, message)
