"""What the recorder listens to, whom it obeys and where it keeps samples: its JSON file."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ros2bench_recorder.cdr import READERS
from ros2bench_service.signed_calls import operator_key

CONTRACT = 1
KEYS = frozenset({'contract', 'port', 'operator', 'captures', 'topics', 'nodes', 'mappings'})
CAPTURES_KEYS = frozenset({'folder', 'limit_bytes'})
LEAST_LIMIT_BYTES = 1024 * 1024
TOPIC_KEYS = frozenset(
    {'name', 'type', 'reliability', 'durability', 'depth', 'stamp', 'expected_rate_hz'}
)
RELIABILITIES = ('reliable', 'best_effort')
DURABILITIES = ('volatile', 'transient_local')
TYPE_PATTERN = re.compile(r'[A-Za-z]\w*/msg/[A-Za-z]\w*')
NAME_PATTERN = re.compile(r'(/[A-Za-z_]\w*)+')
NODE_PATTERN = re.compile(r'/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*')


class ConfigurationError(ValueError):
    """The file cannot be used; the text says what was read, from which key, and what is wanted."""


@dataclass(frozen=True)
class Topic:
    """One subscription.

    `expected_rate_hz` is what the source intends to send; None where nobody says it. `durability`
    is `transient_local` where a publisher keeps what it has sent for those who come later.
    """

    name: str
    type: str
    reliability: str
    depth: int
    stamp: str
    expected_rate_hz: float | None = None
    durability: str = 'volatile'


@dataclass(frozen=True)
class Configuration:
    """What the file says.

    Attributes:
        port: of the HTTP server.
        operator: key whose signed calls are obeyed.
        captures_folder: where samples are kept; survives a restart of the container.
        captures_limit_bytes: most bytes of samples in there.
        topics: what is recorded.
        nodes: names of the nodes that should be in the graph.
        mappings: fields of messages that become metrics, as they stand in the file: what is wrong
            with one of them is no reason not to record.
    """

    port: int
    operator: Ed25519PublicKey
    captures_folder: Path
    captures_limit_bytes: int
    topics: tuple[Topic, ...]
    nodes: tuple[str, ...] = ()
    mappings: tuple[Any, ...] = ()


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
    topics, mappings = content.get('topics'), content.get('mappings', [])
    _require(isinstance(mappings, list), 'mappings must be a list')
    _require(
        isinstance(topics, list) and (len(topics) > 0 or len(mappings) > 0),
        'topics must be a list, not empty unless there are mappings',
    )
    folder, limit_bytes = _captures(content.get('captures'))
    configuration = Configuration(
        port=_whole(content.get('port'), 'port', 1, 65535),
        operator=_operator(content.get('operator')),
        captures_folder=folder,
        captures_limit_bytes=limit_bytes,
        topics=tuple(_topic(item, index) for index, item in enumerate(topics)),
        nodes=_nodes(content.get('nodes', [])),
        mappings=tuple(mappings),
    )
    names = [topic.name for topic in configuration.topics]
    _require(len(set(names)) == len(names), f'topic names must differ but are {names}')
    return configuration


def _operator(value: Any) -> Ed25519PublicKey:
    _require(
        isinstance(value, str),
        f'operator is {value!r} but must be the base64 of the Ed25519 public key in the image '
        f'lock: write the lock with `python -m images.build` and deploy it',
    )
    try:
        return operator_key(value)
    except ValueError as error:
        raise ConfigurationError(f'operator is {value!r}: {error}.') from error


def _captures(item: Any) -> tuple[Path, int]:
    _require(isinstance(item, dict), 'captures must be an object')
    _only(item, CAPTURES_KEYS, 'captures')
    folder = item.get('folder')
    right = isinstance(folder, str) and folder.startswith('/')
    _require(right, f'captures.folder is {folder!r} but must be an absolute path')
    limit = _whole(item.get('limit_bytes'), 'captures.limit_bytes', LEAST_LIMIT_BYTES, 2**50)
    return Path(folder), limit


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
        expected_rate_hz=_rate(item.get('expected_rate_hz'), f'{where}.expected_rate_hz'),
        durability=_choice(item.get('durability', 'volatile'), f'{where}.durability', DURABILITIES),
    )


def _nodes(value: Any) -> tuple[str, ...]:
    right = isinstance(value, list) and all(
        isinstance(name, str) and NODE_PATTERN.fullmatch(name) for name in value
    )
    _require(right, f'nodes is {value!r} but must be a list of names like camera')
    return tuple(value)


def _rate(value: Any, where: str) -> float | None:
    if value is None:
        return None
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    _require(right, f'{where} is {value!r} but must be a number above 0, or null')
    return float(value)


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
