"""Before a warm run: what is on no machine yet is brought there by a start that is not measured.

Else the first repetition after a build would pull, which makes a warm run invalid when it has ended. The gate
`one_regime` judges as before: a pod may still come to a machine that lacks what another one has.
"""

from collections.abc import Sequence

from probes.deploy import application_of, deploy, park
from probes.plan import DEPLOYING
from probes.run_state import Bench
from stacks.outputs import StackOutputs


async def bring_images(bench: Bench, stacks: Sequence[StackOutputs]) -> None:
    """Start each stack once whose images no machine holds, one at a time, and park it again.

    Raises:
        ProbeError: A stack cannot be deployed or parked.
    """
    plan, world = bench.plan, bench.world
    if plan.regime != "warm" or plan.cycles not in DEPLOYING:
        return
    held = await bench.cluster.images()
    for outputs in stacks:
        wanted = {image for pod in application_of(outputs).pods for image in pod.images()}
        if absent := wanted - held:
            some = ", ".join(sorted(absent)[:2]) + (" …" if len(absent) > 2 else "")
            world.screen.step(f"{outputs.stack}: start once, unmeasured: no machine holds {some}")
            await park_others(bench, outputs, stacks)
            await deploy(world.target, bench.cluster, outputs, plan.durations.ready_timeout_s)
            await park(world.target, bench.cluster, outputs, plan.durations.ready_timeout_s)
            held |= wanted


async def park_others(bench: Bench, kept: StackOutputs, stacks: Sequence[StackOutputs]) -> None:
    """Park every other stack of a campaign that runs.

    Raises:
        ProbeError: One cannot be parked.
    """
    for other in stacks:
        if other.stack != kept.stack and await bench.cluster.pods(other.namespace, application_of(other).labels):
            await park(bench.world.target, bench.cluster, other, bench.plan.durations.ready_timeout_s)
