"""What the bringup starts, read from its JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTRACT = 1
KEYS = frozenset({'contract', 'port', 'processes'})
PROCESS_KEYS = frozenset({'name', 'command', 'environment', 'port'})


class PlanError(ValueError):
    """The file cannot be used; the text says what was read, from which key, and what is wanted."""


@dataclass(frozen=True)
class Process:
    """One process: name, command, additions to its environment, health port (0 = none)."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int


@dataclass(frozen=True)
class Plan:
    """Processes in the order of their start and the port of the joint health server."""

    port: int
    processes: tuple[Process, ...]


def read_plan(path: Path) -> Plan:
    """Read and check a bringup file.

    Raises:
        PlanError: the file is missing, no JSON, or breaks the contract.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise PlanError(f'{path} cannot be read: {error.strerror}.') from error
    except ValueError as error:
        raise PlanError(f'{path} is no JSON: {error}.') from error
    try:
        return parse_plan(content)
    except PlanError as error:
        raise PlanError(f'{path}: {error}') from error


def parse_plan(content: Any) -> Plan:
    """Check the content of a bringup file.

    Raises:
        PlanError: it breaks the contract.
    """
    _require(isinstance(content, dict), 'the file must hold an object')
    _only(content, KEYS, 'the file')
    contract = content.get('contract')
    _require(contract == CONTRACT, f'contract is {contract!r} but this image speaks {CONTRACT}')
    processes = content.get('processes')
    _require(
        isinstance(processes, list) and len(processes) > 0,
        'processes must be a list with at least one process',
    )
    plan = Plan(
        port=_port(content.get('port', 0), 'port'),
        processes=tuple(_process(item, index) for index, item in enumerate(processes)),
    )
    names = [process.name for process in plan.processes]
    _require(len(set(names)) == len(names), f'process names must differ but are {names}')
    return plan


def _process(item: Any, index: int) -> Process:
    where = f'processes[{index}]'
    _require(isinstance(item, dict), f'{where} must be an object')
    _only(item, PROCESS_KEYS, where)
    name, command = item.get('name'), item.get('command')
    environment = item.get('environment', {})
    _require(isinstance(name, str) and bool(name), f'{where}.name must be a text')
    _require(_texts(command) and bool(command), f'{where}.command must be a list of texts')
    _require(
        isinstance(environment, dict) and _texts(list(environment.values())),
        f'{where}.environment must map names to texts',
    )
    return Process(
        name=name,
        command=tuple(command),
        environment=environment,
        port=_port(item.get('port', 0), f'{where}.port'),
    )


def _port(value: Any, where: str) -> int:
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535
    _require(right, f'{where} is {value!r} but must be a whole number from 0 to 65535')
    return value


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _only(item: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = sorted(item.keys() - keys)
    _require(not unknown, f'{where} has unknown keys {unknown}; choices: {sorted(keys)}')


def _require(condition: bool, sentence: str) -> None:  # noqa: FBT001 (reads as an assertion)
    if not condition:
        raise PlanError(f'{sentence}.')
