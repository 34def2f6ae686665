"""Spans as the request of OTLP over HTTP in JSON (OpenTelemetry protocol 1.0). Needs no ROS.

Identities are in hexadecimal digits and 64-bit integers are texts, as its mapping to JSON wants.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ros2bench_telemetry.span import Span, span_id, trace_id

PATH = '/v1/traces'
CONTENT_TYPE = 'application/json'
PRODUCER, CONSUMER = 4, 5
"""Kinds of spans: one that begins a path of messages, and one that takes a message."""


def request(spans: Iterable[Span], about: Mapping[str, str]) -> bytes:
    """Body of the request that exports spans.

    Args:
        spans: of any nodes.
        about: what all of them are part of: `stack`, `pattern`, and where they ran as `instance`.
    """
    ordered = sorted(spans, key=_kind)
    return json.dumps(
        {
            'resourceSpans': [
                {
                    'resource': {'attributes': _resource(kind, about)},
                    'scopeSpans': [
                        {
                            'scope': {'name': 'ros2bench_telemetry'},
                            'spans': [_span(each, about) for each in of_kind],
                        }
                    ],
                }
                for kind, of_kind in groupby(ordered, _kind)
            ]
        },
        separators=(',', ':'),
    ).encode()


def refused(answer: bytes) -> int:
    """Spans that a collector says it refused although it took the request."""
    try:
        told = json.loads(answer or b'{}')
        return max(int((told.get('partialSuccess') or {}).get('rejectedSpans', 0)), 0)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return 0


def _kind(span: Span) -> str:
    return span.kind


def _resource(kind: str, about: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        _text('service.name', kind),
        _text('service.namespace', about.get('stack', '')),
        _text('service.instance.id', about.get('instance', '')),
    ]


def _span(span: Span, about: Mapping[str, str]) -> dict[str, Any]:
    trace = trace_id(span.frame)
    found: dict[str, Any] = {
        'traceId': trace,
        'spanId': span_id(trace, span.kind),
        'name': span.name,
        'kind': CONSUMER if span.after else PRODUCER,
        'startTimeUnixNano': str(span.begun_ns),
        'endTimeUnixNano': str(span.ended_ns),
        'attributes': [
            _text('ros2bench.stack', about.get('stack', '')),
            _text('ros2bench.pattern', about.get('pattern', '')),
            _text('ros2bench.node', span.node),
            _number('ros2bench.stream', span.frame.stream),
            _number('ros2bench.frame_number', span.frame.number),
            _text('ros2bench.topic', span.topic),
        ],
    }
    if span.after:
        found['parentSpanId'] = span_id(trace, span.after)
    if span.used is not None:
        other = trace_id(span.used[0])
        found['links'] = [{'traceId': other, 'spanId': span_id(other, span.used[1])}]
    return found


def _text(key: str, value: str) -> dict[str, Any]:
    return {'key': key, 'value': {'stringValue': value}}


def _number(key: str, value: int) -> dict[str, Any]:
    return {'key': key, 'value': {'intValue': str(value)}}
