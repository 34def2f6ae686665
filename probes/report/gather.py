"""From records to what the page shows: manifests, samples and starts of the runs that a comparison is made of."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from probes.comparison import Comparison, Contender
from probes.comparison_rules import rule_of
from probes.readings import RUN
from probes.records import RecordStore, read_manifest, read_table
from probes.report.contents import Contents, Manifest, Start, Subject, TopicFlow
from probes.report.curves import Values
from probes.report.draws import Evidence
from probes.report.stages import median_repetition
from probes.run_summary import RunSummary
from probes.samples import ABSENT

MOST_RUNS = 40
"""Samples are read of so many runs of a contender at most; values and intervals come from all of them."""
PROBABILITIES = (0.5, 0.95, 0.99)
COLUMNS = ("run_id", "repetition", "key", "value", "missing")
Source = tuple[RecordStore, RunSummary]


def gather(
    comparison: Comparison,
    sources: Mapping[str, Source],
    observed: pl.DataFrame,
    other_runs: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Contents:
    """Read what the page needs beside the comparison.

    Args:
        comparison: The comparison.
        sources: Where each of its runs lies, by identifier.
        observed: Observations of its runs, and of what others say beside them.
        other_runs: Identifiers of these others, by contender.

    Raises:
        RecordInvalid: A record is not what it should be.
        StoreUnavailable: A record cannot be read.
    """
    subjects = tuple(
        _subject(
            contender,
            place,
            sources,
            evidence_of(contender.name, (*contender.run_ids, *other_runs.get(contender.name, ())), observed),
        )
        for place, contender in enumerate(comparison.contenders)
    )
    notes = tuple(
        f"{item.name}: distributions are of its newest {MOST_RUNS} of {len(item.contender.run_ids)} runs; values and "
        "intervals are of all."
        for item in subjects
        if len(item.contender.run_ids) > MOST_RUNS
    )
    return Contents(comparison, subjects, notes)


def _subject(contender: Contender, place: int, sources: Mapping[str, Source], evidence: Evidence) -> Subject:
    runs = [sources[run_id] for run_id in contender.run_ids[-MOST_RUNS:]]
    manifests = tuple(read_manifest(store, run) for store, run in runs)
    samples = [
        (manifest, read_table(store, run, "samples")) for manifest, (store, run) in zip(manifests, runs, strict=True)
    ]
    latencies = [values for manifest, table in samples for values in latencies_of(manifest, table)]
    return Subject(
        contender,
        place,
        manifests,
        tuple(latencies),
        None if latencies else _why_no_latency(manifests),
        flows_of(samples),
        _start([(manifest["run_id"], read_table(store, run, "timeline"))
                for manifest, (store, run) in zip(manifests, runs, strict=True)]),
        evidence,
    )  # fmt: skip


def latencies_of(manifest: Manifest, samples: pl.DataFrame) -> list[Values]:
    """Give the latency of each frame of a run, sorted, seconds: an array for each repetition.

    Of a frame the first arrival counts, inside the window, on the result topic. Without a proved clock there is none.
    """
    application = manifest["outputs"]["application"]
    if application is None or "value" not in manifest["metrics"].get("inference_s", {}):
        return []
    topics: Sequence[Mapping[str, Any]] = application["topics"]
    result = next((topic["name"] for topic in topics if topic["isResult"]), topics[0]["name"])
    frames = (
        samples.filter(pl.col("in_window") & (pl.col("topic") == result) & (pl.col("intended_ns") != ABSENT))
        .sort("received_ns")
        .unique(["repetition", "frame_number"], keep="first")
        .select("repetition", latency_s=(pl.col("received_ns") - pl.col("intended_ns")) / 1e9)
        .sort("repetition", "latency_s")
    )
    return [part["latency_s"].to_numpy() for part in frames.partition_by("repetition", maintain_order=True)]


def flows_of(samples: Sequence[tuple[Manifest, pl.DataFrame]]) -> tuple[TopicFlow, ...]:
    """Sum up what arrived on each topic inside the windows."""
    frames = [
        table.filter("in_window").with_columns(
            run=pl.lit(place),
            is_timed=pl.lit("value" in manifest["metrics"].get("inference_s", {})),
        )
        for place, (manifest, table) in enumerate(samples)
    ]
    if not frames:
        return ()
    together = pl.concat(frames)
    return tuple(
        _flow(str(topic[0]), part) for topic, part in sorted(together.group_by("topic"), key=lambda item: str(item[0]))
    )


def _flow(topic: str, part: pl.DataFrame) -> TopicFlow:
    windows = part.group_by("run", "repetition").agg(
        count=pl.len(),
        length_s=(pl.col("received_ns").max() - pl.col("received_ns").min()) / 1e9,
        numbers=pl.col("sequence_number").filter(pl.col("sequence_number") != ABSENT).n_unique(),
        span=pl.col("sequence_number").filter(pl.col("sequence_number") != ABSENT).max()
        - pl.col("sequence_number").filter(pl.col("sequence_number") != ABSENT).min()
        + 1,
    )
    long = windows.filter((pl.col("count") > 1) & (pl.col("length_s") > 0))
    rate = float((long["count"] - 1).sum()) / float(long["length_s"].sum()) if long.height else None
    numbered = windows.drop_nulls("span")
    lost = int((numbered["span"] - numbered["numbers"]).sum()) if numbered.height else None
    timed = part.filter("is_timed")
    return TopicFlow(
        topic,
        part.height,
        rate,
        lost,
        _quantiles(timed, "intended_ns"),
        _quantiles(timed, "source_ns"),
    )


def _quantiles(part: pl.DataFrame, since: str) -> tuple[float | None, ...]:
    known = part.filter((pl.col(since) != ABSENT) & (pl.col("received_ns") != ABSENT))
    values = ((known["received_ns"] - known[since]) / 1e9).to_numpy()
    return tuple(
        float(np.quantile(values, probability)) if values.size * (1 - probability) >= 1 else None
        for probability in PROBABILITIES
    )


def evidence_of(name: str, run_ids: Sequence[str], observed: pl.DataFrame) -> Evidence:
    """Give the values of a contender's runs by repetition, and why others are missing.

    What belongs to a run as a whole, and what is the same by nature, is one value.
    """
    own = observed.filter(pl.col("run_id").is_in(list(run_ids))).sort("run_id", "repetition")
    units: dict[tuple[str, int], int] = {}
    known: dict[str, list[tuple[str, int, float]]] = {}
    missing: dict[str, str] = {}
    for run_id, repetition, key, value, reason in own.select(COLUMNS).iter_rows():
        if repetition != RUN:
            units.setdefault((run_id, repetition), len(units))
        if value is not None:
            known.setdefault(key, []).append((run_id, repetition, value))
        else:
            missing[key] = str(reason)
    values = {key: _in_line(key, found, units) for key, found in known.items()}
    return Evidence(name, values, {key: reason for key, reason in missing.items() if key not in known})


def _in_line(
    key: str, found: Sequence[tuple[str, int, float]], units: Mapping[tuple[str, int], int]
) -> Sequence[float | None]:
    """Give a value for each unit; a single one for what is the same by nature or of the run as a whole."""
    if is_exact(key) or all(repetition == RUN for _, repetition, _ in found):
        return (found[-1][2],)
    values: list[float | None] = [None] * len(units)
    for run_id, repetition, value in found:
        if repetition != RUN:
            values[units[run_id, repetition]] = value
    return values


def is_exact(key: str) -> bool:
    """Tell whether one repetition decides a metric."""
    return rule_of(key).is_exact


def _why_no_latency(manifests: Sequence[Manifest]) -> str:
    entry = manifests[-1]["metrics"].get("inference_s", {}) if manifests else {}
    return str(entry.get("missing") or "no_samples")


def _start(tables: Sequence[tuple[str, pl.DataFrame]]) -> Start | None:
    """Choose the start with the median time among all repetitions of all runs."""
    rows = [
        table.with_columns(run_id=pl.lit(run_id), position=pl.lit(place) * 100_000 + pl.col("repetition"))
        for place, (run_id, table) in enumerate(tables)
    ]
    if not rows:
        return None
    together = pl.concat(rows)
    chosen = median_repetition(together.with_columns(repetition=pl.col("position")))
    if chosen is None:
        return None
    own = together.filter(pl.col("position") == chosen)
    return Start(str(own["run_id"][0]), int(own["repetition"][0]), list(own.iter_rows(named=True)))
