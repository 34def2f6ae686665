"""The page in a real Chromium: drawn whole, silent, asking for nothing, readable on a phone, in the dark and on paper.

Where there is none it is installed, as `lab up` installs what it needs; skipped, with the reason, where that fails.
"""

import os
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab import packages
from lab.errors import LabError
from probes.console import Screen
from probes.report.__main__ import read_contents
from probes.report.decision import Ranking
from probes.report.page import render
from probes.report.sections.choice import answer, decision_of, turns
from probes.report.situations import LINK, SITUATIONS
from tests.probes.browser import Browser, Tab, find_chromium
from tests.probes.report_records import FACTORS, Made, four_patterns, write_record

pytestmark = pytest.mark.browser
INTERACTIVE = frozenset(
    {"button", "link", "slider", "spinbutton", "combobox", "textbox", "DisclosureTriangle", "checkbox"}
)


def chromium() -> str:
    """Give the path of a Chromium, which is installed first where there is none."""
    found = find_chromium()
    if found is None and os.geteuid() == 0:
        try:
            packages.install(["chromium"])
        except LabError as error:
            pytest.skip(f"no Chromium on this machine, and installing it failed: {error}")
        found = find_chromium()
    return found or pytest.skip("no Chromium on this machine: apt-get install chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    with Browser(chromium(), tmp_path_factory.mktemp("browser") / "profile") as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Give the page of a campaign over four patterns, and its contents."""
    folder = tmp_path_factory.mktemp("page")
    four_patterns(folder / "store", repetitions=5)
    contents = read_contents((), f"dir:{folder / 'store'}", None, Screen())
    (folder / "report.html").write_text(render(contents))
    return folder / "report.html", contents


@pytest.fixture(scope="module")
def tab(browser: Browser, page: tuple[Path, Any]) -> Tab:
    """Give the page, opened once, for tests that change nothing."""
    return browser.open(page[0])


def test_nothing_is_asked_for_and_nothing_goes_wrong(tab: Tab) -> None:
    assert tab.requests() == []
    assert tab.problems() == []


def test_the_policy_stops_what_would_be_loaded(browser: Browser, page: tuple[Path, Any]) -> None:
    own = browser.open(page[0])
    stopped = own.run(
        "new Promise((done) => {"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));"
        "document.body.append(Object.assign(new Image(), {src: 'https://example.invalid/x.png'})); })"
    )
    assert stopped == "img-src"
    refused = own.run("fetch('https://example.invalid/').then(() => 'fetched', () => 'refused')")
    assert refused == "refused"
    own.run("document.body.setAttribute('style', 'margin: 0')")
    assert own.run("document.body.style.length") == 0


def test_every_plot_is_drawn_and_has_a_size(tab: Tab) -> None:
    sizes: Mapping[str, list[list[float]]] = tab.run(
        "Object.fromEntries(['.placement', '.plot.ecdf', '.plot.tail', '.panel .strip', '.lanes .lane', '.bar']"
        ".map((name) => [name, [...document.querySelectorAll(name)].map((part) => {"
        "const box = part.getBoundingClientRect();"
        "return [box.width, box.height]; })]))"
    )
    panels = tab.run("document.querySelectorAll('.panel').length")
    counted = {name: len(found) for name, found in sizes.items()}
    assert counted[".placement"] == counted[".bar"] == len(FACTORS)
    assert counted[".plot.ecdf"] == counted[".plot.tail"] == 1
    assert counted[".panel .strip"] == panels * (len(FACTORS) + 1)
    assert counted[".lanes .lane"] >= len(FACTORS) + 1
    for name in (".placement", ".plot.ecdf", ".plot.tail", ".panel .strip"):
        assert all(width > 60 and height > 10 for width, height in sizes[name]), name
    lengths = tab.run("[...document.querySelectorAll('.curve')].map((curve) => curve.getTotalLength())")
    assert len(lengths) == len(FACTORS) * (5 + 2)
    assert all(length > 500 for length in lengths)
    outside = tab.run(
        "[...document.querySelectorAll('.strip .estimate path')].filter((mark) => {"
        "const own = mark.getBoundingClientRect();"
        "const plot = mark.closest('.strip').getBoundingClientRect();"
        "return own.right < plot.left || own.left > plot.right; }).length"
    )
    assert outside == 0


