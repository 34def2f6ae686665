"""What one update left behind: there and back, in the runner's clock. Values only; `probes.update` makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Change = Literal["code", "parameter", "model"]
Means = Literal["rollout", "swap"]
CHANGES: tuple[Change, ...] = ("code", "parameter", "model")


@dataclass(frozen=True)
class Turn:
    """One change of a running application from one version to another.

    Args:
        started_ns: Start of the `pulumi up`, or of the first signed call.
        rolled_out_ns: The last new pod was Ready, or the last call was answered.
        first_result_ns: Receipt of the first result that the new version can have caused; None where none came.
        silence_s: Largest silence of the result topic that reaches beyond the start; None where it has no known end.
        clock_bound_ns: How far `first_result_ns` may be off, since it is a stamp of the recorder.
    """

    started_ns: int
    rolled_out_ns: int
    first_result_ns: int | None
    silence_s: float | None
    clock_bound_ns: int


@dataclass(frozen=True)
class UpdateCycle:
    """The defined change of one kind, made and undone.

    Args:
        change: What was changed.
        means: How the pattern takes it in; None where it was not made.
        publish_s: Building and pushing what is new.
        update: The way there.
        rollback: The way back.
        bytes_wire: Compressed bytes that a machine with the old version pulls for the new one.
        objects_changed: Objects that `pulumi preview` says would change.
        missing: Why a part is None, by its name here.
    """

    change: Change
    means: Means | None = None
    publish_s: float | None = None
    update: Turn | None = None
    rollback: Turn | None = None
    bytes_wire: int | None = None
    objects_changed: int | None = None
    missing: Mapping[str, str] = field(default_factory=dict[str, str])

    def reason(self, part: str) -> str:
        """Give the reason why a part is None."""
        return self.missing.get(part, "not_measured")
