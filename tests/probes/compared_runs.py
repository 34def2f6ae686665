"""Runs and observations for tests of what compares them; the numbers are made up."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from probes.conditions import Conditions
from probes.observations import OBSERVATIONS, in_order
from probes.run_summary import RunSummary

CONDITIONS = Conditions(
    application="perception 0123456789abcdef",
    load='{"rateHz":10}',
    regime="warm",
    cycles="install",
    window_s=20.0,
    network='{"discovery":"server","fault":null,"mode":"pod","socketBufferBytes":4194304}',
    machine_class='[{"architecture":"amd64","cores":2,"count":2}]',
    versions='{"rmw":"rmw_fastrtps_cpp","schema":1}',
)
START = datetime(2027, 3, 1, 12, tzinfo=UTC)


def run(number: int, stack: str = "monolithic", *, campaign: str = "c1", **changes: Any) -> RunSummary:
    """Make a run; a larger number is a newer one."""
    run_id = f"01a1fe67-0000-7000-8000-{number:012d}"
    made = RunSummary(
        run_id=run_id,
        prefix=f"runs/schema=1/date=2027-03-01/pattern={stack}/run={run_id}/",
        schema=1,
        created_at=START + timedelta(minutes=number),
        stack=stack,
        pattern=stack,
        arm=None,
        campaign=campaign,
        cell=None,
        state="complete",
        reason=None,
        application="perception",
        repetitions=5,
        conditions=CONDITIONS,
        noise_floor=None,
        commit="0c3bb17a",
        dirty=False,
    )
    return made._replace(**changes)


def visit(
    number: int, stack: str, block: int, *, campaign: str = "c1", role: str = "cell", **levels: Any
) -> RunSummary:
    """Make a run that is a visit of a campaign."""
    name = ", ".join([stack, *(f"{factor}={level}" for factor, level in levels.items())])
    cell = {"campaign": campaign, "name": name, "repetition": block, "role": role, "levels": levels}
    return run(number, stack, campaign=campaign, cell=cell, repetitions=1)


@dataclass(frozen=True)
class Observations:
    """Stands in for the sources of records: values by run and metric key, one per repetition, None for a reason."""

    values: Mapping[str, Mapping[str, Sequence[float | None]]]
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    addresses: tuple[str, ...] = ("made up",)

    def observations(self, runs: Iterable[RunSummary], keys: Collection[str] | None = None) -> pl.DataFrame:
        """Give the frame that records would give."""
        rows: list[tuple[Any, ...]] = []
        for run_id in {run.run_id for run in runs}:
            for key, values in self.values.get(run_id, {}).items():
                if keys is None or key in keys:
                    for repetition, value in enumerate(values):
                        missing = "no_platform" if value is None else None
                        unit = self.units.get(key, "s")
                        rows.append((run_id, repetition, key, key.partition("{")[0], "{}", value, missing, unit))
        return in_order(pl.DataFrame(rows, schema=dict(OBSERVATIONS), orient="row"))
