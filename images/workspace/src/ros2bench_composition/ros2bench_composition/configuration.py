"""What a component container holds and whom it obeys, read from its JSON file. Needs no ROS."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ros2bench_composition.component import NODE, Component, parse_component
from ros2bench_composition.limits import Limits
from ros2bench_composition.refusal import Refusal

CONTRACT = 1
KEYS = frozenset(
    {'contract', 'port', 'container', 'process', 'executor', 'trust', 'limits', 'components'}
)
TRUST_KEYS = frozenset({'manifest', 'public_key', 'signature', 'sros2'})
PROCESSES = ('per-component', 'shared')
EXECUTORS = ('single', 'multi', 'isolated')


class ConfigurationError(ValueError):
    """The file cannot be used; the text says what was read, from which key, and what is wanted."""


@dataclass(frozen=True)
class Trust:
    """Whom and what the container trusts; with `sros2` SROS 2 guards the services."""

    manifest: str
    public_key: str
    signature: str
    sros2: bool


@dataclass(frozen=True)
class Configuration:
    """One component container."""

    port: int
    container: str
    process: str
    executor: str
    trust: Trust
    limits: Limits
    components: tuple[Component, ...]
    sha256: str


def read_configuration(path: Path) -> Configuration:
    """Read and check a composition file.

    Raises:
        ConfigurationError: the file is missing, no JSON, or breaks the contract.
    """
    try:
        content = path.read_bytes()
        return parse_configuration(json.loads(content), hashlib.sha256(content).hexdigest())
    except OSError as error:
        raise ConfigurationError(f'{path} cannot be read: {error.strerror}.') from error
    except (ConfigurationError, Refusal) as error:
        raise ConfigurationError(f'{path}: {error}') from error
    except ValueError as error:
        raise ConfigurationError(f'{path} is no JSON: {error}.') from error


def parse_configuration(content: Any, sha256: str) -> Configuration:
    """Check the content of a composition file.

    Raises:
        ConfigurationError: it breaks the contract.
        Refusal: a component has a name that is not allowed.
    """
    _require(isinstance(content, dict), 'the file must hold an object')
    _only(content, KEYS, 'the file')
    contract = content.get('contract')
    _require(contract == CONTRACT, f'contract is {contract!r} but this image speaks {CONTRACT}')
    container = content.get('container')
    named = isinstance(container, str) and NODE.fullmatch(container)
    _require(bool(named), f'container is {container!r} but must be a node name')
    components = content.get('components', [])
    _require(isinstance(components, list), 'components must be a list')
    configuration = Configuration(
        port=_whole(content.get('port', 0), 'port', 0, 65535),
        container=container,
        process=_choice(content.get('process', PROCESSES[0]), 'process', PROCESSES),
        executor=_choice(content.get('executor', EXECUTORS[0]), 'executor', EXECUTORS),
        trust=_trust(content.get('trust')),
        limits=_limits(content.get('limits', {})),
        components=tuple(
            parse_component(item, f'components[{index}]') for index, item in enumerate(components)
        ),
        sha256=sha256,
    )
    names = [component.full_name for component in configuration.components]
    _require(len(set(names)) == len(names), f'node names must differ but are {names}')
    most = configuration.limits.components
    _require(len(names) <= most, f'{len(names)} components exceed limits.components, {most}')
    return configuration


def _trust(content: Any) -> Trust:
    _require(isinstance(content, dict), 'trust must be an object')
    _only(content, TRUST_KEYS, 'trust')
    texts = [content.get(key) for key in ('manifest', 'public_key', 'signature')]
    right = all(isinstance(text, str) and text for text in texts)
    _require(right, 'trust must have the texts manifest, public_key and signature')
    sros2 = content.get('sros2', False)
    _require(isinstance(sros2, bool), f'trust.sros2 is {sros2!r} but must be true or false')
    return Trust(*texts, sros2=sros2)


def _limits(content: Any) -> Limits:
    _require(isinstance(content, dict), 'limits must be an object')
    known = frozenset(field.name for field in fields(Limits))
    _only(content, known, 'limits')
    for key, value in content.items():
        right = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        whole = key == 'load_timeout_s' or isinstance(value, int)
        _require(right and whole, f'limits.{key} is {value!r} but must be a number above 0')
    return Limits(**content)


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
