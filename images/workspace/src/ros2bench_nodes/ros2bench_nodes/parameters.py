"""What each node may be told, checked before anything is made of it. Needs no ROS."""

import array
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MODEL_IN_IMAGE = 'pp-ocr'


class ParameterError(ValueError):
    """A parameter that the node refuses; the text is the one sentence for its user."""


@dataclass(frozen=True)
class Rule:
    """What one parameter may be.

    Attributes:
        default: value of a parameter that is not given.
        accept: the value as the node uses it, or None where it is refused.
        words: what is accepted, for the refusal's sentence.
        default_from: default that follows from the parameters whose rules come before this one.
    """

    default: Any
    accept: Callable[[Any], Any]
    words: str
    default_from: Callable[[Mapping[str, Any]], Any] | None = None


def whole(default: int, low: int, high: int | None = None, multiple: int = 1) -> Rule:
    """Rule of a whole number between two limits, both allowed."""

    def accept(value: Any) -> int | None:
        right = isinstance(value, int) and not isinstance(value, bool)
        return (
            value if right and low <= value <= (high or value) and value % multiple == 0 else None
        )

    limits = f'from {low} to {high}' if high else f'of at least {low}'
    step = f' that is a multiple of {multiple}' if multiple > 1 else ''
    return Rule(default, accept, f'a whole number {limits}{step}')


def positive(default: float) -> Rule:
    """Rule of a finite number greater than zero; whole numbers are taken as well."""

    def accept(value: Any) -> float | None:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if right and math.isfinite(value) and value > 0 else None

    return Rule(default, accept, 'a number greater than 0')


def ratio(default: float) -> Rule:
    """Rule of a number from 0 to 1."""

    def accept(value: Any) -> float | None:
        right = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if right and 0 <= value <= 1 else None

    return Rule(default, accept, 'a number from 0 to 1')


def not_negative(default: float) -> Rule:
    """Rule of a finite number of at least zero."""
    return Rule(default, _not_negative, 'a number of at least 0')


def several_not_negative(default: float) -> Rule:
    """Rule of a list of finite numbers of at least zero, one at the least."""

    def accept(value: Any) -> tuple[float, ...] | None:
        if not isinstance(value, (list, tuple, array.array)) or not len(value):
            return None
        numbers = [_not_negative(item) for item in value]
        return None if None in numbers else tuple(numbers)

    return Rule([default], accept, 'a list of numbers of at least 0, for example [0.0, 0.005]')


def choice(*names: str) -> Rule:
    """Rule of one of several names; the first is the default."""
    words = ' or '.join(f'"{name}"' for name in names)
    return Rule(names[0], lambda value: value if value in names else None, words)


def text(default: str, words: str) -> Rule:
    """Rule of a text that is not empty."""
    return Rule(default, lambda value: value if isinstance(value, str) and value else None, words)


def _not_negative(value: Any) -> float | None:
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if right and math.isfinite(value) and value >= 0 else None


SEED = Rule(
    0,
    lambda v: v if isinstance(v, int) and not isinstance(v, bool) else None,
    'a whole number',
)
COMMON: Mapping[str, Rule] = {
    'health_port': whole(0, 0, 65535),
    'silence_limit_s': positive(5.0),
}
STREAM: Mapping[str, Rule] = {'stream': whole(0, 0, 1024)}
FAULTS: Mapping[str, Rule] = {
    'fault_delays_s': several_not_negative(0.0),
    'fault_stall_s': not_negative(0.0),
    'fault_stall_frame': whole(0, 0),
    'fault_drop_ratio': ratio(0.0),
    'fault_seed': SEED,
}
THREADS = whole(1, 1, 256)
MODEL = text(MODEL_IN_IMAGE, f'"{MODEL_IN_IMAGE}" or the path of an ONNX file')

