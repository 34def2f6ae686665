"""The page as the list of its sections, in one document that loads nothing."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from probes.report.blocks import count
from probes.report.contents import Contents
from probes.report.markup import Markup, join, tag
from probes.report.sections.advice import advice
from probes.report.sections.choice import choice
from probes.report.sections.costs import energy, network, noise, resources, updates
from probes.report.sections.facts import machines, missing, placements, provenance, values
from probes.report.sections.intervals import intervals
from probes.report.sections.latency import latency
from probes.report.sections.limits import limits
from probes.report.sections.start import start
from probes.report.sections.verdict import verdict

ASSETS = Path(__file__).with_name("assets")
SECTIONS = (
    verdict, choice, limits, machines, placements, latency, intervals, start, updates, resources, advice, energy,
    network, noise, missing, values, provenance,
)  # fmt: skip
NUMBERS = {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}
NAVIGATION = {
    "verdict": "Verdict",
    "choice": "Which to choose",
    "limits": "Limits",
    "machines": "Machines",
    "placements": "Placements",
    "latency": "Latency",
    "metrics": "Metrics",
    "start": "Start",
    "updates": "Updates",
    "resources": "Resources",
    "advice": "Recommended",
    "energy": "Energy",
    "network": "Network",
    "noise": "Noise floor",
    "missing": "Missing",
    "values": "Every value",
    "provenance": "How measured",
}


def render(contents: Contents) -> str:
    """Make the page. The same contents give the same bytes.

    The policy in its head forbids every request; style and scripts are allowed by their digests alone.
    """
    parts = [part for make in SECTIONS if (part := make(contents)) is not None]
    body = join(parts)
    style, script = asset("page.css"), asset("page.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title(contents)),
        tag("style", Markup(style)),
    )
    names = [name for name in NAVIGATION if f'<section id="{name}"' in body]
    links = [tag("li", tag("a", NAVIGATION[name], href=f"#{name}")) for name in names]
    page = tag(
        "body",
        tag("a", "Skip to the verdict", href="#verdict", class_="skip"),
        _header(contents),
        tag("nav", tag("ol", *links), aria_label="Sections"),
        tag("main", body),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, page, lang='en')}\n"


def title(contents: Contents) -> str:
    """Name the page."""
    names = ", ".join(item.name for item in contents.subjects)
    if contents.is_comparison:
        return f"What deploying {contents.application} costs: {names}"
    return f"What stack {names} costs"


def _header(contents: Contents) -> Markup:
    subjects = contents.subjects
    many = NUMBERS.get(len(subjects), str(len(subjects)))
    heading = f"{many} ways to deploy {contents.application}" if contents.is_comparison else title(contents)
    days = sorted({item.contender.created_at[:10] for item in subjects})
    facts = [
        *([] if contents.is_comparison else [contents.application]),
        f"{days[0]} to {days[-1]}" if len(days) > 1 else days[0],
        count(sum(len(item.contender.run_ids) for item in subjects), "run"),
        count(sum(item.contender.repetitions for item in subjects), "repetition"),
    ]
    switch = tag("button", "Dark or light", type="button", id="theme", hidden=True)
    return tag("header", tag("div", tag("h1", heading), tag("p", " · ".join(facts), class_="facts")), switch)


def policy(style: str, script: str) -> str:
    """Give the content security policy of a page with one style and one script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def asset(name: str) -> str:
    """Read a file of the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