def said(tab: Tab) -> dict[str, Any]:
    """Give what the ranking says."""
    return tab.run(
        "({answer: document.getElementById('answer').textContent, turns: document.getElementById('turns').textContent,"
        "relative: [0, 1, 2, 3].map((place) => document.getElementById(`relative-${place}`).textContent),"
        "chances: [0, 1, 2, 3].map((place) => document.getElementById(`chance-${place}`).textContent),"
        "leader: [...document.querySelectorAll('.standings .leader th')].map((head) => head.textContent),"
        "html: document.getElementById('choice').innerHTML})"
    )


def agrees(shown: dict[str, Any], ranking: Ranking) -> None:
    """Compare what is shown with what is computed here."""
    assert shown["answer"] == answer(ranking)
    assert shown["turns"] == turns(ranking)
    assert shown["leader"] == [ranking.leader]
    assert [float(text.rstrip("×")) for text in shown["relative"]] == pytest.approx(
        [item.relative for item in ranking.standings], abs=0.0051
    )


def test_the_script_changes_nothing_at_first_and_computes_what_the_program_computes(
    browser: Browser, page: tuple[Path, Any]
) -> None:
    own = browser.open(page[0])
    static = re.search(r'<p id="answer"[^>]*>([^<]*)</p>', page[0].read_text())
    assert static is not None
    decision = decision_of(page[1])
    agrees(said(own), decision.rank(SITUATIONS[0].setting, SITUATIONS[0].weights))
    assert static[1].replace("&gt;", ">") == said(own)["answer"]
    for situation in SITUATIONS:
        own.run(
            f"(() => {{ const field = document.getElementById('situation'); field.value = '{situation.name}';"
            "field.dispatchEvent(new Event('change')); })()"
        )
        agrees(said(own), decision.rank(situation.setting, situation.weights))
    assert own.problems() == []


