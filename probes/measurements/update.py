"""What the defined update costs: publishing, rolling out, first result, silence, and the way back.

The same change of one node's code, one parameter and one model file is made in every pattern (docs/campaigns.md).
"""

from probes.measurement import Evidence, Measurement
from probes.measurements.images import WHY_MISSING
from probes.metrics import CLOCK_UNPROVEN, NOT_REQUESTED, Metric
from probes.publishing import PUBLISH_FAILED
from probes.readings import Reading
from probes.update import (
    CHANGES_NOTHING,
    NO_DEFINED_UPDATE,
    NODE_NOT_PLACED,
    NOT_DEFINED,
    NOTHING_TO_PUBLISH,
    PREVIEW_FAILED,
)
from probes.update_evidence import CHANGES, Change, Turn, UpdateCycle

NO_RESULT = "no_result_after_update"
WORST_CLOCK_RATIO = 0.1
STAGES = ("publish", "rollout", "ready", "gap", "rollback")
CHANGE_LABELS = {
    "change=code": "one node's code: a new image, overlay or component",
    "change=parameter": "one parameter of one node",
    "change=model": "one model file",
}
NOT_MADE = {
    NOT_REQUESTED: "needs --cycles update",
    NO_DEFINED_UPDATE: "no folder of updates/ has the application's name",
    NOT_DEFINED: "the application's update.yaml does not define this change",
    NODE_NOT_PLACED: "no pod of the stack holds the node that is updated",
    CHANGES_NOTHING: "`pulumi preview` says that the change would change no object of this stack",
    PREVIEW_FAILED: "`pulumi preview` failed, so the change was not made",
    PUBLISH_FAILED: "the changed images could not be built and pushed; the sentence is shown while the run goes on",
}
METRICS = (
    Metric(
        "update_s",
        "",
        "s",
        "time of one stage of the defined update of a running application",
        source="runner's clock; arrivals in one pod watch; receipt stamps at the recorder",
        resolution="1 ms (watch); 1 ns (stamps); `gap`: one period of the source",
        error_bound="`ready` and `rollback`: the bound of the clock offset, 0 on one kernel; withheld where that "
        "exceeds 10 % of the value. `rollout`: the watch's lag, some milliseconds, always too long",
        missing={
            **NOT_MADE,
            NOTHING_TO_PUBLISH: "the change needs no new image",
            NO_RESULT: "no result of the new version arrived in time",
        },
        labels={
            **CHANGE_LABELS,
            "stage=publish": "building and pushing what is new, from the shell",
            "stage=rollout": "start of `pulumi up` to the last new pod Ready; of a component: unload and load",
            "stage=ready": "the same start to the first result that the new version caused",
            "stage=gap": "largest silence of the result topic that reaches beyond that start",
            "stage=rollback": "start of the way back to the first result that the old version caused again",
        },
    ),
    Metric(
        "update_bytes_wire",
        "S_img",
        "B",
        "compressed bytes of layers and configurations that the new version's images have and the old one's have not",
        source="manifests in the registry, by digest",
        resolution="1 B",
        error_bound="none: the registry states the bytes of each blob; a machine that lacks more pulls more",
        missing={
            **NOT_MADE,
            **WHY_MISSING,
        },
        labels=CHANGE_LABELS,
    ),
)


class Measured(Measurement):
    """Reads the update cycles of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give every stage and the bytes of every change; what was not asked for is missing."""
        if not evidence.updates:
            return Reading("update_s", missing=NOT_REQUESTED), Reading("update_bytes_wire", missing=NOT_REQUESTED)
        made = {cycle.change: cycle for cycle in evidence.updates}
        cycles = [made.get(change) or not_asked_for(change) for change in CHANGES]
        return tuple(reading for cycle in cycles for reading in cycle_readings(cycle))


def not_asked_for(change: Change) -> UpdateCycle:
    """Give the cycle of a change that the plan left out."""
    parts = ("publish_s", "update", "rollback", "bytes_wire", "objects_changed")
    return UpdateCycle(change, missing=dict.fromkeys(parts, NOT_REQUESTED))


def cycle_readings(cycle: UpdateCycle) -> tuple[Reading, ...]:
    """Give the readings of one change."""
    labels = {"change": cycle.change}
    size = None if cycle.bytes_wire is None else float(cycle.bytes_wire)
    values = {
        "publish": _known(cycle.publish_s, cycle.reason("publish_s")),
        "rollout": _known(rollout_s(cycle.update), cycle.reason("update")),
        "ready": _known(ready_s(cycle.update), cycle.reason("update")),
        "gap": _known(gap_s(cycle.update), cycle.reason("update")),
        "rollback": _known(ready_s(cycle.rollback), cycle.reason("rollback")),
    }
    return (
        *(_reading("update_s", values[stage], {**labels, "stage": stage}) for stage in STAGES),
        _reading(
            "update_bytes_wire", _known(None if size is None else float(size), cycle.reason("bytes_wire")), labels
        ),
    )


def rollout_s(turn: Turn | None) -> float | None:
    """Give how long the change itself took; None where it was not made."""
    return None if turn is None else (turn.rolled_out_ns - turn.started_ns) / 1e9


def ready_s(turn: Turn | None) -> float | str | None:
    """Give start to first result, or why there is none; None where the change was not made."""
    if turn is None:
        return None
    if turn.first_result_ns is None:
        return NO_RESULT
    duration_ns = turn.first_result_ns - turn.started_ns
    return CLOCK_UNPROVEN if turn.clock_bound_ns > WORST_CLOCK_RATIO * duration_ns else duration_ns / 1e9


def gap_s(turn: Turn | None) -> float | str | None:
    """Give the silence, or why its end is unknown; None where the change was not made."""
    if turn is None:
        return None
    return NO_RESULT if turn.silence_s is None else turn.silence_s


def _known(value: float | str | None, reason: str) -> float | str:
    return reason if value is None else value


def _reading(name: str, value: float | str, labels: dict[str, str]) -> Reading:
    if isinstance(value, str):
        return Reading(name, missing=value, labels=labels)
    return Reading(name, value, labels=labels)
