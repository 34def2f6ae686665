"""What the numbers rest on: machines, placements, every value, everything missing, and where it all comes from."""

import json
from collections.abc import Mapping
from typing import Any

from probes.comparison import Settings
from probes.gate_text import passed_text
from probes.quantity import parse_quantity
from probes.repetition_samples import NOT_IN_RECORD
from probes.report.amounts import SPACE, amount, number
from probes.report.blocks import (
    code_of,
    count,
    folded,
    listing,
    matrix,
    metric_matrix,
    paragraph,
    prose,
    section,
    table,
    why,
)
from probes.report.contents import Contents, Manifest, Subject
from probes.report.markup import Markup, join, tag
from probes.report.placement import described, placement
from probes.report.strips import named
from probes.stats import LEAST_BOOTSTRAP


def machines(contents: Contents) -> Markup:
    """Show the machines, each once."""
    found: dict[str, Mapping[str, Any]] = {}
    for subject in contents.subjects:
        for manifest in subject.manifests:
            for machine in manifest["machines"]:
                found.setdefault(json.dumps({**machine, "is_ready": True}, sort_keys=True), machine)
    if not found:
        return section("machines", "Machines", paragraph("The records name no machine.", kind="empty"))
    return section("machines", "Machines", tag("div", *(_card(item) for item in found.values()), class_="cards"))


def _card(machine: Mapping[str, Any]) -> Markup:
    allocatable = machine.get("allocatable", {})
    cores, memory = (parse_quantity(allocatable.get(name)) for name in ("cpu", "memory"))
    facts = {
        "processor": f"{machine.get('architecture', 'unknown')}, "
        + (f"{count_of(cores, 'core')} for pods" if cores is not None else "cores unknown"),
        "memory": f"{amount(memory, 'B')} for pods" if memory is not None else "unknown",
        "system": machine.get("os_image", "unknown"),
        "kernel": machine.get("kernel", "unknown"),
        "kubelet": machine.get("kubelet", "unknown"),
        "runtime": machine.get("container_runtime", "unknown"),
    }
    pairs = [part for name, value in facts.items() for part in (tag("dt", name), tag("dd", str(value)))]
    return tag("div", tag("h3", str(machine["name"])), tag("dl", *pairs), class_="card")


def count_of(amount_: float, word: str) -> str:
    """Say how many, where halves occur."""
    return f"{number(amount_)}{SPACE}{word}{'' if amount_ == 1 else 's'}"


def placements(contents: Contents) -> Markup:
    """Draw where the nodes run."""
    drawn = [_placed(subject) for subject in contents.subjects]
    rows = [
        (named(subject.place, subject.name), *cells)
        for subject in contents.subjects
        for cells in described(_pods(subject))
    ]
    head = ("pattern", "pod", "container", "processes and their nodes", "images, from the bottom")
    return section(
        "placements",
        "Where the nodes run" if contents.is_comparison else "Where its nodes run",
        paragraph(
            "Outer boxes are pods, inner ones containers, then processes with their ROS 2 nodes; the bars below a "
            "container are its images."
        ),
        tag("div", *drawn, class_="placements"),
        folded("The same as a table", table("Pods, containers, processes and nodes", head, rows)),
    )


def _placed(subject: Subject) -> Markup:
    pods = _pods(subject)
    if not pods:
        body = paragraph("Its records name no pod.", kind="empty")
    else:
        nodes = sum(len(process) for pod in pods for process in pod["processes"])
        processes = sum(len(pod["processes"]) for pod in pods)
        title = (
            f"Placement of {subject.name}: {count(len(pods), 'pod')}, {count(processes, 'process', 'processes')}, "
            f"{count(nodes, 'node')}"
        )
        body = placement(pods, title)
    return tag("figure", tag("figcaption", named(subject.place, subject.name)), body)


def _pods(subject: Subject) -> list[Mapping[str, Any]]:
    return list(subject.newest["outputs"]["application"]["pods"])


def missing(contents: Contents) -> Markup:
    """List what is missing, grouped by its reason."""
    groups: dict[str, dict[str, list[str]]] = {}
    sentences: dict[str, set[str]] = {}
    for row in contents.comparison.rows:
        for cell in row.cells:
            if cell.estimate is None:
                reason = cell.missing or NOT_IN_RECORD
                groups.setdefault(reason, {}).setdefault(row.key, []).append(cell.contender)
                sentences.setdefault(reason, set()).add(why(row.key, reason))
    if not groups:
        return section("missing", "Missing, and why", paragraph("Nothing is missing."))
    everyone = len(contents.subjects)
    rows = [
        (
            join((tag("code", reason), *_spread(sentences[reason]))),
            join(_item(key, names, everyone) for key, names in found.items()),
        )
        for reason, found in groups.items()
    ]  # fmt: skip
    return section(
        "missing",
        "Missing, and why",
        paragraph("A number is measured, or it is missing with a reason; none is filled in."),
        table("Missing metrics by reason", ("reason", "metrics"), rows),
    )


