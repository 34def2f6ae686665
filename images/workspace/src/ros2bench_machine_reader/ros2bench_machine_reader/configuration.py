"""What the machine reader may do and where it looks, read from its JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTRACT = 1
KEYS = frozenset(
    {
        'contract', 'port', 'network_port', 'operator', 'period_s', 'cgroup_root', 'proc_root',
        'sys_root', 'power', 'containerd', 'runtime_state', 'captures', 'allow',
    }
)  # fmt: skip
ALLOWED = frozenset({'image_removal', 'faults'})
SHORTEST_PERIOD_S = 0.01
LONGEST_PERIOD_S = 10.0


class ConfigurationError(ValueError):
    """The file cannot be used; the text says what was read, from which key, and what is wanted."""


@dataclass(frozen=True)
class Configuration:
    """Settings of one machine reader.

    Attributes:
        operator: base64 of the Ed25519 key whose calls are obeyed.
        period_s: time between two readings while something is captured.
        power: settings of the power sources, as the stack file has them.
        containerd: its socket; none where images cannot be asked for.
        runtime_state: folder in which runc keeps a folder for each container; none where starts
            are not asked for.
        folder: where captures are kept, at most `limit_bytes` in all.
        allow_image_removal: whether images may be removed.
        allow_faults: whether network faults may be injected.
    """

    port: int
    network_port: int
    operator: str
    period_s: float
    cgroup_root: Path
    proc_root: Path
    sys_root: Path
    folder: Path
    limit_bytes: int
    power: Mapping[str, Any] = field(default_factory=dict)
    containerd: Path | None = None
    runtime_state: Path | None = None
    allow_image_removal: bool = False
    allow_faults: bool = False


def read_configuration(path: Path) -> Configuration:
    """Read and check the file.

    Raises:
        ConfigurationError: it is missing, no JSON, or breaks the contract.
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
    """Check the content of the file.

    Raises:
        ConfigurationError: it breaks the contract.
    """
    _require(isinstance(content, dict), 'the file must hold an object')
    unknown = sorted(content.keys() - KEYS)
    _require(not unknown, f'the file has unknown keys {unknown}; choices: {sorted(KEYS)}')
    contract = content.get('contract')
    _require(contract == CONTRACT, f'contract is {contract!r} but this image speaks {CONTRACT}')
    power, allow = content.get('power', {}), content.get('allow', {})
    _require(isinstance(power, dict), f'power is {power!r} but must be an object')
    right = isinstance(allow, dict) and allow.keys() <= ALLOWED
    right = right and all(isinstance(value, bool) for value in allow.values())
    _require(right, f'allow is {allow!r} but must be an object of {sorted(ALLOWED)}, true or false')
    containerd, captures = content.get('containerd'), content.get('captures')
    runtime_state = content.get('runtime_state')
    right = isinstance(captures, dict) and captures.keys() == {'folder', 'limit_bytes'}
    _require(right, f'captures is {captures!r} but must be {{"folder", "limit_bytes"}}')
    return Configuration(
        port=_whole(content, 'port', 65535),
        network_port=_whole(content, 'network_port', 65535),
        operator=_text(content, 'operator'),
        period_s=_period(content.get('period_s')),
        cgroup_root=_folder(content, 'cgroup_root'),
        proc_root=_folder(content, 'proc_root'),
        sys_root=_folder(content, 'sys_root'),
        folder=_folder(captures, 'folder'),
        limit_bytes=_whole(captures, 'limit_bytes', 1 << 50),
        power=power,
        containerd=None if containerd is None else _folder(content, 'containerd'),
        runtime_state=None if runtime_state is None else _folder(content, 'runtime_state'),
        allow_image_removal=allow.get('image_removal', False),
        allow_faults=allow.get('faults', False),
    )


def _period(value: Any) -> float:
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    right = right and SHORTEST_PERIOD_S <= value <= LONGEST_PERIOD_S
    span = f'{SHORTEST_PERIOD_S} to {LONGEST_PERIOD_S}'
    _require(right, f'period_s is {value!r} but must be a number from {span}')
    return float(value)


def _whole(content: Mapping[str, Any], key: str, high: int) -> int:
    value = content.get(key)
    right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= high
    _require(right, f'{key} is {value!r} but must be a whole number from 1 to {high}')
    return int(value or 0)


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    _require(isinstance(value, str) and value, f'{key} is {value!r} but must be text, not empty')
    return str(value)


def _folder(content: Mapping[str, Any], key: str) -> Path:
    path = _text(content, key)
    _require(path.startswith('/'), f'{key} is {path!r} but must be an absolute path')
    return Path(path)


def _require(condition: Any, sentence: str) -> None:
    if not condition:
        raise ConfigurationError(f'{sentence}.')
