"""From a message to the values of one metric, by functions that were made before it came.

Made once for each mapped value and called for every message that is read. Needs no ROS.
"""

from collections.abc import Callable, Sequence
from math import hypot, isfinite
from typing import Any

from ros2bench_recorder.field_path import (
    FieldPath,
    FindClass,
    Get,
    MappingError,
    MessageClass,
    elements,
    getter,
    is_integer,
    is_number,
    is_text,
    value_type,
)
from ros2bench_recorder.mapping import MappedValue

LONGEST_LABEL = 256
AXES = ('x', 'y', 'z')
Labels = tuple[str, ...]
# A number, text where changes are counted, or None where nothing could be read.
Value = int | float | str | None
# Labels of each series, and its value; the same list of labels as before where they are the same.
Found = tuple[Sequence[Labels], Sequence[Value]]
NOTHING: Found = ((), ())
Read = Callable[[Any], Found]


class Unreadable(Exception):  # noqa: N818 (a message that cannot be read is no fault of ours)
    """A message that does not hold what the mapping expects; the text says what is wrong."""


def check_types(value: MappedValue, of: MessageClass, find: FindClass) -> None:
    """Refuse fields that the message does not have, or whose type cannot be what is wanted.

    Args:
        value: the metric.
        of: class of the messages.
        find: gives the class of a type by its name.

    Raises:
        MappingError: with the field, its type, and the choices.
    """
    kind = value_type(value.field, of, find)
    if value.is_magnitude:
        parts = [value_type(_axis(value.field, axis), of, find) for axis in AXES]
    else:
        parts = [kind]
    takes_text = value.kind in ('events', 'state')
    for part in parts:
        if not (is_number(part) or (takes_text and is_text(part))):
            wanted = 'a number or text' if takes_text else 'a number'
            raise MappingError(f'{value.field.text} is a {part} but must be {wanted}')
    for label, path in value.labels.items():
        part = value_type(path, of, find)
        if not (is_text(part) or is_integer(part)):
            raise MappingError(
                f'label {label}: {path.text} is a {part} but must be text or a whole number'
            )


def make_reader(value: MappedValue) -> Read:
    """The function that reads one metric from a message.

    It gives the labels of each series and its value, and raises Unreadable where it cannot tell
    series apart.
    """
    convert = _converter(value)
    if not value.field.takes_elements:
        return _one(value, convert)
    return _many(value, convert)


def _one(value: MappedValue, convert: Callable[[Any], Value]) -> Read:
    get = getter(value.field.steps)
    names = [getter(path.steps) for path in value.labels.values()]
    known: list[Labels] = [()]

    def read(message: Any) -> Found:
        nonlocal known
        try:
            labels = tuple(_label(name(message)) for name in names)
            found = get(message)
        except IndexError:
            raise Unreadable(f'{value.field.text}: the array has no such element') from None
        if labels != known[0]:
            known = [labels]
        return known, [convert(found)]

    return read


def _many(value: MappedValue, convert: Callable[[Any], Value]) -> Read:
    take = _taker(value.field)
    names = [_taker(path) for path in value.labels.values()]
    before: list[Any] = []
    known: list[Labels] = []

    def read(message: Any) -> Found:
        nonlocal before, known
        try:
            found = take(message)
            if not found:
                # By the custom of ROS an empty array says that there is nothing of the kind.
                return NOTHING
            columns = [name(message) for name in names]
        except IndexError:
            raise Unreadable(f'{value.field.text}: an array has no such element') from None
        # Mostly the labels are those of the message before.
        if columns != before or len(known) != len(found):
            before, known = columns, _labels(value, columns, len(found))
        return known, [convert(each) for each in found]

    return read


def _labels(value: MappedValue, columns: Sequence[Any], count: int) -> list[Labels]:
    """Labels of every element.

    Raises:
        Unreadable: an array beside the values is not as long as they are.
    """
    shown: list[list[str]] = []
    for path, column in zip(value.labels.values(), columns, strict=True):
        if not path.takes_elements:
            shown.append([_label(column)] * count)
            continue
        if len(column) != count:
            raise Unreadable(
                f'{value.field.text} has {count} elements, {path.text} has {len(column)}'
            )
        shown.append([_label(each) for each in column])
    return list(zip(*shown, strict=True))


def _taker(path: FieldPath) -> Get:
    """Every element as a list, or the one value where the path takes no elements."""
    get = getter(path.steps)
    if path.below is None:
        return get
    if not path.below:
        return lambda message: elements(get(message))
    below = getter(path.below)
    return lambda message: [below(each) for each in get(message)]


def _converter(value: MappedValue) -> Callable[[Any], Value]:
    if value.kind == 'state':
        return _state
    if value.kind == 'events':
        return _comparable
    if value.is_magnitude:
        return lambda vector: _number(hypot(vector.x, vector.y, vector.z), value.scale)
    scale = value.scale
    return lambda found: _number(found, scale)


def _number(value: Any, scale: float) -> float | None:
    """A finite number; the type `byte` of ROS is a byte string of length one."""
    number = value[0] * scale if isinstance(value, bytes) else value * scale
    return float(number) if isfinite(number) else None


def _comparable(value: Any) -> Value:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value[0]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def _state(value: Any) -> Value:
    shown = _label(value)
    return shown if len(shown) <= LONGEST_LABEL else None


def _label(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, bytes):
        return str(value[0])
    return str(value)


def _axis(path: FieldPath, axis: str) -> FieldPath:
    if path.below is None:
        return FieldPath(f'{path.text}.{axis}', (*path.steps, axis), None)
    return FieldPath(f'{path.text}.{axis}', path.steps, (*path.below, axis))