def _spread(sentences: set[str]) -> list[Markup]:
    return [tag("span", prose(sentence), class_="spread") for sentence in sorted(sentences)]


def _item(key: str, names: list[str], everyone: int) -> Markup:
    """Name a metric, and of whom it is missing where that is not everybody."""
    return tag("span", code_of(key), "" if len(names) == everyone else f" of {', '.join(names)}", class_="item")


def values(contents: Contents) -> Markup:
    """Show every value there is."""
    rows = [row for row in contents.comparison.rows if any(cell.estimate is not None for cell in row.cells)]
    return section(
        "values",
        "Every value",
        paragraph("What each metric means: ", tag("code", "python -m probes.run --explain METRIC"), "."),
        folded(f"All {count(len(rows), 'metric')}", metric_matrix("Every metric that was measured", contents, rows)),
    )


def provenance(contents: Contents) -> Markup:
    """Say how it was measured and compared, so that it can be done again."""
    settings = contents.comparison.settings
    rows = [
        ("runs", [_codes(item.contender.run_ids) for item in contents.subjects]),
        ("repetitions", [number(item.contender.repetitions, 9) for item in contents.subjects]),
        ("newest run began", [f"{item.contender.created_at[:16].replace('T', ' ')} UTC" for item in contents.subjects]),
        ("commit", [_codes(_short(commit) for commit in item.contender.commits) for item in contents.subjects]),
        ("stack, pattern", [f"{item.contender.stack}, {item.contender.pattern}" for item in contents.subjects]),
        ("plan", [_plan(item.newest) for item in contents.subjects]),
        ("load", [_settings(item.newest["outputs"]["application"].get("load")) for item in contents.subjects]),
        ("network", [_settings(item.newest["outputs"].get("network")) for item in contents.subjects]),
        ("gates", [_gates(item) for item in contents.subjects]),
    ]
    images = [
        (named(item.place, item.name), pod, tag("code", image))
        for item in contents.subjects
        for pod, image in item.newest.get("images", {}).items()
    ]
    common = [(tag("code", name), value) for name, value in settings.conditions.items()]
    return section(
        "provenance",
        "How it was measured",
        listing([*settings.selection, f"Records were read from {', '.join(settings.sources)}."])
        if settings.selection or settings.sources
        else None,
        matrix("Runs behind the numbers", "", contents.subjects, rows),
        folded("Images by digest", table("Images", ("pattern", "pod", "image"), images)) if images else None,
        folded("What the compared runs have in common", table("Common conditions", ("field", "value"), common))
        if common
        else None,
        paragraph(_statistics(settings, is_comparison=contents.is_comparison), kind="note"),
    )


def _statistics(settings: Settings, *, is_comparison: bool) -> str:
    """Say how intervals and verdicts were computed."""
    intervals = (
        f"Intervals of {settings.confidence:.0%}: Student's t over repetitions, from {LEAST_BOOTSTRAP} on widened to "
        f"the BCa bootstrap where that is wider ({number(settings.resamples, 9)} resamples, seed {settings.seed})."
    )
    if not is_comparison:
        return intervals
    families = ", ".join(f"{family} by {method}" for family, method in settings.corrections.items())
    return (
        f"{intervals} Verdicts are corrected for the number of comparisons ({families}): equal things get a wrong one "
        f"in {settings.error_rate:.0%} of comparisons at most."
    )


def _codes(items: Any) -> Markup:
    return join(tag("code", str(item), class_="line") for item in items)


def _short(commit: str) -> str:
    """Write a commit with the digits that are enough to find it."""
    revision, _, rest = commit.partition(" ")
    return f"{revision[:12]} {rest}".rstrip()


def _plan(manifest: Manifest) -> str:
    plan = manifest["plan"]
    durations = [
        f"{name.removesuffix('_s').replace('_', ' ')} {value:g} s" for name, value in plan["durations"].items()
    ]
    return ", ".join([f"cycles: {plan.get('cycles', 'none')}", *durations])


def _settings(value: object) -> Markup:
    if not isinstance(value, dict) or not value:
        return tag("span", "–")
    said = ", ".join(
        f"{name} {json.dumps(item) if isinstance(item, dict | list) else item}" for name, item in value.items()
    )
    return join((said,))


def _gates(subject: Subject) -> str:
    gates = [gate for manifest in subject.manifests for gate in manifest["gates"]]
    failed = [
        f"{gate['name']} in repetition {gate['repetition'] + 1}: {gate['detail']}"
        for gate in gates
        if not gate["passed"]
    ]
    if failed:
        return f"failed: {'; '.join(failed)}"
    return passed_text(gates) if gates else "none"
