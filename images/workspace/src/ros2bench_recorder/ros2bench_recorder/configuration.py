"""What the recorder listens to, read from its JSON file."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ros2bench_recorder.cdr import READERS

CONTRACT = 1
KEYS = frozenset({'contract', 'port', 'topics'})
TOPIC_KEYS = frozenset({'name', 'type', 'reliability', 'depth', 'stamp'})
RELIABILITIES = ('reliable', 'best_effort')
TYPE_PATTERN = re.compile(r'[A-Za-z]\w*/msg/[A-Za-z]\w*')
NAME_PATTERN = re.compile(r'(/[A-Za-z_]\w*)+')


class ConfigurationError(ValueError):
    """The file cannot be used; the text says what was read, from which key, and what is wanted."""


@dataclass(frozen=True)
class Topic:
    """One subscription."""

    name: str
    type: str
    reliability: str
    depth: int
    stamp: str


@dataclass(frozen=True)
class Configuration:
    """Port of the HTTP server and the topics."""

    port: int
    topics: tuple[Topic, ...]


def read_configuration(path: Path) -> Configuration:
    """Read and check a recorder file.

    Raises:
        ConfigurationError: the file is missing, no JSON, or breaks the contract.
    """
    try:
        return parse_configuration(json.loads(path.read_text(encoding='utf-8')))
    except OSError as error:
        raise ConfigurationError(f'{path} cannot be read: {error.strerror}.') from error
    except ConfigurationError as error:
        raise ConfigurationError(f'{path}: {error}') from error
    except ValueError as error:
        raise ConfigurationError(f'{path} is no JSON: {error}.') from error


def parse_configuration(content: Any) -> Configuration:
    """Check the content of a recorder file.

    Raises:
        ConfigurationError: it breaks the contract.
    """
    _require(isinstance(content, dict), 'the file must hold an object')
    _only(content, KEYS, 'the file')
    contract = content.get('contract')
    _require(contract == CONTRACT, f'contract is {contract!r} but this image speaks {CONTRACT}')
    topics = content.get('topics')
    _require(isinstance(topics, list) and len(topics) > 0, 'topics must be a list, not empty')
    configuration = Configuration(
        port=_whole(content.get('port'), 'port', 1, 65535),
        topics=tuple(_topic(item, index) for index, item in enumerate(topics)),
    )
    names = [topic.name for topic in configuration.topics]
    _require(len(set(names)) == len(names), f'topic names must differ but are {names}')
    return configuration


def _topic(item: Any, index: int) -> Topic:
    where = f'topics[{index}]'
    _require(isinstance(item, dict), f'{where} must be an object')
    _only(item, TOPIC_KEYS, where)
    return Topic(
        name=_matching(item.get('name'), f'{where}.name', NAME_PATTERN, '/results'),
        type=_matching(item.get('type'), f'{where}.type', TYPE_PATTERN, 'std_msgs/msg/Header'),
        reliability=_choice(item.get('reliability'), f'{where}.reliability', RELIABILITIES),
        depth=_whole(item.get('depth'), f'{where}.depth', 1, 1_000_000),
        stamp=_choice(item.get('stamp'), f'{where}.stamp', tuple(READERS)),
    )


def _matching(value: Any, where: str, pattern: re.Pattern[str], example: str) -> str:
    right = isinstance(value, str) and pattern.fullmatch(value)
    _require(bool(right), f'{where} is {value!r} but must look like {example}')
    return value


def _choice(value: Any, where: str, choices: tuple[str, ...]) -> str:
    _require(value in choices, f'{where} is {value!r}; choices: {", ".join(choices)}')
    return value


def _whole(value: Any, where: str, low: int, high: int) -> int:
    right = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    _require(right, f'{where} is {value!r} but must be a whole number from {low} to {high}')
    return value


def _only(item: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = sorted(item.keys() - keys)
    _require(not unknown, f'{where} has unknown keys {unknown}; choices: {sorted(keys)}')


def _require(condition: bool, sentence: str) -> None:  # noqa: FBT001 (reads as an assertion)
    if not condition:
        raise ConfigurationError(f'{sentence}.')
