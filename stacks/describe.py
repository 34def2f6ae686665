"""Print what a stack would export, without a cluster: `python -m stacks.describe -s STACK`.

The same contract that `pulumi up` exports (`stacks.outputs`), for who runs the images by other means.
"""

import os
import sys
from typing import Annotated

import typer

from components.refusal import Refusal
from stacks import contract, platform
from stacks.network import health_ports
from stacks.outputs import StackOutputs
from stacks.plan import plan
from stacks.reading import PROJECT_FOLDER, read_file
from stacks.rendering import NO_CLUSTER
from stacks.spec import StackSpec

USAGE_ERROR = 2
NO_CLUSTER_UID = "none"
RECORDER = "recorder"


def described(stack: str, spec: StackSpec) -> StackOutputs:
    """What a stack would export; the identity of the cluster is `none`, and what is observed there is not told.

    Args:
        stack: Name of the stack.
        spec: What it is; its registry is not asked for the images.

    Raises:
        Refusal: What `pulumi preview` would refuse.
    """
    if spec.kind == "platform":
        return platform.outputs(stack, spec, cluster_uid=NO_CLUSTER_UID)
    unchecked = spec.model_copy(update={"images": spec.images.model_copy(update={"check_registry": False})})
    decided = plan(stack, unchecked, lambda: NO_CLUSTER)
    port = health_ports(spec.network, decided.pods)[RECORDER]
    return contract.experiment(decided, cluster_uid=NO_CLUSTER_UID, recorder_port=port)


def main(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Stack whose file Pulumi.STACK.yaml is read.")],
) -> None:
    """Print the contract of a stack as JSON."""
    try:
        outputs = described(stack, read_file(PROJECT_FOLDER / f"Pulumi.{stack}.yaml", os.environ))
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        raise typer.Exit(USAGE_ERROR) from None
    sys.stdout.write(outputs.model_dump_json(by_alias=True, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
