"""Volumes that an application keeps over its pods: deleted and made anew for a pristine install."""

import asyncio
import time

from probes.deploy import run_engine
from probes.preconditions import STACK_LABEL
from probes.run_state import Bench
from stacks.outputs import StackOutputs

COMPONENT_LABEL, STORAGE = "app.kubernetes.io/component", "storage"
POLL_S = 0.5


async def renew_volumes(bench: Bench, outputs: StackOutputs) -> list[str]:
    """Delete the claims that a parked stack made, and let the engine make them again, empty.

    Claims that the stack did not make hold somebody else's data: they are left alone and named.

    Returns:
        Why a volume is not new, if one is not.

    Raises:
        ProbeError: A claim could not be deleted, or the engine failed.
    """
    claims = await bench.cluster.claims(outputs.namespace)
    wanted = {STACK_LABEL: outputs.stack, COMPONENT_LABEL: STORAGE}
    own = [name for name, labels in claims.items() if wanted.items() <= labels.items()]
    problems = [
        f"claim {name} is not of this stack, so what it holds is left as it is" for name in claims if name not in own
    ]
    for name in own:
        await bench.cluster.delete_claim(outputs.namespace, name)
    deadline_s = time.monotonic() + bench.plan.durations.ready_timeout_s
    while left := [name for name in await bench.cluster.claims(outputs.namespace) if name in own]:
        if time.monotonic() > deadline_s:
            return [*problems, *(f"claim {name} does not go away" for name in left)]
        await asyncio.sleep(POLL_S)
    if own:
        target = bench.world.target
        await run_engine(target, lambda: target.restore(outputs.stack))
    return problems