RULES: Mapping[str, Mapping[str, Rule]] = {
    'camera': {
        **COMMON,
        **STREAM,
        **FAULTS,
        'rate_hz': positive(10.0),
        'width_px': whole(640, 16, 8192),
        'height_px': whole(480, 16, 8192),
        'source': text(
            'pictures',
            '"pictures", "synthetic", the path of a folder with pictures or of a video device',
        ),
        'encoding': choice('rgb8', 'bgr8', 'mono8', 'jpeg'),
        'seed': SEED,
        'burst': whole(1, 1),
    },
    'detector': {
        **COMMON,
        **STREAM,
        **FAULTS,
        'inference': choice('onnx', 'synthetic'),
        'cost_s': positive(0.02),
        'input_width_px': whole(320, 32, 8192, multiple=32),
        'input_height_px': whole(224, 32, 8192, multiple=32),
        'threads': THREADS,
        'score_threshold': ratio(0.5),
        'model': MODEL,
        'repeat': whole(1, 1),
    },
    'reader': {
        'trigger_period_s': positive(1.0),
        **COMMON,
        **STREAM,
        'silence_limit_s': replace(
            positive(8.0), default_from=lambda values: 3 * values['trigger_period_s'] + 5
        ),
        'threads': THREADS,
        'model': MODEL,
        'max_boxes': whole(8, 1),
    },
    'monitor': {**COMMON, **STREAM, **FAULTS, 'report_frames': whole(0, 0)},
}


def variable_prefix(kind: str) -> str:
    """What the variables begin with that replace the defaults of a node's parameters."""
    return f'ROS2BENCH_{kind.upper()}_'


def from_environment(
    kind: str, rules: Mapping[str, Rule], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Parameters from the environment: `ROS2BENCH_CAMERA_RATE_HZ=20` is `rate_hz` of a camera.

    They replace defaults; what the parameters file says comes first.

    Args:
        kind: what the node is.
        rules: its parameters.
        environment: all variables of the process.

    Returns:
        Values by parameter: numbers, lists and true or false as JSON, everything else as text.

    Raises:
        ParameterError: a variable of this node that none of its parameters has.
    """
    prefix = variable_prefix(kind)
    found: dict[str, Any] = {}
    for variable in sorted(environment):
        if not variable.startswith(prefix):
            continue
        name = variable.removeprefix(prefix).lower()
        if name not in rules:
            choices = ', '.join(f'{prefix}{known.upper()}' for known in sorted(rules))
            raise ParameterError(
                f'The environment variable {variable} stands for no parameter of the {kind}; '
                f'choices: {choices}.'
            )
        found[name] = _value(environment[variable])
    return found


def _value(words: str) -> Any:
    try:
        value = json.loads(words)
    except ValueError:
        return words
    return words if value is None or isinstance(value, dict) else value


def checked(
    kind: str, given: Mapping[str, Any], rules: Mapping[str, Rule] | None = None
) -> dict[str, Any]:
    """Complete and check the parameters of one node.

    Args:
        kind: what the node is, for the sentences: camera, detector, reader or monitor.
        given: parameters as ROS delivers them.
        rules: the node's parameters; None: those of `RULES` for this kind.

    Returns:
        Every parameter of the node, defaults filled in.

    Raises:
        ParameterError: unknown name or refused value; the text says what to write instead.
    """
    rules = RULES[kind] if rules is None else rules
    for name in given:
        if name not in rules:
            raise ParameterError(
                f'The {kind} has no parameter "{name}"; it has {", ".join(sorted(rules))}: '
                f'correct the name in the parameters file.'
            )
    values: dict[str, Any] = {}
    for name, rule in rules.items():
        default = rule.default_from(values) if rule.default_from else rule.default
        value = given.get(name, default)
        accepted = rule.accept(value)
        if accepted is None:
            raise ParameterError(
                f'Parameter "{name}" of the {kind} is {value!r} but must be {rule.words}: '
                f'correct it in the parameters file.'
            )
        values[name] = accepted
    return values
