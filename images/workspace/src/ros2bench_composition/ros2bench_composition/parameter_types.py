"""Types of parameters: which value fits which, checked before any code of a component runs."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ros2bench_composition.refusal import Refusal

SCALARS: Mapping[type, str] = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}
TYPES = (*SCALARS.values(), *(f'{name}_array' for name in SCALARS.values()))
NAME = re.compile(r'[A-Za-z_]\w*(\.\w+)*', re.ASCII)
SMALLEST, LARGEST = -(2**63), 2**63 - 1


def type_of(value: Any) -> str | None:
    """ROS type of a value, None if it has none; an empty list has none because ROS needs one."""
    if isinstance(value, list):
        types = {type_of(item) for item in value}
        (only,) = types if len(types) == 1 else (None,)
        return f'{only}_array' if only in SCALARS.values() else None
    return SCALARS.get(type(value))


def checked(
    plugin: str, schema: Mapping[str, str] | None, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters as the node gets them: whole numbers become doubles where doubles are wanted.

    Args:
        plugin: for messages.
        schema: type by name; None: any names, scalar values.
        parameters: what was asked for.

    Raises:
        Refusal: `bad_name`, `unknown_parameter`, `parameter_type` or `path_traversal`.
    """
    values = {}
    for name, value in parameters.items():
        if not NAME.fullmatch(name):
            raise Refusal('bad_name', f'The parameter name {name!r} is none that ROS knows.')
        if schema is not None and name not in schema:
            raise Refusal(
                'unknown_parameter',
                f'{plugin} has no parameter {name!r}; choices: {", ".join(sorted(schema))}.',
            )
        found = type_of(value)
        wanted = tuple(SCALARS.values()) if schema is None else (schema[name],)
        if found == 'integer' and wanted == ('double',) and int(float(value)) == value:
            found, value = 'double', float(value)  # noqa: PLW2901 (the value as the node gets it)
        if found not in wanted:
            raise Refusal(
                'parameter_type',
                f'Parameter {name!r} of {plugin} is {value!r} ({found or "no type of ROS"}) '
                f'but must be of type {" or ".join(wanted)}.',
            )
        for item in value if isinstance(value, list) else [value]:
            _check_scalar(name, item)
        values[name] = value
    return values


def _check_scalar(name: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise Refusal('parameter_type', f'Parameter {name!r} is {value!r}, not a finite number.')
    if type(value) is int and not SMALLEST <= value <= LARGEST:
        raise Refusal('parameter_type', f'Parameter {name!r} does not fit into 64 bits.')
    if isinstance(value, str) and ('\0' in value or '..' in value.split('/')):
        raise Refusal(
            'path_traversal', f'Parameter {name!r} is {value!r}: ".." leads out of its folder.'
        )
