"""Which mappings can be used, and why the others cannot.

Needs no ROS: types are looked up by a function that is handed in.
"""

import math
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ros2bench_recorder.configuration import DURABILITIES
from ros2bench_recorder.field_path import FindClass, MappingError, MessageClass
from ros2bench_recorder.field_reader import check_types
from ros2bench_recorder.mapping import (
    MAPPING_KEYS,
    MOST_SERIES,
    MOST_SERIES_LIMIT,
    RATE_HZ,
    RATE_LIMIT_HZ,
    TOPIC,
    TYPE,
    MappedValue,
    Mapping,
    Problem,
    check_values,
    parse_values,
)
from ros2bench_recorder.mapping_presets import PRESETS, preset_values
from ros2bench_telemetry.json_lines import say


@dataclass(frozen=True)
class Chosen:
    """What is read: mappings by topic, each with a type, and the problems of the others."""

    topics: Dictionary[str, tuple[Mapping, ...]]
    problems: tuple[Problem, ...]

    def type_of(self, topic: str) -> str:
        """Message type of a topic."""
        return str(self.topics[topic][0].type)

    def durability_of(self, topic: str) -> str:
        """Durability that publishers of a topic are asked for: the strictest of its mappings."""
        kept = any(each.durability == 'transient_local' for each in self.topics[topic])
        return 'transient_local' if kept else 'volatile'


def choose(items: Sequence[object], known: Dictionary[str, str], find: FindClass) -> Chosen:
    """Take the mappings that can be used.

    Args:
        items: the mappings of the file, as they stand there.
        known: types of the topics that are recorded, by name.
        find: class of a message type: `std_msgs/Header`; raises MappingError where the image lacks
            it.
    """
    chosen: dict[str, tuple[Mapping, ...]] = {}
    problems: list[Problem] = []
    definitions: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for item in items:
        try:
            mapping = _typed(parse_mapping(item), item, known, chosen)
            _check_class(mapping, find)
            _check_names(mapping, definitions, chosen.get(mapping.topic, ()))
        except MappingError as error:
            problem = Problem(_topic_of(item), str(error), _names_of(item))
            sentence = f'mapping of {problem.topic}: {problem.sentence}'
            say('ERROR', sentence, logger='mappings')
            problems.append(problem)
            continue
        definitions |= {value.name: (mapping.topic, value.definition) for value in mapping.values}
        chosen[mapping.topic] = (*chosen.get(mapping.topic, ()), mapping)
    return Chosen(chosen, tuple(problems))


def parse_mapping(item: object) -> Mapping:
    """Read one mapping.

    Raises:
        MappingError: it breaks the rules.
    """
    if not isinstance(item, dict):
        raise MappingError(f'a mapping must be an object but is {item!r}')
    unknown = sorted(item.keys() - MAPPING_KEYS)
    if unknown:
        raise MappingError(f'unknown keys {unknown}; choices: {sorted(MAPPING_KEYS)}')
    topic, kind = item.get('topic'), item.get('type')
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise MappingError(f'topic is {topic!r} but must look like /joint_states')
    if kind is not None and not (isinstance(kind, str) and TYPE.fullmatch(kind)):
        raise MappingError(f'type is {kind!r} but must look like sensor_msgs/msg/JointState')
    durability = item.get('durability', 'volatile')
    if durability not in DURABILITIES:
        raise MappingError(f'durability is {durability!r}; choices: {", ".join(DURABILITIES)}')
    return Mapping(
        topic,
        kind,
        _values(item),
        _between(item.get('maxSeries', MOST_SERIES), 'maxSeries', 1, MOST_SERIES_LIMIT, whole=True),
        _between(item.get('maxRateHz', RATE_HZ), 'maxRateHz', 0, RATE_LIMIT_HZ),
        durability,
    )


def _values(item: Dictionary[str, Any]) -> tuple[MappedValue, ...]:
    if ('preset' in item) == ('values' in item):
        raise MappingError('a mapping has a preset or values, one of both')
    if 'preset' in item:
        return preset_values(item['preset'], item.get('fields'))
    if 'fields' in item:
        raise MappingError('fields belong to a preset; values name their own')
    values = parse_values(item['values'])
    check_values(values)
    return values


def _typed(
    mapping: Mapping,
    item: Any,
    known: Dictionary[str, str],
    chosen: Dictionary[str, Sequence[Mapping]],
) -> Mapping:
    """The mapping with the type that it says, else that of the topic, else that of its preset."""
    before = next((str(each.type) for each in chosen.get(mapping.topic, ())), None)
    of_topic = known.get(mapping.topic) or before
    if mapping.type is not None and of_topic is not None and mapping.type != of_topic:
        raise MappingError(f'type is {mapping.type} but {mapping.topic} is known as {of_topic}')
    preset = PRESETS.get(item['preset']) if 'preset' in item else None
    kind = mapping.type or of_topic
    if kind is None:
        if preset is None or 'fields' in item:
            raise MappingError(f'nobody says which type {mapping.topic} has: add type')
        kind = preset.type
    return replace(mapping, type=kind)


def _check_class(mapping: Mapping, find: FindClass) -> None:
    package, _, name = str(mapping.type).split('/')
    message = find(f'{package}/{name}')
    for value in mapping.values:
        _check_value(value, message, find, str(mapping.type))


def _check_value(value: MappedValue, message: MessageClass, find: FindClass, kind: str) -> None:
    try:
        check_types(value, message, find)
    except MappingError as error:
        raise MappingError(f'{value.name}: {error} ({kind})') from error


def _check_names(
    mapping: Mapping,
    definitions: Dictionary[str, tuple[str, tuple[Any, ...]]],
    same_topic: Sequence[Mapping],
) -> None:
    here = {value.name for each in same_topic for value in each.values}
    for value in mapping.values:
        topic, definition = definitions.get(value.name, (mapping.topic, value.definition))
        if value.name in here:
            raise MappingError(f'{value.name}: the name is taken twice on {mapping.topic}')
        if definition != value.definition:
            raise MappingError(
                f'{value.name}: the name is taken by a mapping of {topic}: choose another one, or '
                f'the same kind, help, labels and buckets'
            )


def _between(value: object, where: str, low: float, high: float, *, whole: bool = False) -> Any:
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right or not math.isfinite(value) or not low <= value <= high or value == 0:
        kind = 'a whole number' if whole else 'a number above 0'
        raise MappingError(f'{where} is {value!r} but must be {kind} up to {high:g}')
    return value


def _topic_of(item: object) -> str:
    topic = item.get('topic') if isinstance(item, dict) else None
    return topic if isinstance(topic, str) else ''


def _names_of(item: object) -> tuple[str, ...]:
    """Names of the metrics that are missing now, as far as the mapping tells."""
    if not isinstance(item, dict):
        return ()
    preset, values = item.get('preset'), item.get('values')
    if isinstance(preset, str) and preset in PRESETS:
        return tuple(value.name for value in PRESETS[preset].values.values())
    named = values if isinstance(values, list) else []
    names = [value.get('name') for value in named if isinstance(value, dict)]
    return tuple(name for name in names if isinstance(name, str))
