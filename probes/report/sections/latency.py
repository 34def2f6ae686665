"""Latency of every frame: distribution, tail, quantiles, and the flow of each topic."""

import numpy as np

from probes.report.amounts import SPACE, amount, number
from probes.report.blocks import folded, matrix, paragraph, prose, section, table, why
from probes.report.contents import Contents, Subject, TopicFlow
from probes.report.curves import Curve, ecdf, quantiles, tail, value_axis
from probes.report.markup import Markup, join, tag
from probes.report.strips import named, style_of

PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
NAMES = ("p5", "p25", "median", "p75", "p90", "p95", "p99", "p99.9", "largest", "frames")
MOST_THIN = 60
"""More repetitions than this are drawn as a whole only."""


def latency(contents: Contents) -> Markup:
    """Draw how late results arrive."""
    measured = [subject for subject in contents.subjects if subject.latencies]
    without = [_why_not(subject) for subject in contents.subjects if not subject.latencies]
    return section(
        "latency",
        "Latency of every frame",
        _plots(measured) if measured else None,
        *without,
        _topics(contents),
    )


def _why_not(subject: Subject) -> Markup:
    reason = subject.latency_missing or "no_samples"
    return paragraph(f"{subject.name}: missing ({reason}: ", prose(why("inference_s", reason)), ").", kind="empty")


def _plots(subjects: list[Subject]) -> Markup:
    curves: list[Curve] = []
    for subject in subjects:
        if 1 < len(subject.latencies) <= MOST_THIN:
            curves += [Curve(subject.place, "", values, is_thin=True) for values in subject.latencies]
    curves += [Curve(item.place, item.name, np.sort(np.concatenate(item.latencies))) for item in subjects]
    axis = value_axis(curves)
    names = tag(
        "p", *(tag("span", named(item.place, item.name), class_=f"entry {style_of(item.place)}") for item in subjects),
        class_="names",
    )  # fmt: skip
    whole = [curve for curve in curves if not curve.is_thin]
    rows = []
    for position, name in enumerate(NAMES):
        cells = []
        for curve in whole:
            found = [*quantiles(curve.values, PROBABILITIES), float(curve.values[-1])]
            said = [f"{'–' if value is None else amount(value, 's')}" for value in found]
            cells.append([*said, number(curve.values.size, 12)][position])
        rows.append((name, cells))
    return join(
        (
            paragraph(
                "From the moment a frame was due at the camera to the arrival of its result, so that waiting behind a "
                "late frame counts. Thin lines are single repetitions, thick ones all together."
            ),
            names,
            tag(
                "div",
                _figure("Share of frames whose result had arrived", ecdf(curves, axis, "s")),
                _figure("Share of frames whose result was later", tail(curves, axis, "s")),
                class_="pair",
            ),
            folded("The same as a table", matrix("Quantiles of the latency", "quantile", subjects, rows)),
        )
    )


def _figure(title: str, drawn: Markup) -> Markup:
    return tag("figure", tag("figcaption", title), drawn)


def _topics(contents: Contents) -> Markup | None:
    rows = [_topic_row(subject, flow) for subject in contents.subjects for flow in subject.flows]
    if not rows:
        return None
    head = (
        "pattern", "topic", "messages", "rate", "lost", "latency, median", "p95", "p99", "transport, median", "p95",
    )  # fmt: skip
    note = paragraph(
        "Inside the windows, at the recorder. Lost: gaps in the publishers' sequence numbers. Transport: from the "
        "publisher's DDS to the recorder's.",
        kind="note",
    )
    return join((tag("h3", "By topic"), table("Messages by topic", head, rows, numbers=range(2, len(head))), note))


def _topic_row(subject: Subject, flow: TopicFlow) -> tuple[str | Markup, ...]:
    rate = "–" if flow.rate_hz is None else f"{number(flow.rate_hz)}{SPACE}Hz"
    times = [*flow.latency, *flow.transport[:2]]
    return (
        named(subject.place, subject.name),
        tag("code", flow.topic),
        number(flow.messages, 12),
        rate,
        "–" if flow.lost is None else number(flow.lost, 12),
        *("–" if value is None else amount(value, "s") for value in times),
    )
