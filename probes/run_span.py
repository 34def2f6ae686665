"""Which stack a run measured, and from when to when, as this machine's spool or a store's manifest tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from probes.errors import UsageError
from probes.record import CONTEXT_FILE
from probes.record_sources import find_in, open_sources
from probes.records import read_manifest
from probes.run_summary import RunFilter
from probes.spool import RunFolder, Spool
from stacks.outputs import StackOutputs

NS_PER_S = 1_000_000_000
MARGIN_NS = 10 * NS_PER_S
"""Added at both ends: clocks of machines differ, and the last lines come when pods end."""
AFTER_MEASURING = frozenset({"sealed", "uploaded", "committed"})


@dataclass(frozen=True)
class RunSpan:
    """A run and its time, in nanoseconds since the epoch, by the clock of the machine that ran the probes."""

    run_id: str
    outputs: StackOutputs
    from_ns: int
    to_ns: int


def run_span(part: str, store: str | None, spool: Spool | None = None) -> RunSpan:
    """Find a run by its identifier or an unambiguous part of its beginning or end; the spool comes first.

    Raises:
        UsageError: No run, or several, fit.
        ProbeError: What the run left cannot be read.
    """
    own = spool or Spool()
    fitting = [folder for folder in own.runs() if folder.run_id.startswith(part) or folder.run_id.endswith(part)]
    if len(fitting) == 1 and store is None:
        return span_of_folder(fitting[0])
    sources = open_sources(store)
    found = find_in(sources, RunFilter(runs=(part,)))
    if len(found.runs) != 1:
        several = ", ".join(run.run_id for run in found.runs[-5:])
        raise UsageError(
            f"{len(found.runs)} runs fit {part!r} in {', '.join(found.addresses)}{f': {several}' if several else ''}.",
            next_step="python -m probes.list",
        )
    run = found.runs[0]
    return span_of_manifest(read_manifest(found.source_of[run.run_id], run))


def span_of_folder(folder: RunFolder) -> RunSpan:
    """Give the span of a run in the spool, from its journal: also of one that has no record."""
    context = folder.read_json(CONTEXT_FILE)
    entries = folder.read_journal().entries
    times = [entry.at_ns for entry in entries if entry.state not in AFTER_MEASURING]
    if not times:
        raise UsageError(
            f"The journal of run {folder.run_id} does not tell when it ran.",
            next_step=f"python -m probes.logs {folder.run_id} --store own, or python -m probes.doctor",
        )
    outputs = StackOutputs.model_validate(context["outputs"])
    return RunSpan(folder.run_id, outputs, min(times) - MARGIN_NS, max(times) + MARGIN_NS)


def span_of_manifest(manifest: Mapping[str, Any]) -> RunSpan:
    """Give the span of a record: from its creation to the end of its last capture."""
    began_ns = round(datetime.fromisoformat(manifest["created_at"]).timestamp() * NS_PER_S)
    ends = [began_ns, *_ends(manifest["repetitions"])]
    outputs = StackOutputs.model_validate(manifest["outputs"])
    return RunSpan(str(manifest["run_id"]), outputs, began_ns - MARGIN_NS, max(ends) + MARGIN_NS)


def _ends(repetitions: Sequence[Mapping[str, Any]]) -> list[int]:
    captures = [each["capture"] for each in repetitions if each.get("capture")]
    return [int(capture["stopped_ns"]) for capture in captures if capture.get("stopped_ns")]
