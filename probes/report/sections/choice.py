"""Which contender suits a situation: the answer, the situation and its weights to change, and what decides."""

import json
from dataclasses import asdict

from probes.report.amounts import TIMES, percent
from probes.report.blocks import folded, listing, paragraph, section
from probes.report.contents import Contents, Subject
from probes.report.decision import Decision, Ranking
from probes.report.draws import DRAWS, GOLDEN, LEAST_REPETITIONS, SEED, stretch
from probes.report.gather import is_exact
from probes.report.markup import Markup, join, tag
from probes.report.situations import CRITERIA, MOST_WEIGHT, SETTINGS, SITUATIONS, Criterion, Situation
from probes.report.strips import mark, named, style_of

WORTH_NAMING = 0.05
TITLES = {criterion.name: criterion.title for criterion in CRITERIA}


def choice(contents: Contents) -> Markup | None:
    """Rank the contenders for a situation; None where there is nothing to choose from."""
    if not contents.is_comparison:
        return None
    subjects = contents.subjects
    decision = decision_of(contents)
    situation = SITUATIONS[0]
    ranking = decision.rank(situation.setting, situation.weights)
    return section(
        "choice",
        "Which to choose",
        paragraph(
            "That depends on where the application runs and what counts there. Choose a situation, or change its "
            "numbers and weights: the ranking follows. The weights are a judgement, yours; the costs are measured."
        ),
        tag("p", answer(ranking), id="answer", role="status", class_="answer"),
        _standings(subjects, ranking),
        tag("p", turns(ranking), id="turns", class_="note"),
        _form(subjects, situation, ranking),
        tag("div", left_out(ranking), id="left-out"),
        _how(),
        tag("noscript", paragraph("Without scripts the numbers are those of the first situation.", kind="note")),
        tag("script", Markup(_data(decision).replace("<", "\\u003c")), type="application/json", id="decision-data"),
    )


def decision_of(contents: Contents) -> Decision:
    """Make the decision of a page's contenders."""
    exact = frozenset(row.key for row in contents.comparison.rows if is_exact(row.key))
    return Decision([subject.evidence for subject in contents.subjects], exact)


def answer(ranking: Ranking) -> str:
    """Say who costs least, and how sure that is."""
    if ranking.leader is None:
        return "Nothing that counts in this situation was measured for all of them."
    if ranking.few:
        return (
            f"{ranking.leader} costs least by these weights. How sure that is cannot be said: something that counts "
            f"was measured fewer than {LEAST_REPETITIONS} times."
        )
    chances = {item.name: item.probability or 0.0 for item in ranking.standings}
    said = f"{ranking.leader} costs least by these weights, with a probability of {percent(chances[ranking.leader])}"
    others = sorted((name for name in chances if name != ranking.leader), key=lambda name: -chances[name])
    named = [f"{name} {percent(chances[name])}" for name in others if chances[name] >= WORTH_NAMING]
    return f"{said}; {', '.join(named)}." if named else f"{said}."


def turns(ranking: Ranking) -> str:
    """Say which criteria the answer hangs on."""
    if ranking.leader is None:
        return ""
    if not ranking.turns:
        return "No single criterion decides it: whichever counted nothing, the same one would lead."
    said = [f"{name} without “{TITLES[criterion]}”" for criterion, name in ranking.turns.items()]
    return f"It hangs on single criteria: {', '.join(said)} would lead."


def left_out(ranking: Ranking) -> Markup | None:
    """Say what counts but could not be compared."""
    if not ranking.left:
        return None
    items = [f"{TITLES[item.criterion]}: {item.why}" for item in ranking.left]
    return join((paragraph("Left out although it counts:"), listing(items)))


def times(value: float) -> str:
    """Write a ratio of at least one; the script writes it the same way."""
    return f"{value:.2f}{TIMES}" if value < 10 else f"{value:.1f}{TIMES}" if value < 100 else f"{value:,.0f}{TIMES}"


def _standings(subjects: tuple[Subject, ...], ranking: Ranking) -> Markup:
    found = {item.name: item for item in ranking.standings}
    rows: list[Markup] = []
    for place, subject in enumerate(subjects):
        item = found.get(subject.name)
        chance = "–" if item is None or item.probability is None else percent(item.probability)
        length = f"{(item.probability or 0.0) * 100:.1f}%" if item is not None else "0%"
        bar = tag(
            "svg",
            tag("rect", x=0, y=0, width="100%", height=12, class_="track"),
            tag("rect", x=0, y=0, width=length, height=12, class_="fill", id=f"bar-{place}"),
            class_=f"bar {style_of(subject.place)}",
            height=12,
            aria_hidden="true",
        )
        spread = f"{times(item.interval[0])} to {times(item.interval[1])}" if item is not None and item.interval else ""
        is_leader = ranking.leader == subject.name
        rows.append(
            tag(
                "tr",
                tag("th", named(subject.place, subject.name), scope="row"),
                tag("td", bar, class_="drawn"),
                tag("td", chance, class_="number chance", id=f"chance-{place}"),
                tag(
                    "td",
                    tag("span", times(item.relative) if item else "–", class_="value", id=f"relative-{place}"),
                    tag("span", "" if is_leader else spread, class_="spread", id=f"spread-{place}"),
                    class_="number",
                ),
                class_="leader" if is_leader else None,
                id=f"standing-{place}",
            )
        )
    head = tag(
        "tr",
        tag("th", "pattern", scope="col"),
        tag("th", tag("span", "share of draws", class_="unseen"), scope="col"),
        tag("th", "best with probability", scope="col", class_="number"),
        tag("th", "cost over the leader's", scope="col", class_="number"),
    )
    return tag(
        "table",
        tag("caption", "Ranking by these weights", class_="unseen"),
        tag("thead", head),
        tag("tbody", *rows),
        class_="standings",
    )


