"""What each node may be told, checked before anything is made of it. Needs no ROS."""

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


def text(default: str, words: str) -> Rule:
    """Rule of a text that is not empty."""
    return Rule(default, lambda value: value if isinstance(value, str) and value else None, words)


COMMON: Mapping[str, Rule] = {
    'health_port': whole(0, 0, 65535),
    'silence_limit_s': positive(5.0),
}
THREADS = whole(1, 1, 256)
MODEL = text(MODEL_IN_IMAGE, f'"{MODEL_IN_IMAGE}" or the path of an ONNX file')

RULES: Mapping[str, Mapping[str, Rule]] = {
    'camera': {
        **COMMON,
        'rate_hz': positive(10.0),
        'width_px': whole(640, 16, 8192),
        'height_px': whole(480, 16, 8192),
        'source': text('pictures', '"pictures", "synthetic" or the path of a folder with pictures'),
        'seed': Rule(
            0,
            lambda v: v if isinstance(v, int) and not isinstance(v, bool) else None,
            'a whole number',
        ),
        'burst': whole(1, 1),
    },
    'detector': {
        **COMMON,
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
        'silence_limit_s': replace(
            positive(8.0), default_from=lambda values: 3 * values['trigger_period_s'] + 5
        ),
        'threads': THREADS,
        'model': MODEL,
        'max_boxes': whole(8, 1),
    },
    'monitor': {**COMMON},
}


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
