"""Which stack's machine readers a campaign asks."""

from collections.abc import Sequence

from probes.errors import UsageError
from probes.fault_order import FaultOrder
from probes.plan import Regime
from probes.world import Target
from stacks.outputs import StackOutputs


def platform_of(
    target: Target, chosen: Sequence[StackOutputs], asked: str | None, regime: Regime
) -> StackOutputs | None:
    """Give the platform whose machine readers are asked: of `--platform`, else of the stacks' `platform:`.

    Args:
        target: The stacks of the project.
        chosen: Those that are measured.
        asked: Option `--platform`.
        regime: What machines hold before an install; all but `warm` need a platform.

    Raises:
        UsageError: The stacks name several, the stack named is none, or a regime needs one that is not there.
    """
    named = sorted({outputs.platform for outputs in chosen if outputs.platform})
    own = [outputs for outputs in chosen if outputs.machine_readers is not None]
    if asked is None and not named and own:
        return own[0]
    if asked is None and len(named) > 1:
        raise UsageError(
            f"The stacks name several platforms ({', '.join(named)}); a campaign asks the readers of one.",
            next_step=f"--platform {named[0]}, or measure the stacks apart",
        )
    name = asked or (named[0] if named else None)
    platform = target.outputs(target.choose((name,))[0]) if name else None
    if platform is not None and platform.machine_readers is None and (asked or regime != "warm"):
        raise UsageError(
            f"Stack {platform.stack} ({platform.kind}) exports no machine readers, so its machines cannot be asked.",
            next_step=f"set machineReaders.enabled in Pulumi.{platform.stack}.yaml, then: pulumi up -s "
            f"{platform.stack}",
        )
    if platform is None and regime != "warm":
        raise UsageError(
            f"--regime {regime} needs machine readers that may remove images, to make the machines cold and to "
            "prove it; neither --platform nor a stack's platform: names a platform stack.",
            next_step="deploy one with machineReaders.allowImageRemoval (pulumi up -s platform), then add "
            "--platform platform",
        )
    return platform


def require_readers(platform: StackOutputs | None, *, network: bool | None, fault: FaultOrder | None) -> None:
    """Check that there are machine readers for what only they can do.

    Raises:
        UsageError: There are none, or they may not inject faults.
    """
    asked = "--fault" if fault else "--network" if network else None
    if asked is None:
        return
    if platform is None or platform.machine_readers is None:
        raise UsageError(
            f"{asked} needs machine readers on the machines; neither --platform nor a stack's platform: names a stack "
            "that has some.",
            next_step="deploy one with machineReaders.enabled (pulumi up -s platform), then add --platform platform",
        )
    if fault and not platform.spec.get("machineReaders", {}).get("allowFaults", False):
        raise UsageError(
            f"--fault changes the network of the machines, but machineReaders.allowFaults is not set in stack "
            f"{platform.stack}, so its machine readers refuse.",
            next_step=f"set machineReaders.allowFaults: true in Pulumi.{platform.stack}.yaml, then: pulumi up -s "
            f"{platform.stack}; or leave --fault out",
        )
