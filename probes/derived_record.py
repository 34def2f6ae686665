"""A record of what followed from several measurements: no window and no samples of its own, only readings.

Searches and endurance runs keep their answer so; what they measured on the way lies in the readings or in records of
their own, which share the campaign's identifier.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from probes.cell import Cell
from probes.cluster import Machine
from probes.deploy import application_of
from probes.errors import ExitCode, ProbeError
from probes.journal import Journal
from probes.kept import RUN_READINGS
from probes.provenance import PROJECT_ROOT, operator_facts, read_commit
from probes.readings import Reading
from probes.record import CONTEXT_FILE, End, seal, upload
from probes.run_id import created_at, new_run_id
from probes.spool import RunFolder
from probes.store import pinned
from probes.tables import encode_table, readings_table
from probes.world import World
from stacks.outputs import StackOutputs

READINGS_FILE = f"repetitions/{RUN_READINGS}"


@dataclass(frozen=True)
class Derived:
    """A record that is being made."""

    folder: RunFolder
    journal: Journal
    outputs: StackOutputs
    store: str | None


def begin_record(
    world: World, outputs: StackOutputs, cell: Cell, facts: Mapping[str, Any], store: str | None
) -> Derived:
    """Make the folder of a record, with everything that is known before.

    Args:
        world: The outside.
        outputs: The stack.
        cell: Its place in the campaign.
        facts: What was asked for; becomes the plan of the manifest. `repetitions` and `seed` must be in it.
        store: Where it goes.
    """
    folder = world.spool.create(new_run_id())
    journal = Journal(folder.path)
    journal.append("planned", stack=outputs.stack, store=pinned(store))
    folder.write_json(
        CONTEXT_FILE,
        {
            "run_id": folder.run_id,
            "campaign": cell.campaign,
            "cell": cell.as_record(),
            "created_at": created_at(folder.run_id).isoformat(),
            "stack": outputs.stack,
            "pattern": outputs.pattern or "none",
            "spec": outputs.spec,
            "outputs": outputs.model_dump(mode="json", by_alias=True),
            "images": {pod.name: pod.image for pod in application_of(outputs).pods},
            "machines": [],
            "git": asdict(read_commit(PROJECT_ROOT)),
            "operator": operator_facts(),
            "plan": {"durations": {}, **facts},
            "thresholds": {},
            "findings": [],
        },
    )
    return Derived(folder, journal, outputs, store)


def note_machines(derived: Derived, machines: Sequence[Machine]) -> None:
    """Write which machines the cluster has, once they are known: without them nobody can tell what is comparable."""
    context = derived.folder.read_json(CONTEXT_FILE)
    derived.folder.write_json(CONTEXT_FILE, {**context, "machines": [asdict(machine) for machine in machines]})


def keep_readings(derived: Derived, readings: Sequence[Reading]) -> None:
    """Write the readings so far, so that a killed process loses none of them."""
    derived.folder.write(READINGS_FILE, encode_table(readings_table(readings)))


def finish_record(world: World, derived: Derived, end: End) -> ExitCode:
    """Seal, upload and show; gives the command's exit code."""
    with derived.journal as journal:
        manifest = seal(derived.folder, journal, end)
        place = f"{derived.folder.sealed} (on this machine only)"
        next_steps = [f"python -m probes.resume {derived.folder.run_id}"]
        code = ExitCode.COMMITTED if end.state == "complete" else ExitCode.ABORTED
        try:
            if end.state == "complete":
                place, next_steps = (
                    upload(derived.folder, journal, world.open_store(derived.store, derived.outputs.records)),
                    [],
                )
        except ProbeError as problem:
            world.screen.error(problem)
            code = problem.exit_code
        world.screen.result(manifest, place, next_steps)
    return code
