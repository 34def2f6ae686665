"""Where a reading command finds records: the sealed runs of this machine's spool, and a store.

A run that is in both counts once. `--store spool` reads the spool alone, another `--store` that store alone.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from probes.errors import ProbeError, SpoolDamaged, StoreUnavailable
from probes.integrity import record_prefix
from probes.observations import in_order, nothing_observed
from probes.records import RecordStore, find_runs, observations
from probes.run_summary import EVERY_RUN, RunFilter, RunSummary
from probes.spool import MANIFEST_FILE, RunFolder, Spool
from probes.store_folder import FolderStore

SPOOL = "spool"
BUCKET_VARIABLE = "ROS2BENCH_RECORDS_BUCKET"


class SpoolRecords:
    """The sealed runs of a spool under the keys that they have in a store; read only.

    Args:
        spool: The spool; that of this user by default.
    """

    def __init__(self, spool: Spool | None = None) -> None:
        self._spool = spool or Spool()
        self._folders: dict[str, RunFolder] = {}
        self.problems: list[ProbeError] = []
        for folder in self._spool.runs():
            if not folder.is_sealed:
                continue
            try:
                prefix = record_prefix(json.loads((folder.sealed / MANIFEST_FILE).read_bytes()))
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append(
                    SpoolDamaged(
                        f"{folder.sealed / MANIFEST_FILE} is no manifest ({error}): run {folder.run_id} is left out.",
                        next_step="python -m probes.doctor",
                    )
                )
            else:
                self._folders[prefix] = folder

    def address(self, key: str) -> str:
        """Name a file."""
        prefix, _, name = key.rpartition("/")
        folder = self._folders.get(f"{prefix}/")
        return str(self._spool.root / key) if folder is None else str(folder.sealed / name)

    def get(self, key: str) -> bytes:
        """Read a file.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        try:
            return Path(self.address(key)).read_bytes()
        except OSError as error:
            raise StoreUnavailable(
                f"{self.address(key)} cannot be read: {error.strerror or error}.", next_step="python -m probes.doctor"
            ) from None

    def list(self, prefix: str) -> Sequence[str]:
        """Give the keys that begin with a prefix."""
        keys = (own + path.name for own, folder in self._folders.items() for path in folder.sealed.iterdir())
        return sorted(key for key in keys if key.startswith(prefix))


@dataclass(frozen=True)
class FoundRuns:
    """Runs of all sources, oldest first, each with the source that it is read from."""

    runs: tuple[RunSummary, ...]
    problems: tuple[ProbeError, ...]
    source_of: Mapping[str, RecordStore]
    addresses: tuple[str, ...]

    def observations(self, runs: Iterable[RunSummary], keys: Collection[str] | None = None) -> pl.DataFrame:
        """Give what was observed in some of the runs; see `probes.records.observations`."""
        by_source: dict[int, tuple[RecordStore, list[RunSummary]]] = {}
        for run in runs:
            source = self.source_of[run.run_id]
            by_source.setdefault(id(source), (source, []))[1].append(run)
        frames = [observations(source, own, keys) for source, own in by_source.values()]
        return frames[0] if len(frames) == 1 else in_order(pl.concat([nothing_observed(), *frames]))


def open_sources(option: str | None, environment: Mapping[str, str] = os.environ) -> tuple[RecordStore, ...]:
    """Open the sources that `--store` names; without it the spool, and the store of the environment if it names one.

    Args:
        option: `spool`, `dir:PATH`, `s3://BUCKET[/PREFIX]`, or None.
        environment: Variables; the process's own by default.

    Raises:
        UsageError: `option` is none of these.
    """
    if option == SPOOL:
        return (SpoolRecords(),)
    if option is None and not environment.get(BUCKET_VARIABLE):
        return (SpoolRecords(),)
    if option is not None and (folder := FolderStore.named(option)) is not None:
        return (folder,)
    # Imported here because the S3 client takes longer to import than a comparison takes.
    from probes.store_choice import chosen_store  # noqa: PLC0415

    store = chosen_store(option, environment)
    return (SpoolRecords(), store) if option is None else (store,)


def find_in(sources: Sequence[RecordStore], where: RunFilter = EVERY_RUN) -> FoundRuns:
    """List the runs of all sources; of a run that several have, the first one's.

    Raises:
        StoreUnavailable: A source cannot be read.
    """
    runs: dict[str, RunSummary] = {}
    source_of: dict[str, RecordStore] = {}
    problems: list[ProbeError] = []
    for source in sources:
        found = find_runs(source, where)
        problems += found.problems
        if isinstance(source, SpoolRecords):
            problems += source.problems
        new = {run.run_id: run for run in found.runs if run.run_id not in runs}
        runs |= new
        source_of |= dict.fromkeys(new, source)
    ordered = list(runs.values())
    if len(sources) > 1:
        ordered.sort(key=lambda run: (run.created_at, run.run_id))
    return FoundRuns(tuple(ordered), tuple(problems), source_of, tuple(source.address("") for source in sources))
