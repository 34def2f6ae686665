"""Names of fields in a message: `gripper.force_n`, `position[]`, `joints[].torque`, `data[2]`.

`[]` takes every element of an array, `[2]` the third. A path is checked against the message type
before the first message comes; then it is a function. Needs no ROS: classes of messages are handed
in, and a class says itself what fields it has.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Protocol

PATH = re.compile(r'[a-z]\w*(\[\d{0,6}\])?(\.[a-z]\w*(\[\d{0,6}\])?)*', re.ASCII)
STEP = re.compile(r'(?P<name>\w+)(\[(?P<index>\d*)\])?', re.ASCII)
ELEMENTS = re.compile(r'sequence<(?P<bounded>.+?)(, \d+)?>|(?P<fixed>.+)\[\d+\]')
MESSAGE = re.compile(r'[A-Za-z]\w*/[A-Za-z]\w*', re.ASCII)
TEXTS = ('string', 'wstring')
FRACTIONS = frozenset({'float', 'double', 'long double', 'float32', 'float64'})
INTEGERS = frozenset(
    {f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64)}
    | {'boolean', 'octet', 'byte', 'char'}
)
Get = Callable[[Any], Any]


class MappingError(ValueError):
    """A mapping that cannot be used; the text says what is wrong and what to write instead."""


class MessageClass(Protocol):
    """What every class of messages tells of itself."""

    def get_fields_and_field_types(self) -> Mapping[str, str]:
        """Types of the fields by name: `double`, `sequence<string>`, `std_msgs/Header`."""
        ...


FindClass = Callable[[str], MessageClass]


@dataclass(frozen=True)
class FieldPath:
    """A path, taken apart at its `[]`.

    Attributes:
        text: as it was written.
        steps: names and indices up to the value, or to the array whose elements are taken.
        below: the same below each element; None where no `[]` is in the path.
    """

    text: str
    steps: tuple[str | int, ...]
    below: tuple[str | int, ...] | None

    @property
    def takes_elements(self) -> bool:
        """Whether it gives many values."""
        return self.below is not None


def parse_path(text: object) -> FieldPath:
    """Read a path.

    Raises:
        MappingError: it is none, or it takes the elements of elements.
    """
    if not isinstance(text, str) or not PATH.fullmatch(text):
        raise MappingError(
            f'{text!r} is no name of a field: it looks like gripper.force_n, position[], '
            f'joints[].torque or data[2]'
        )
    parts: list[list[str | int]] = [[]]
    for step in STEP.finditer(text):
        parts[-1].append(step['name'])
        if step['index']:
            parts[-1].append(int(step['index']))
        elif step['index'] == '':
            parts.append([])
    if len(parts) > 2:
        raise MappingError(
            f'{text} takes the elements of elements: one [] is possible, name the others by '
            f'number, as in status[].values[0].value'
        )
    below = tuple(parts[1]) if len(parts) == 2 else None
    return FieldPath(text, tuple(parts[0]), below)


def value_type(path: FieldPath, of: MessageClass, find: FindClass) -> str:
    """Type of what a path gives, or of each value that it gives.

    Args:
        path: the path.
        of: class of the message.
        find: gives the class of a type by its name, as in `std_msgs/Header`.

    Raises:
        MappingError: the message has no such field.
    """
    found = _walk(path, path.steps, of, find)
    if path.below is None:
        return found
    element = _element(found)
    if element is None:
        raise MappingError(f'{path.text}: a {found} has no elements: leave [] out')
    return _walk(path, path.below, element, find)


def _walk(
    path: FieldPath, steps: tuple[str | int, ...], begin: 'MessageClass | str', find: FindClass
) -> str:
    """Type at the end of some steps from a class, or from a type by its name."""
    kind: MessageClass | str = begin
    for step in steps:
        if isinstance(step, int):
            element = _element(kind) if isinstance(kind, str) else None
            if element is None:
                raise MappingError(f'{path.text}: a {kind} has no element {step}')
            kind = element
            continue
        fields = _class(path, kind, find).get_fields_and_field_types()
        if step not in fields:
            raise MappingError(
                f'{path.text}: there is no field {step}; choices: {", ".join(fields) or "none"}'
            )
        kind = fields[step]
    if not isinstance(kind, str):
        raise MappingError(f'{path.text} names no field')
    return kind


def _class(path: FieldPath, kind: 'MessageClass | str', find: FindClass) -> MessageClass:
    if not isinstance(kind, str):
        return kind
    if _element(kind) is not None:
        raise MappingError(f'{path.text}: a {kind} is an array: take its elements with []')
    if not MESSAGE.fullmatch(kind):
        raise MappingError(f'{path.text}: a {kind} has no fields')
    return find(kind)


def _element(kind: str) -> str | None:
    match = ELEMENTS.fullmatch(kind)
    return None if match is None else match['bounded'] or match['fixed']


def is_text(kind: str) -> bool:
    """Whether values of a type are text."""
    return kind.partition('<')[0] in TEXTS


def is_integer(kind: str) -> bool:
    """Whether values of a type are whole numbers or flags."""
    return kind in INTEGERS


def is_number(kind: str) -> bool:
    """Whether values of a type are numbers or flags."""
    return kind in INTEGERS or kind in FRACTIONS


def getter(steps: tuple[str | int, ...]) -> Get:
    """What follows some steps from a message or an element on.

    The function that it gives raises IndexError where an array is shorter than an index.
    """
    if not steps:
        return _itself
    if all(isinstance(step, str) for step in steps):
        return attrgetter('.'.join(map(str, steps)))
    gets: list[Get] = [
        itemgetter(step) if isinstance(step, int) else attrgetter(step) for step in steps
    ]

    def follow(begin: Any) -> Any:
        for get in gets:
            begin = get(begin)
        return begin

    return follow


def elements(values: Any) -> list[Any]:
    """Elements of an array as Python's own values: of an array of numbers that is much faster."""
    return values.tolist() if hasattr(values, 'tolist') else list(values)


def _itself(value: Any) -> Any:
    return value