def _form(subjects: tuple[Subject, ...], situation: Situation, ranking: Ranking) -> Markup:
    options = [tag("option", item.title, value=item.name, selected=item is situation) for item in SITUATIONS]
    select = tag("select", *options, tag("option", "Your own", value="own", hidden=True), id="situation")
    numbers = [
        tag(
            "label",
            setting.title,
            tag(
                "span",
                tag(
                    "input",
                    type="number",
                    step="any",
                    min=setting.least,
                    max=setting.most,
                    value=f"{situation.setting[setting.name] / setting.multiple:g}",
                    data_setting=setting.name,
                    aria_label=f"{setting.title}, {setting.unit}",
                ),
                f" {setting.unit}",
            ),
        )
        for setting in SETTINGS
    ]
    return tag(
        "form",
        tag(
            "fieldset",
            tag("legend", "Situation"),
            tag("label", "Choose one", select, class_="choose"),
            tag("div", *numbers, class_="settings"),
        ),
        _weights(subjects, situation, ranking),
        id="decision",
    )


def _weights(subjects: tuple[Subject, ...], situation: Situation, ranking: Ranking) -> Markup:
    heads = [tag("th", "criterion, less is better", scope="col", role="columnheader")]
    heads.append(tag("th", "weight", scope="col", role="columnheader"))
    heads += [tag("th", named(item.place, item.name), scope="col", role="columnheader") for item in subjects]
    rows = [_criterion(item, subjects, situation, ranking) for item in CRITERIA]
    caption = "What counts, and what each costs over the least: 1.00× is the best of all"
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *heads, role="row"), role="rowgroup"),
        tag("tbody", *rows, role="rowgroup"),
        class_="matrix weights",
        role="table",
    )


def _criterion(criterion: Criterion, subjects: tuple[Subject, ...], situation: Situation, ranking: Ranking) -> Markup:
    weight = situation.weights.get(criterion.name, 0)
    slider = tag(
        "input",
        type="range",
        min=0,
        max=MOST_WEIGHT,
        step=1,
        value=weight,
        data_weight=criterion.name,
        aria_label=f"Weight of {criterion.title}",
    )
    shown = tag("output", str(weight), id=f"weight-{criterion.name}")
    ratios = {item.name: item.ratios.get(criterion.name) for item in ranking.standings}
    cells = [
        tag(
            "td",
            tag("span", mark(item.place), item.name, class_="who", aria_hidden="true"),
            tag("span", "–" if (found := ratios.get(item.name)) is None else times(found),
                id=f"ratio-{criterion.name}-{place}"),
            role="cell",
        )
        for place, item in enumerate(subjects)
    ]  # fmt: skip
    name = tag(
        "th",
        tag("span", criterion.title, class_="title"),
        tag("span", criterion.says, class_="spread"),
        scope="row",
        role="rowheader",
    )
    return tag(
        "tr",
        name,
        tag("td", tag("span", slider, shown, class_="slider"), role="cell"),
        *cells,
        role="row",
        id=f"criterion-{criterion.name}",
        class_=None if weight else "unused",
    )


def _how() -> Markup:
    return folded(
        "How this is computed",
        paragraph(
            "Each criterion is a cost in its own unit. Two costs are compared by their ratio, so no exchange rate "
            "between milliseconds and megabytes is needed. The cost over the leader's is the weighted geometric mean "
            "of those ratios: weight 4 counts twice as much as weight 2."
        ),
        paragraph(
            f"For the probability the repetitions of each contender are drawn anew {DRAWS:,} times with replacement, "
            "all metrics of a repetition together, and spread as wide as so few repetitions demand; the ranking is "
            "made for each draw, and the probability is the share of draws that a contender leads. It holds what the "
            "repetitions scatter by, not what other machines or days would give. The draws are the same each time."
        ),
        paragraph(
            "Times over the link are added to the measured ones, which may hold the transfer over the measured link "
            "already: that is little where the measured link was much faster than the one that is asked about."
        ),
    )


def _data(decision: Decision) -> str:
    """Give the script what the ranking is made of."""
    return json.dumps(
        {
            "draws": DRAWS,
            "seed": SEED,
            "golden": GOLDEN,
            "least": LEAST_REPETITIONS,
            "naming": WORTH_NAMING,
            "contenders": [
                {
                    "name": item.name,
                    "count": item.repetitions,
                    "values": {key: item.values[key] for key in decision.keys if key in item.values},
                    "missing": {key: item.missing[key] for key in decision.keys if key in item.missing},
                }
                for item in decision.contenders
            ],
            "stretches": [
                stretch(count) for count in range(1, 1 + max(item.repetitions for item in decision.contenders))
            ],
            "exact": sorted(decision.exact & set(decision.keys)),
            "criteria": [asdict(item) for item in CRITERIA],
            "situations": [
                {"name": item.name, "setting": dict(item.setting), "weights": dict(item.weights)} for item in SITUATIONS
            ],
            "multiples": {item.name: item.multiple for item in SETTINGS},
        },
        separators=(",", ":"),
        allow_nan=False,
    )
