"""A run as the runner makes it, without a cluster: the same calls of spool, journal, seal and upload in their order.

It tells its history what was promised to whom: which samples were durable, which repetitions were kept, which record
was said to be stored.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import probes.kept
from probes.errors import ExitCode, ProbeError
from probes.integrity import digest
from probes.journal import Journal
from probes.kept import RUN_READINGS, samples_folder, write_repetition, write_window
from probes.readings import Reading
from probes.record import CONTEXT_FILE, End, seal, upload
from probes.recorder import RecorderClient
from probes.resume import needs_resuming, own_store, resume_run
from probes.sample_copy import SampleCopy
from probes.samples import Window
from probes.spool import MANIFEST_FILE, RunFolder, Spool
from probes.tables import TABLES, readings_table, rows_table, samples_table
from tests.durability.stand_ins import InMemoryRecorder, finished
from tests.probes.standins import TOPIC, outputs_of

RUN_ID = "01990000-0000-7000-8000-000000000001"
ROWS_PER_COPY = 3
OUTPUTS = outputs_of().model_dump(mode="json", by_alias=True)
FACTS: Mapping[str, Any] = {
    "window": {"start_ns": 0, "end_ns": 10_000},
    "deployment": None,
    "clock": {},
    "capture": {},
    "load_average": {},
}


@dataclass(frozen=True)
class Shape:
    """What a run is like.

    Args:
        repetitions: How many are planned.
        copies: How often samples are fetched in each.
        store: Where the record goes: a bucket, or a folder of the same disk.
        passes: Whether the gates pass.
    """

    repetitions: int = 1
    copies: int = 1
    store: Literal["bucket", "folder"] = "bucket"
    passes: bool = True


@dataclass
class History:
    """What was promised so far.

    Args:
        synced: Samples of each repetition of which the copy said that they are durable.
        kept: Repetitions of which it was said that they are complete.
        stored: SHA-256 of the manifest of each record that was said to be stored, by its address.
    """

    synced: dict[int, int] = field(default_factory=dict[int, int])
    kept: set[int] = field(default_factory=set[int])
    stored: dict[str, str] = field(default_factory=dict[str, str])

    def is_stored(self, folder: RunFolder, address: str) -> None:
        """Note that a record was said to be stored; the same name is never given to other bytes."""
        manifest = digest((folder.sealed / MANIFEST_FILE).read_bytes())
        assert self.stored.setdefault(address, manifest) == manifest


def context_of(shape: Shape, run_id: str) -> dict[str, Any]:
    """Give what is known before the first repetition."""
    return {
        "run_id": run_id,
        "campaign": run_id,
        "created_at": "2026-01-02T03:04:05+00:00",
        "stack": "monolithic",
        "pattern": "monolithic",
        "spec": {"pattern": "monolithic"},
        "outputs": OUTPUTS,
        "images": {},
        "git": {"revision": None, "is_dirty": None},
        "operator": {},
        "thresholds": {},
        "plan": {"repetitions": shape.repetitions, "seed": 1, "cycles": "none", "durations": {}},
        "machines": [],
        "findings": [],
    }


def reading_of(repetition: int) -> Reading:
    """Give the one reading of a repetition."""
    return Reading("frames_hz", 10.0 + repetition, repetition=repetition)


def perform(spool: Spool, shape: Shape, history: History, store: str, run_id: str = RUN_ID) -> None:
    """Measure, seal and upload."""
    folder = spool.create(run_id)
    with Journal(folder.path) as journal:
        end = _measure(folder, journal, shape, history, store)
        seal(folder, journal, end)
        history.is_stored(folder, upload(folder, journal, own_store(folder)))


def measure(spool: Spool, shape: Shape, history: History, store: str, run_id: str = RUN_ID) -> RunFolder:
    """Measure, and end there."""
    folder = spool.create(run_id)
    with Journal(folder.path) as journal:
        _measure(folder, journal, shape, history, store)
    return folder


def _measure(folder: RunFolder, journal: Journal, shape: Shape, history: History, store: str) -> End:
    journal.append("planned", stack="monolithic", store=store)
    folder.write_json(CONTEXT_FILE, context_of(shape, folder.run_id))
    try:
        for repetition in range(shape.repetitions):
            _repeat(folder, journal, shape, repetition, history)
        folder.write(f"repetitions/{RUN_READINGS}", probes.kept.encode_table(readings_table(())))
    except ProbeError as problem:
        return End("aborted", problem.reason)
    return End("complete", None)


def _repeat(folder: RunFolder, journal: Journal, shape: Shape, repetition: int, history: History) -> None:
    recorder, window = InMemoryRecorder(), Window(**FACTS["window"])
    copy = SampleCopy(cast("RecorderClient", recorder), "one", [TOPIC], samples_folder(folder, repetition))
    journal.append("ready", repetition=repetition)
    journal.append("measuring", repetition=repetition)
    write_window(folder, repetition, window)
    for _ in range(shape.copies):
        recorder.count += ROWS_PER_COPY
        finished(copy.advance())
        history.synced[repetition] = recorder.count
    tables = {name: rows_table(name, ()) for name in TABLES}
    tables["samples"] = samples_table(repetition, copy.samples(), window)
    tables["metrics"] = readings_table([reading_of(repetition)])
    gates = [{"name": "enough_samples", "passed": shape.passes, "detail": ""}]
    write_repetition(folder, repetition, {**FACTS, "repetition": repetition, "gates": gates}, tables)
    history.kept.add(repetition)
    shutil.rmtree(samples_folder(folder, repetition))
    journal.append("collected", repetition=repetition)


def resume_all(spool: Spool, history: History) -> list[ExitCode]:
    """Do what `python -m probes.resume` does without arguments; gives the exit codes."""
    codes: list[ExitCode] = []
    for folder in filter(needs_resuming, spool.runs()):
        resumed = resume_run(folder, None)
        codes.append(resumed.code)
        if resumed.code == ExitCode.COMMITTED:
            history.is_stored(folder, resumed.text)
    return codes
