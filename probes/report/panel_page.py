"""The page of all panels: pictures of live series in one document that loads nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from probes.panel_answers import Answer, DashboardAnswers
from probes.prometheus import Span
from probes.report.amounts import number
from probes.report.markup import Markup, join, tag
from probes.report.page import asset, policy
from probes.report.strips import mark
from probes.report.timelines import Period, Timeline, bands, key, plot

MOST_LINES = 12
MOST_NUMBERS = 40


@dataclass(frozen=True)
class PageFacts:
    """What the head of the page says: stack, its pattern, the window of rates."""

    stack: str
    pattern: str | None
    window: str


def render(found: Sequence[DashboardAnswers], span: Span, facts: PageFacts) -> str:
    """Make the page. The same answers give the same bytes."""
    style = asset("page.css")
    period = Period(span.from_s, span.until_s, span.step_s)
    title = f"Panels of stack {facts.stack}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style, "")),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    links = [tag("li", tag("a", each.dashboard.title, href=f"#{each.dashboard.name}")) for each in found]
    page = tag(
        "body",
        tag("header", tag("div", tag("h1", title), tag("p", _facts(found, period, facts), class_="facts"))),
        tag("nav", tag("ol", *links), aria_label="Dashboards"),
        tag("main", *(_dashboard(each, period) for each in found)),
    )
    return f"<!doctype html>\n{tag('html', head, page, lang='en')}\n"


def _facts(found: Sequence[DashboardAnswers], period: Period, facts: PageFacts) -> str:
    answers = [answer for each in found for answer in each.answers]
    until = datetime.fromtimestamp(period.until_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [
        *([facts.pattern] if facts.pattern else []),
        f"{number((period.until_s - period.from_s) / 60)} minutes until {until}",
        f"window {facts.window}",
        f"{sum(answer.verdict == 'found' for answer in answers)} of {len(answers)} panels have series",
        "drawn from Prometheus' answers, not by Grafana",
    ]
    return " · ".join(parts)


def _dashboard(each: DashboardAnswers, period: Period) -> Markup:
    rows = [
        join((tag("h3", title), tag("div", *(_panel(answer, period) for answer in answers), class_="pair")))
        for title, answers in each.rows
    ]
    return tag(
        "section",
        tag("h2", each.dashboard.title),
        tag("p", each.dashboard.description),
        *rows,
        id=each.dashboard.name,
    )


def _panel(answer: Answer, period: Period) -> Markup:
    caption = tag("figcaption", tag("strong", answer.panel.title), " ", _count(answer))
    return tag("figure", caption, _drawn(answer, period), _questions(answer))


def _count(answer: Answer) -> Markup:
    if answer.verdict == "found":
        return tag("span", f"{len(answer.lines)} series", class_="remark")
    kind = "verdict worse" if answer.verdict in {"missing", "refused"} else "verdict"
    return tag("span", answer.verdict, class_=kind)


def _drawn(answer: Answer, period: Period) -> Markup:
    if answer.verdict != "found":
        return tag("p", answer.why, class_="empty")
    lines = sorted(
        (Timeline(line.name, line.series.points) for line in answer.lines),
        key=lambda line: (-_largest(line), line.name),
    )
    unit = answer.panel.unit.value
    most = MOST_NUMBERS if answer.panel.kind == "numbers" else MOST_LINES
    shown, left = lines[:most], len(lines) - most
    more = tag("p", f"{left} more with smaller values", class_="note") if left > 0 else None
    if answer.panel.kind == "numbers":
        return join((key(shown, unit), more))
    if answer.panel.kind == "states":
        lanes = [
            tag("div", tag("span", mark(place), line.name, class_="lane-name"), bands(line, period, place),
                class_="lane-line")
            for place, line in enumerate(shown)
        ]  # fmt: skip
        return join((tag("div", *lanes, class_="lanes"), more))
    return join((plot(shown, period, unit), key(shown, unit), more))


def _questions(answer: Answer) -> Markup:
    items = [
        join((tag("dt", query.name), tag("dd", query.description), tag("dd", tag("code", query.expression))))
        for query in answer.panel.queries
    ]
    return tag("details", tag("summary", f"What it means ({answer.panel.unit.value})"), tag("dl", *items))


def _largest(line: Timeline) -> float:
    return max(value for _, value in line.points if math.isfinite(value))
