"""C_cfg: how much of what people write changes for the defined update, and how many objects of the cluster."""

import asyncio
from collections.abc import Callable

from probes.changed_lines import GIT_FAILED, NO_GIT, NO_STACK_FILE, Counted, Uncountable, count_patch, count_setting
from probes.defined_update import DefinedUpdate, find_update
from probes.errors import UsageError
from probes.measurement import Evidence, Measurement, RunContext
from probes.measurements.update import CHANGE_LABELS, NOT_MADE
from probes.metrics import NO_APPLICATION, NOT_REQUESTED, Metric
from probes.provenance import PROJECT_ROOT
from probes.readings import Reading
from probes.update import NO_DEFINED_UPDATE, NOT_DEFINED
from probes.update_evidence import CHANGES, Change

BINARY = "binary_file"
UNUSABLE = "update_definition_unusable"
REASONS = {
    NO_DEFINED_UPDATE: "no folder of updates/ has the application's name",
    NOT_DEFINED: "the application's update.yaml does not define this change",
    UNUSABLE: "the application's update.yaml cannot be used; the sentence is shown while the run goes on",
    NO_GIT: "git is not installed where the runner runs",
    NO_STACK_FILE: "the stack has no file Pulumi.STACK.yaml in this checkout",
    GIT_FAILED: "git could not read the change; the sentence is shown while the run goes on",
}
SOURCE = "`git apply --numstat` of the patch that defines the change; `git diff --numstat` of the stack file"
METRICS = (
    Metric(
        "config_lines_changed",
        "C_cfg",
        "1",
        "lines added and removed by the defined update, in the project and the stack's file; a changed line counts as "
        "one added and one removed",
        source=SOURCE,
        resolution="1 line",
        error_bound="none; it is a property of the definition, the same in every repetition",
        missing={**REASONS, BINARY: "a file of the change is binary: it has no lines"},
        labels=CHANGE_LABELS,
    ),
    Metric(
        "config_files_changed",
        "C_cfg",
        "1",
        "files changed by the defined update, in the project and the stack's file",
        source=SOURCE,
        resolution="1 file",
        error_bound="none; it is a property of the definition, the same in every repetition",
        missing=REASONS,
        labels=CHANGE_LABELS,
    ),
    Metric(
        "config_objects_changed",
        "C_cfg",
        "1",
        "objects of the cluster that the defined update makes, changes, replaces or removes; a replacement is one",
        source="`pulumi preview --json` right before the update; none for a component, which changes no object",
        resolution="1 object",
        error_bound="the preview's own: it plans from the state, not from the cluster",
        missing=NOT_MADE,
        labels=CHANGE_LABELS,
    ),
)


class Measured(Measurement):
    """Counts the definition once per run, and the objects of every update that was made."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give the objects that each update changed."""
        if not evidence.updates:
            return (Reading("config_objects_changed", missing=NOT_REQUESTED),)
        readings: list[Reading] = []
        for cycle in evidence.updates:
            labels, count = {"change": cycle.change}, cycle.objects_changed
            if count is None:
                reason = cycle.reason("objects_changed")
                readings.append(Reading("config_objects_changed", missing=reason, labels=labels))
            else:
                readings.append(Reading("config_objects_changed", float(count), labels=labels))
        return tuple(readings)

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give lines and files of every change that is defined for the application."""
        application = context.outputs.application
        if application is None:
            return tuple(Reading(metric.name, missing=NO_APPLICATION) for metric in METRICS[:2])
        try:
            update = find_update(application.name)
        except UsageError as problem:
            context.note(f"The defined update cannot be counted: {problem.message}")
            return _all(UNUSABLE)
        if update is None:
            return _all(NO_DEFINED_UPDATE)
        return await asyncio.to_thread(_count_all, update, context.outputs.stack, context.note)


def _count_all(update: DefinedUpdate, stack: str, note: Callable[[str], None]) -> tuple[Reading, ...]:
    readings: list[Reading] = []
    for change in CHANGES:
        try:
            readings += _readings(change, count(update, change, stack))
        except Uncountable as problem:
            note(f"What the update of {change} changes cannot be counted: {problem}")
            readings += _missing(change, problem.reason)
    return tuple(readings)


def count(update: DefinedUpdate, change: Change, stack: str) -> Counted | None:
    """Count a change; None where it is not defined.

    Raises:
        Uncountable: Git or a file is missing.
    """
    patch, parameter = update.patch(change), update.definition.parameter
    if patch is not None:
        return count_patch(patch)
    if change == "parameter" and parameter is not None:
        return count_setting(PROJECT_ROOT / f"Pulumi.{stack}.yaml", parameter.spec)
    return None


def _readings(change: Change, counted: Counted | None) -> list[Reading]:
    if counted is None:
        return _missing(change, NOT_DEFINED)
    labels = {"change": change}
    lines = (
        Reading("config_lines_changed", missing=BINARY, labels=labels)
        if counted.lines is None
        else Reading("config_lines_changed", float(counted.lines), labels=labels)
    )
    return [lines, Reading("config_files_changed", float(counted.files), labels=labels)]


def _missing(change: Change, reason: str) -> list[Reading]:
    names = ("config_lines_changed", "config_files_changed")
    return [Reading(name, missing=reason, labels={"change": change}) for name in names]


def _all(reason: str) -> tuple[Reading, ...]:
    return tuple(reading for change in CHANGES for reading in _missing(change, reason))
