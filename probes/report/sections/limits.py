"""What must not be read into the page: said before any detail."""

import json
from collections.abc import Iterable

from probes.report.blocks import count, folded, listing, paragraph, section, table
from probes.report.contents import Contents, Manifest
from probes.report.markup import Markup, join, tag
from probes.stats import LEAST_REPETITIONS

REGIMES = {
    "warm": "Install times are of the regime warm: the images were on the machines already.",
    "image_cold": "Install times are of the regime image_cold: no image of the application was on any machine.",
    "pristine": "Install times are of the regime pristine: neither images nor volumes of the application were there.",
}
ONE_KERNEL = (
    "The machines share one kernel (a lab on one computer): the network between them is memory, their processors are "
    "the same ones."
)


def limits(contents: Contents) -> Markup:
    """List the limits, and what was left out of the comparison."""
    return section("limits", "What this does not show", listing(_lines(contents)), _excluded(contents))


def _lines(contents: Contents) -> list[str]:
    manifests = [manifest for subject in contents.subjects for manifest in subject.manifests]
    lines = [_place(manifests), *_kernel(manifests), *_spread(contents), *_regimes(manifests), *_stand_ins(manifests)]
    if not any(row.noise_floor for row in contents.comparison.rows) and contents.is_comparison:
        lines.append(
            "No A/A control (--control) is among the runs: what two measurements of one stack differ by is not known "
            "here, only the practical thresholds are."
        )
    lines += [
        f"Run {item['run_id']} is {item['state']} ({item['reason']}): do not compare it."
        for item in manifests
        if item["state"] != "complete"
    ]
    lines += sorted({str(found["message"]) for item in manifests for found in item.get("findings", [])})
    return [*lines, *contents.notes]


def _place(manifests: Iterable[Manifest]) -> str:
    machines = sorted({str(machine["name"]) for item in manifests for machine in item["machines"]})
    days = sorted({str(item["created_at"])[:10] for item in manifests})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    where = f"on {count(len(machines), 'machine')} ({', '.join(machines)})" if machines else "on unnamed machines"
    return f"Measured {when}, {where}. Other machines, loads and versions give other numbers."


def _kernel(manifests: Iterable[Manifest]) -> list[str]:
    boots = [
        tuple(machine.get("boot_id", machine["name"]) for machine in item["machines"])
        for item in manifests
        if item["machines"]
    ]
    if any(len(set(found)) < len(found) for found in boots):
        return [ONE_KERNEL]
    return []


def _spread(contents: Contents) -> list[str]:
    lines = [
        "Intervals and verdicts come from repetitions of these runs; drift between days or clusters is not in them."
    ]
    by_count = {subject.name: subject.contender.repetitions for subject in contents.subjects}
    few = [f"{name} ({amount})" for name, amount in by_count.items() if 0 < amount < LEAST_REPETITIONS]
    if few:
        lines.append(f"Fewer than three repetitions, so no interval: {', '.join(few)}.")
    return lines


def _regimes(manifests: Iterable[Manifest]) -> list[str]:
    found = dict.fromkeys(str(item["cycle_regime"]) for item in manifests if item.get("cycle_regime"))
    return [REGIMES.get(name, f"Install times are of the regime {name}.") for name in found]


def _stand_ins(manifests: Iterable[Manifest]) -> list[str]:
    """Say where the load was not real: made pictures, inference that only uses up time, injected faults."""
    manifests = list(manifests)
    lines: list[str] = []
    loads = [item["outputs"]["application"].get("load") or {} for item in manifests]
    if any(_said(load, "source") == "synthetic" for load in loads):
        lines.append("The pictures are synthetic: made by the camera node, not taken.")
    if any(_said(load, "inference") == "synthetic" for load in loads):
        lines.append("The inference is synthetic: it uses up processor time and finds nothing.")
    faults = {json.dumps(item["plan"].get("fault"), sort_keys=True) for item in manifests if item["plan"].get("fault")}
    lines += [f"A fault of the network was held in every window: {fault}." for fault in sorted(faults)]
    return lines


def _said(load: object, word: str) -> object:
    """Find a setting of the load, at its top or in a node's part."""
    if not isinstance(load, dict):
        return None
    parts = [load, *(part for part in load.values() if isinstance(part, dict))]
    return next((part[word] for part in parts if word in part), None)


def _excluded(contents: Contents) -> Markup | None:
    excluded = contents.comparison.excluded
    if not excluded:
        return None
    runs = len({item.run_id for item in excluded})
    rows = [(tag("code", item.run_id), item.stack, item.field, item.value, item.expected) for item in excluded]
    head = ("run", "stack", "what differs", "what it says", "what it should say")
    return join(
        (
            paragraph(f"Not compared although they were asked for: {count(runs, 'run')}."),
            folded("Runs left out, and why", table("Runs left out of the comparison", head, rows)),
        )
    )
