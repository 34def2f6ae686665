"""From observations to samples: of each metric and contender a value per repetition, or the reason for none. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from probes.run_summary import RunSummary
from probes.selection import block_of
from probes.stats import FloatArray

NOT_IN_RECORD = "not_in_record"
"""No record of the contender has the key: another pattern has other pods, or an earlier version measured less."""

MOST_REPETITIONS = 1_000_000
"""Of a run; tells apart the repetitions of different blocks."""


@dataclass(frozen=True)
class Sample:
    """One metric of one entrant: a value per repetition, in order of the units, or why there is none.

    Args:
        units: What tells repetitions apart; equal ones of two entrants were measured in one block of a campaign.
        values: Their values.
        unit: Base unit of the values; None where there is none.
        missing: Why there is no value.
    """

    units: NDArray[np.int64]
    values: FloatArray
    unit: str | None
    missing: str | None


Samples = Mapping[str, Mapping[str, Sample]]
"""By metric key and name of the entrant."""

NOTHING = Sample(np.empty(0, np.int64), np.empty(0), None, NOT_IN_RECORD)


def samples_of(frame: pl.DataFrame, runs: Mapping[str, Sequence[RunSummary]]) -> Samples:
    """Turn observations into samples.

    What belongs to a run as a whole counts as one repetition, unless the key has values of repetitions as well.

    Args:
        frame: Observations, see `probes.observations`.
        runs: By name of the entrant.
    """
    blocks = {
        block: number for number, block in enumerate(sorted({block_of(run) for own in runs.values() for run in own}))
    }
    rows = [(run.run_id, name, blocks[block_of(run)]) for name, own in runs.items() for run in own]
    owners = pl.DataFrame(rows, schema={"run_id": pl.String, "entrant": pl.String, "block": pl.Int64}, orient="row")
    owned = frame.join(owners.with_columns(pl.col("entrant").cast(pl.Categorical)), on="run_id").select(
        "key",
        "entrant",
        "value",
        "unit",
        "missing",
        is_of_run=pl.col("repetition") < 0,
        unit_number=pl.col("block") * MOST_REPETITIONS + pl.col("repetition"),
    )
    found: dict[str, dict[str, Sample]] = {}
    for (key, entrant), group in owned.partition_by("key", "entrant", as_dict=True).items():
        found.setdefault(str(key), {})[str(entrant)] = _sample(group)
    return found


def _sample(group: pl.DataFrame) -> Sample:
    known = group.filter(pl.col("value").is_finite())
    if not known["is_of_run"].all():
        known = known.filter(~pl.col("is_of_run"))
    if known.is_empty():
        reasons = group["missing"].drop_nulls().mode().sort()
        return Sample(NOTHING.units, NOTHING.values, None, reasons[0] if reasons.len() else NOT_IN_RECORD)
    units, values = known["unit_number"].to_numpy(), known["value"].to_numpy()
    distinct, first = np.unique(units, return_index=True)
    names = known["unit"].drop_nulls().to_list()
    return Sample(distinct, values[first], str(names[0]) if names else None, None)
