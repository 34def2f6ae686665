"""Fields of messages as metrics: what the stack file asks for, checked. Needs no ROS.

    {"topic": "/joint_states", "preset": "joint-states"}
    {"topic": "/arm/state", "type": "my_interfaces/msg/ArmState", "maxSeries": 100, "maxRateHz": 10,
     "values": [{"name": "arm_joint_torque_newton_meters", "kind": "gauge", "help": "Torque.",
                 "field": "joints[].torque", "labels": {"joint": "joints[].name"}, "scale": 1.0}]}

A mapping that cannot be used is a problem of its own and of nobody else: everything else is
measured. Stacks check the same before anything is deployed.
"""

import math
import re
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ros2bench_recorder.field_path import FieldPath, MappingError, parse_path

MAPPING_KEYS = frozenset(
    {'topic', 'type', 'durability', 'preset', 'fields', 'values', 'maxSeries', 'maxRateHz'}
)
VALUE_KEYS = frozenset({'name', 'kind', 'help', 'field', 'labels', 'scale', 'buckets'})
KINDS = ('gauge', 'counter', 'events', 'histogram')
MOST_SERIES = 100
MOST_SERIES_LIMIT = 10_000
RATE_HZ = 10.0
RATE_LIMIT_HZ = 100.0
TOPIC = re.compile(r'(/[A-Za-z_]\w*)+', re.ASCII)
TYPE = re.compile(r'[A-Za-z]\w*/msg/[A-Za-z]\w*', re.ASCII)
METRIC = re.compile(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', re.ASCII)
LABEL = re.compile(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', re.ASCII)
OWN_PREFIXES = tuple(
    f'ros2bench_{what}_'
    for what in (
        *('message', 'messages', 'topic', 'node', 'run', 'recorder', 'mapping'),
        *('machine', 'container'),
    )
)
RESERVED_LABELS = frozenset(
    {
        'topic', 'le', 'quantile', 'job', 'instance', 'namespace', 'pod', 'machine', 'stack',
        'pattern', 'run',
    }
)  # fmt: skip
COUNTED = '_total'
DERIVED_ENDINGS = ('_bucket', '_count', '_sum', '_info')


@dataclass(frozen=True)
class MappedValue:
    """One metric of a topic.

    Attributes:
        name: of the metric.
        kind: `gauge`, `counter`, `events` or `histogram`; presets also have `state`, a gauge with
            the label `state` that is 1 for the state of now and 0 for those that were.
        help: one sentence.
        field: what is read.
        labels: by name, what names the series.
        scale: factor of the value.
        buckets: upper bounds of a histogram.
        is_magnitude: the field is a vector of x, y and z, whose length is the value.
        may_be_nan: the message says by NaN that it does not know, which is no error.
    """

    name: str
    kind: str
    help: str
    field: FieldPath
    labels: Dictionary[str, FieldPath] = field(default_factory=dict)
    scale: float = 1.0
    buckets: tuple[float, ...] = ()
    is_magnitude: bool = False
    may_be_nan: bool = False

    @property
    def definition(self) -> tuple[Any, ...]:
        """What must be the same wherever the name is used: Prometheus knows a name once."""
        return self.kind, self.help, tuple(self.labels), self.buckets


@dataclass(frozen=True)
class Mapping:
    """What is read from the messages of one topic.

    Attributes:
        topic: its name.
        type: type of its messages; None: as the recorder knows it.
        values: the metrics.
        max_series: most series of each metric.
        max_rate_hz: how often a second messages are read at most.
        durability: `transient_local` where the publisher keeps what it has sent for those who
            come later; of a topic that is recorded, its own counts.
    """

    topic: str
    type: str | None
    values: tuple[MappedValue, ...]
    max_series: int = MOST_SERIES
    max_rate_hz: float = RATE_HZ
    durability: str = 'volatile'


@dataclass(frozen=True)
class Problem:
    """A mapping that cannot be used: whose it is, why, and which metrics are missing for it."""

    topic: str
    sentence: str
    metrics: tuple[str, ...] = ()


def parse_values(items: object) -> tuple[MappedValue, ...]:
    """Read the values that a mapping names itself.

    Raises:
        MappingError: one of them breaks the rules.
    """
    _require(isinstance(items, list) and bool(items), 'values must be a list, not empty')
    return tuple(_value(item) for item in items if _is_object(item, 'each of values'))


def _value(item: Dictionary[str, Any]) -> MappedValue:
    _only(item, VALUE_KEYS, 'a value')
    name, kind = item.get('name'), item.get('kind')
    _require(
        isinstance(name, str) and METRIC.fullmatch(name) is not None,
        f'{name!r} is no name of a metric: small letters, digits and _, beginning with a letter',
    )
    _require(kind in KINDS, f'{name}: kind is {kind!r}; choices: {", ".join(KINDS)}')
    check_name(name, kind)
    meaning = item.get('help')
    _require(isinstance(meaning, str) and bool(meaning), f'{name}: help must be a sentence')
    labels = item.get('labels', {})
    _is_object(labels, f'{name}: labels')
    return MappedValue(
        name=name,
        kind=kind,
        help=meaning,
        field=parse_path(item.get('field')),
        labels={_label(name, label): parse_path(path) for label, path in labels.items()},
        scale=_finite(item.get('scale', 1.0), f'{name}: scale'),
        buckets=_buckets(name, kind, item.get('buckets')),
    )


def check_name(name: str, kind: str) -> None:
    """Refuse a name that means something else to Prometheus, or is ours.

    Raises:
        MappingError: with the reason.
    """
    _require(
        not name.startswith(OWN_PREFIXES),
        f'{name}: names that begin so are counted by ros2bench itself: choose another one',
    )
    counts = kind in ('counter', 'events')
    _require(
        name.endswith(COUNTED) == counts,
        f'{name}: the name of a {kind} must {"" if counts else "not "}end with {COUNTED}',
    )
    _require(
        not name.endswith(DERIVED_ENDINGS),
        f'{name}: names that end with {", ".join(DERIVED_ENDINGS)} have a meaning of their own',
    )


def _label(name: str, label: object) -> str:
    _require(
        isinstance(label, str) and LABEL.fullmatch(label) is not None,
        f'{name}: {label!r} is no name of a label: small letters, digits and _',
    )
    _require(
        label not in RESERVED_LABELS,
        f'{name}: the label {label} is added to every series: choose another name',
    )
    return str(label)


def _buckets(name: str, kind: str, given: object) -> tuple[float, ...]:
    if kind != 'histogram':
        _require(given is None, f'{name}: buckets are for a histogram, this is a {kind}')
        return ()
    _require(
        isinstance(given, list) and 1 <= len(given) <= 100,
        f'{name}: a histogram needs buckets, a list of 1 to 100 upper bounds',
    )
    bounds = tuple(_finite(bound, f'{name}: a bucket') for bound in given)
    rising = all(low < high for low, high in pairwise(bounds))
    _require(rising, f'{name}: buckets must rise, but are {list(bounds)}')
    return bounds


def check_values(values: Sequence[MappedValue]) -> None:
    """Refuse values that contradict themselves or one another.

    Raises:
        MappingError: a name is taken twice, or elements could not be told apart.
    """
    names = [value.name for value in values]
    for name in names:
        _require(names.count(name) == 1, f'{name}: the name is taken twice')
    for value in values:
        many = [label for label, path in value.labels.items() if path.takes_elements]
        if value.field.takes_elements:
            _require(
                bool(many),
                f'{value.name}: the elements of {value.field.text} would all be one series: add a '
                f'label with [] that names them, or take one of them by its number, as in data[0]',
            )
        else:
            _require(
                not many,
                f'{value.name}: {value.field.text} is one value, but the label '
                f'{", ".join(many)} takes every element: write [] in both or in none',
            )


def _finite(value: object, where: str) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    _require(right, f'{where} is {value!r} but must be a number')
    return float(value)


def _is_object(value: object, where: str) -> bool:
    _require(isinstance(value, dict), f'{where} must be an object')
    return True


def _only(item: Dictionary[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = sorted(item.keys() - keys)
    _require(not unknown, f'{where} has unknown keys {unknown}; choices: {sorted(keys)}')


def _require(condition: bool, sentence: str) -> None:  # noqa: FBT001 (reads as an assertion)
    if not condition:
        raise MappingError(sentence)
