"""First on the page: what was found, a sentence for each contender, and the headline metrics beside one another."""

import math

from probes.comparison import Cell, Row
from probes.report.amounts import number, ratio
from probes.report.blocks import count, listing, metric_matrix, paragraph, section, style_of
from probes.report.contents import Contents, Subject
from probes.report.markup import Markup, join, tag
from probes.report.strips import mark
from probes.report.titles import title_of

MOST_NAMED = 4
FRAMES = ("frames_delivered", "frames_intended")
ORDER = ("better", "worse", "within noise", "not enough data")


def verdict(contents: Contents) -> Markup:
    """Say what was found."""
    headline = contents.headline()
    rows = [tag("p", mark(item.place), _said(item, contents, headline)) for item in contents.subjects]
    parts: list[Markup | None] = [tag("div", *rows, class_="sentences")]
    if headline:
        parts.append(metric_matrix(_caption(contents), contents, headline, is_brief=True))
        parts.append(_key(contents))
    else:
        parts.append(paragraph("No headline metric was measured; the reasons are below.", kind="empty"))
    return section("verdict", "Verdict", *parts)


def _caption(contents: Contents) -> str:
    if contents.is_comparison:
        return (
            f"Headline metrics: mean over repetitions, 95 % interval, and the ratio to {contents.comparison.baseline}"
        )
    return "Headline metrics: mean over repetitions and 95 % interval"


def _key(contents: Contents) -> Markup | None:
    if not contents.is_comparison:
        return None
    rate = contents.comparison.settings.error_rate
    differs = (
        f": differs by more than noise; in a comparison of equal things any such word appears in {rate:.0%} of cases "
        "at most"
    )
    alike = ": no difference that matters: less than the practical threshold, or than two measurements of one stack"
    return listing(
        (
            join((_pill("better"), ", ", _pill("worse"), differs)),
            join((_pill("within noise"), alike)),
            join((_pill("not enough data"), ": the intervals are too wide to say either")),
        ),
        "key",
    )


def _pill(word: str) -> Markup:
    return tag("span", word, class_=f"verdict {word.replace(' ', '-')}")


def _said(subject: Subject, contents: Contents, headline: list[Row]) -> Markup:
    if not contents.is_comparison:
        return _alone(subject, contents)
    name = tag("strong", subject.name)
    if subject.name == contents.comparison.baseline:
        judged = [row for row in headline if row.better != "neither"]
        best = sum(_is_best(row, subject.name) for row in judged)
        said = f" is what the others are compared with. It has the best value of {best} of "
        return join((name, said, count(len(judged), "headline metric"), "."))
    groups: dict[str, list[tuple[Row, Cell]]] = {word: [] for word in ORDER}
    for row in headline:
        for cell in row.cells:
            if cell.contender == subject.name and cell.verdict is not None:
                groups[cell.verdict].append((row, cell))
    if not any(groups.values()):
        return join((name, " could not be compared with the baseline in any headline metric."))
    parts = [_group(word, found) for word, found in groups.items() if found]
    return join((name, ": ", *_separated(parts), "."))


def _alone(subject: Subject, contents: Contents) -> Markup:
    """Say of a single contender when results arrive and how many frames have one."""
    parts: list[Markup | str] = []
    for row in contents.rows("inference_s"):
        cell = row.cell(subject.name)
        if row.key == "inference_s" and cell.estimate is not None:
            style = style_of(row)
            spread = f" (95 % interval {style.interval(cell.interval)})" if cell.interval else ""
            parts.append(
                f"half of the results arrive within {style.value(cell.estimate)} after their frame was due{spread}"
            )
    frames = [[item["metrics"].get(name, {}).get("value") for item in subject.manifests] for name in FRAMES]
    if all(value is not None for values in frames for value in values):
        delivered, intended = (number(sum(values), 12) for values in frames)
        parts.append(f"{delivered} of {intended} frames have a result")
    if not parts:
        parts.append("no latency was measured")
    return join((tag("strong", subject.name), ": ", *_separated([join((part,)) for part in parts]), "."))


def _separated(parts: list[Markup]) -> list[Markup | str]:
    found: list[Markup | str] = []
    for part in parts:
        found += ["; ", part] if found else [part]
    return found


def _group(word: str, found: list[tuple[Row, Cell]]) -> Markup:
    head = _pill(word)
    if word not in {"better", "worse"}:
        return join((head, f" in {len(found)}"))
    ranked = sorted(found, key=lambda pair: -_distance(pair[1]))
    named = [
        f"{_small(title_of(row.key))}{f' ({ratio(cell.ratio)})' if cell.ratio is not None else ''}"
        for row, cell in ranked[:MOST_NAMED]
    ]
    more = f" and {len(ranked) - MOST_NAMED} more" if len(ranked) > MOST_NAMED else ""
    return join((head, f" in {len(found)}: {', '.join(named)}{more}"))


def _small(title: str) -> str:
    """Write a title inside a sentence."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def _distance(cell: Cell) -> float:
    return abs(math.log(cell.ratio)) if cell.ratio is not None and cell.ratio > 0 else math.inf


def _is_best(row: Row, name: str) -> bool:
    """Tell whether nobody has a better value."""
    known = {cell.contender: cell.estimate for cell in row.cells if cell.estimate is not None}
    if name not in known:
        return False
    least = min(known.values()) if row.better == "lower" else max(known.values())
    return known[name] == least