def move(tab: Tab, selector: str, value: float) -> None:
    tab.run(
        f"(() => {{ const field = document.querySelector('{selector}'); field.value = '{value}';"
        "field.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_weights_and_numbers_of_the_reader_change_the_ranking(browser: Browser, page: tuple[Path, Any]) -> None:
    own = browser.open(page[0])
    decision = decision_of(page[1])
    for criterion in (
        "latency",
        "tail",
        "loss",
        "processor",
        "memory",
        "energy",
        "install",
        "traffic",
        "update",
        "silence",
    ):
        move(own, f"[data-weight={criterion}]", 0)
    assert said(own)["answer"].startswith("Nothing that counts")
    move(own, "[data-weight=publish]", 5)
    assert said(own)["leader"] == ["overlay"]
    assert own.run("document.getElementById('situation').value") == "own"
    move(own, "[data-weight=publish]", 0)
    move(own, "[data-weight=install]", 5)
    move(own, "[data-setting=link_bytes_per_s]", 0.5)
    agrees(said(own), decision.rank({**SITUATIONS[0].setting, LINK: 62_500.0}, {"install": 5}))
    before = said(own)
    move(own, "[data-setting=link_bytes_per_s]", -3)
    assert said(own) == before
    assert own.problems() == []


def test_keys_move_a_weight(browser: Browser, page: tuple[Path, Any]) -> None:
    own = browser.open(page[0])
    own.run("document.querySelector('[data-weight=jitter]').focus()")
    for kind in ("rawKeyDown", "keyUp"):
        own.call(
            "Input.dispatchKeyEvent",
            {"type": kind, "key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39},
        )
    assert own.run("document.getElementById('weight-jitter').textContent") == "1"


def test_all_that_can_be_operated_has_a_name_and_the_page_has_landmarks(tab: Tab) -> None:
    nodes = tab.accessible()
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if node["role"]["type"] != "none"
    ]
    operated = [(role, name) for role, name in found if role in INTERACTIVE]
    assert len([role for role, _ in operated if role == "slider"]) == 13
    assert len([role for role, _ in operated if role == "spinbutton"]) == 5
    assert [item for item in operated if not item[1].strip()] == []
    roles = [role for role, _ in found]
    assert roles.count("main") == roles.count("banner") == roles.count("navigation") == 1
    regions = [name for role, name in found if role == "region"]
    assert len(regions) == len(set(regions))
    assert all(regions)
    headings = [name for role, name in found if role == "heading"]
    assert headings[:3] == ["Four ways to deploy perception", "Verdict", "Which to choose"]
    tables = [name for role, name in found if role == "table"]
    assert all(tables)
    assert len([role for role in roles if role == "rowheader"]) > 50
    pictures = [name for role, name in found if role in {"image", "img"}]
    assert len(pictures) == len(FACTORS) + 1
    assert all(pictures)


def test_a_phone_needs_no_horizontal_scrolling_and_tables_keep_their_roles(
    browser: Browser, page: tuple[Path, Any]
) -> None:
    phone = browser.open(page[0], width=360, phone=True)
    assert phone.run("document.documentElement.scrollWidth") == 360
    phone.run("for (const part of document.querySelectorAll('details')) part.open = true")
    assert phone.run("document.documentElement.scrollWidth") == 360
    wide = phone.run(
        "[...document.querySelectorAll('main *')].filter((part) => !part.closest('.scroll') && !part.closest('svg')"
        "&& !part.closest('.unseen') && !part.closest('.matrix thead') && part.getBoundingClientRect().right > 361)"
        ".map((part) => part.outerHTML.slice(0, 90))"
    )
    assert wide == []
    roles = [node["role"]["value"] for node in phone.accessible()]
    assert roles.count("table") > 10
    assert roles.count("rowheader") > 50


def luminance(colour: str) -> float:
    numbers = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in numbers)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(tab: Tab, selector: str) -> float:
    """Give the contrast of a text to what lies behind it (WCAG 2.2, 1.4.3)."""
    colours = tab.run(
        f"(() => {{ const part = document.querySelector('{selector}'); let below = part;"
        "while (getComputedStyle(below).backgroundColor === 'rgba(0, 0, 0, 0)') below = below.parentElement;"
        "return [getComputedStyle(part).color, getComputedStyle(below).backgroundColor]; })()"
    )
    dark, light = sorted(luminance(colour) for colour in colours)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_contrast_in_both_colour_schemes(browser: Browser, page: tuple[Path, Any], *, dark: bool) -> None:
    own = browser.open(page[0], dark=dark)
    behind = own.run("getComputedStyle(document.body).backgroundColor")
    assert (luminance(behind) < 0.1) == dark
    words = [f".verdict.{word}" for word in ("better", "worse", "within-noise", "not-enough-data")]
    for selector in (*words, "h1", ".facts", ".spread", ".empty", "nav a", "summary", ".answer", ".unused .title"):
        assert contrast(own, selector) >= 4.5, selector
    own.run("document.getElementById('theme').click()")
    assert (luminance(own.run("getComputedStyle(document.body).backgroundColor")) < 0.1) != dark
    assert contrast(own, ".verdict.worse") >= 4.5
    for place in range(4):
        colour = own.run(f"getComputedStyle(document.querySelector('.k{place} path')).fill")
        paper = own.run("getComputedStyle(document.body).backgroundColor")
        low, high = sorted((luminance(colour), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 3


def test_it_prints_with_everything_open(browser: Browser, page: tuple[Path, Any]) -> None:
    own = browser.open(page[0], dark=True)
    document = own.pdf()
    assert document.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", document))
    assert 5 < pages < 80
    assert own.run("document.querySelectorAll('details[open]').length") == 0
    assert own.problems() == []


@pytest.mark.parametrize("made", [{"repetitions": 4}, {"repetitions": 0, "metrics": False}])
def test_pages_with_little_on_them_are_silent_too(browser: Browser, tmp_path: Path, made: dict[str, Any]) -> None:
    for stack in ("monolithic", "overlay"):
        write_record(tmp_path / "store", Made(stack, **made))
    for selectors in ((), ("overlay",)):
        file = tmp_path / f"{len(selectors)}.html"
        file.write_text(render(read_contents(selectors, f"dir:{tmp_path / 'store'}", None, Screen())))
        own = browser.open(file, width=360, phone=True)
        assert (own.problems(), own.requests()) == ([], [])
        assert own.run("document.documentElement.scrollWidth") == 360
