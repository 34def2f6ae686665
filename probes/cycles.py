"""What `--cycles` does to a stack, as values: adding a cycle is adding an entry here."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from probes.plan import Cycles
from probes.run_state import Begun, Bench, Run
from probes.update import update_all
from probes.update_evidence import UpdateCycle

Exercise = Callable[[Bench, Run, Begun], Awaitable[tuple[UpdateCycle, ...]]]


@dataclass(frozen=True)
class Cycle:
    """One cycle.

    Args:
        deploys: The stack is parked and deployed again before each window.
        exercise: What is done to the running application after the window and its drain, while the recorder still
            listens; None where nothing is. What it returns becomes `Evidence.updates`.
    """

    deploys: bool
    exercise: Exercise | None = None


CYCLES: Mapping[Cycles, Cycle] = {
    "none": Cycle(deploys=False),
    "install": Cycle(deploys=True),
    "update": Cycle(deploys=True, exercise=update_all),
}
