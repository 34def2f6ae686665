"""Section `application.metrics` of a stack file: fields of messages that the recorder serves as metrics. Plain data.

The recorder checks the same again (`ros2bench_recorder.mapping`) and knows more: the fields of each message type.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from components.graph import Durability
from stacks.section import Section

TopicName = Annotated[str, Field(pattern=r"^(/[A-Za-z_][A-Za-z0-9_]*)+$")]
MessageType = Annotated[str, Field(pattern=r"^[a-zA-Z]\w*/msg/[A-Z]\w*$")]
MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=200)]
LabelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=60)]
FieldPath = Annotated[
    str, Field(pattern=r"^[a-z][A-Za-z0-9_]*(\[[0-9]{0,6}\])?(\.[a-z][A-Za-z0-9_]*(\[[0-9]{0,6}\])?)*$")
]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Kind = Literal["gauge", "counter", "events", "histogram"]
Preset = Literal["joint-states", "battery", "diagnostics", "odometry", "mission", "safety"]

EVERY = "[]"
OWN_PREFIXES = tuple(
    f"ros2bench_{what}_"
    for what in ("message", "messages", "topic", "node", "run", "recorder", "mapping", "machine", "container")
)
"""Of series that recorder and machine readers count themselves. Other names of dashboards may be mapped by hand."""
COUNTED = "_total"
DERIVED_ENDINGS = ("_bucket", "_count", "_sum", "_info")
ADDED_LABELS = frozenset(
    {"topic", "le", "quantile", "job", "instance", "namespace", "pod", "machine", "stack", "pattern", "run"}
)
"""Labels that Prometheus, its relabelling or the recorder add themselves."""
PRESET_TYPES: Mapping[Preset, str] = {
    "joint-states": "sensor_msgs/msg/JointState",
    "battery": "sensor_msgs/msg/BatteryState",
    "diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
    "odometry": "nav_msgs/msg/Odometry",
    "mission": "std_msgs/msg/Float32",
    "safety": "std_msgs/msg/Bool",
}
PRESET_SERIES: Mapping[Preset, Mapping[str, Kind]] = {
    "joint-states": {
        "ros2bench_joint_position_radians": "gauge",
        "ros2bench_joint_velocity_radians_per_second": "gauge",
        "ros2bench_joint_effort_newton_meters": "gauge",
    },
    "battery": {
        "ros2bench_battery_charge_ratio": "gauge",
        "ros2bench_battery_voltage_volts": "gauge",
        "ros2bench_battery_current_amperes": "gauge",
        "ros2bench_battery_temperature_celsius": "gauge",
    },
    "diagnostics": {"ros2bench_diagnostic_level": "gauge"},
    "odometry": {
        "ros2bench_odometry_linear_speed_meters_per_second": "gauge",
        "ros2bench_odometry_angular_speed_radians_per_second": "gauge",
    },
    "mission": {"ros2bench_mission_progress_ratio": "gauge"},
    "safety": {"ros2bench_safety_flag": "gauge", "ros2bench_safety_events_total": "events"},
}
"""Metrics of each preset, as long as `fields` names no others."""
PRESET_FIELDS: Mapping[str, Mapping[str, Mapping[str, Kind]]] = {
    "mission": {
        "progress": {"ros2bench_mission_progress_ratio": "gauge"},
        "state": {"ros2bench_mission_state": "gauge"},
    },
    "safety": {"flag": PRESET_SERIES["safety"]},
}
"""What `fields` may name, and the metrics that come from it."""


class MappedValue(Section):
    """One metric of a topic."""

    name: MetricName = Field(
        description="Name of the metric; that of a counter and of events ends with `_total`, with the unit before it."
    )
    kind: Kind = Field(
        description="`gauge`: the value as it is. `counter`: the field counts already. `events`: how often the field "
        "became true or another value. `histogram`: how the values are spread."
    )
    help: str = Field(min_length=1, max_length=500, description="What it means, in a sentence.")
    field: FieldPath = Field(
        description="Field of the message: `gripper.force_n`, `data[2]`; `[]` takes every element: `joints[].torque`."
    )
    labels: dict[LabelName, FieldPath] = Field(
        default_factory=dict[str, str],
        description="Fields that name the series, by label. One with `[]` runs beside that of the value.",
    )
    scale: float = Field(default=1.0, description="Factor of the value, for a unit without prefix.")
    buckets: list[Bound] | None = Field(
        default=None, min_length=1, max_length=100, description="Upper bounds of a histogram, rising."
    )

    @model_validator(mode="after")
    def _name_fits_the_kind(self) -> Self:
        if self.name.startswith(OWN_PREFIXES):
            raise ValueError(f"name is {self.name}: names that begin so are counted by ros2bench, choose another one")
        counts = self.kind in ("counter", "events")
        if self.name.endswith(COUNTED) != counts:
            rule = "ends" if counts else "does not end"
            raise ValueError(f"name is {self.name}: the name of a metric of kind {self.kind} {rule} with {COUNTED}")
        if self.name.endswith(DERIVED_ENDINGS):
            raise ValueError(
                f"name is {self.name}: {', '.join(DERIVED_ENDINGS)} at the end have a meaning of their own"
            )
        return self

    @model_validator(mode="after")
    def _series_can_be_told_apart(self) -> Self:
        if taken := sorted(self.labels.keys() & ADDED_LABELS):
            raise ValueError(f"labels: {', '.join(taken)} is added to every series, choose another name")
        paths = (self.field, *self.labels.values())
        if deep := [path for path in paths if path.count(EVERY) > 1]:
            raise ValueError(f"{deep[0]}: one [] is possible, name other elements by number: status[].values[0].value")
        many = [label for label, path in self.labels.items() if EVERY in path]
        if EVERY in self.field and not many:
            raise ValueError(
                f"field is {self.field}: its elements would all be one series. Add a label with [] that names them, or "
                "take one of them by its number: data[0]"
            )
        if EVERY not in self.field and many:
            raise ValueError(
                f"field is {self.field}, one value, but label {many[0]} takes every element. Write [] in both or "
                "in none"
            )
        return self

    @model_validator(mode="after")
    def _buckets_rise(self) -> Self:
        if (self.buckets is None) == (self.kind == "histogram"):
            raise ValueError("buckets belong to the kind histogram, and a histogram needs them")
        bounds = self.buckets or []
        if any(low >= high for low, high in itertools.pairwise(bounds)):
            raise ValueError(f"buckets must rise, but are {bounds}")
        if not math.isfinite(self.scale):
            raise ValueError(f"scale is {self.scale}, a finite number is expected")
        return self

    def definition(self) -> tuple[Any, ...]:
        """What must be the same wherever the name is used: Prometheus knows a name once."""
        return self.kind, self.help, tuple(self.labels), tuple(self.buckets or ())


class MetricMapping(Section):
    """What is read from the messages of one topic: a preset, or values."""

    topic: TopicName = Field(description="Name of the topic. It need not be measured.")
    type: MessageType | None = Field(
        default=None,
        description="Message type. None: that of `application.topics`, else the usual one of the preset.",
    )
    durability: Durability | None = Field(
        default=None,
        description="`transient_local`: its publisher keeps messages for who comes later (a latched topic), and the "
        "last one counts even if it was sent before the recorder listened; the publisher must be reliable, too. "
        "None: that of `application.topics`, else `volatile`.",
    )
    preset: Preset | None = Field(
        default=None, description="What is usual for a message type, under names that dashboards know."
    )
    fields: dict[str, FieldPath] | None = Field(
        default=None,
        description="Fields of a message type of your own for the presets `mission` (`progress`, `state`) and "
        "`safety` (`flag`).",
    )
    values: list[MappedValue] | None = Field(default=None, min_length=1, description="Metrics of your own.")
    max_series: int = Field(default=100, ge=1, le=10_000, description="Most series of each metric.")
    max_rate_hz: float = Field(default=10.0, gt=0, le=100, description="How often a second messages are read at most.")

    @model_validator(mode="after")
    def _preset_or_values(self) -> Self:
        if (self.preset is None) == (self.values is None):
            raise ValueError(f"topic {self.topic}: a mapping has a preset or values, one of both")
        if self.fields is not None:
            known = PRESET_FIELDS.get(self.preset or "", {})
            if not self.fields or not self.fields.keys() <= known.keys():
                choices = ", ".join(known) or "none: write values instead"
                raise ValueError(f"fields name {', '.join(self.fields) or 'nothing'}; choices: {choices}")
            if many := [path for path in self.fields.values() if EVERY in path]:
                raise ValueError(f"fields: {many[0]} takes every element, one is possible")
        names = [value.name for value in self.values or ()]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"values: the name {repeated[0]} is taken twice")
        return self

    def kinds(self) -> Mapping[str, Kind]:
        """Kind of each metric that it makes, by name; what is counted or spread over buckets is not a gauge."""
        if self.preset is None:
            return {value.name: value.kind for value in self.values or ()}
        if self.fields is None:
            return PRESET_SERIES[self.preset]
        known = PRESET_FIELDS[self.preset]
        return {name: kind for field in self.fields for name, kind in known[field].items()}


def kinds(mappings: Sequence[MetricMapping]) -> dict[str, Kind]:
    """Kind of each metric that mappings make, by name."""
    return {name: kind for mapping in mappings for name, kind in mapping.kinds().items()}


def contradictions(mappings: Sequence[MetricMapping]) -> Iterator[str]:
    """Names that two mappings give different meanings, or one topic twice: sentences that say what to change."""
    seen: dict[str, tuple[str, Any]] = {}
    on_topic: set[tuple[str, str]] = set()
    for mapping in mappings:
        definitions: dict[str, Any] = dict.fromkeys(mapping.kinds(), mapping.preset)
        definitions |= {value.name: value.definition() for value in mapping.values or ()}
        for name, definition in definitions.items():
            topic, known = seen.setdefault(name, (mapping.topic, definition))
            if (mapping.topic, name) in on_topic:
                yield f"the name {name} is taken twice on {mapping.topic}, choose another one"
            elif known != definition:
                yield (
                    f"the name {name} is taken by {topic}, with another meaning: choose another one, or write the same "
                    f"kind, help, labels and buckets for {mapping.topic}"
                )
            on_topic.add((mapping.topic, name))
