"""What a stack deploys, by its kind, and the contract that it exports."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime

from components.cluster import Cluster, ClusterArgs, check_reachable, chosen_context
from stacks import experiment, platform
from stacks.outputs import StackOutputs
from stacks.reading import PROJECT
from stacks.spec import StackSpec

PROXY_VARIABLES = frozenset({"HTTPS_PROXY", "https_proxy"})


def run(stack: str, spec: StackSpec, environment: Mapping[str, str]) -> pulumi.Output[dict[str, Any]]:
    """Deploy a stack.

    Everything that can be refused is refused before the first resource is registered.

    Args:
        stack: Name of the stack.
        spec: What it is.
        environment: Names the kubeconfig.

    Returns:
        The contract, as the stack's one output.

    Raises:
        Refusal: The images or the cluster that the spec names do not exist.
    """
    decided = None if spec.kind == "platform" else experiment.plan(stack, spec)
    context = chosen_context(spec.cluster.context, kubeconfig_files(environment))
    if not context.through_proxy and not PROXY_VARIABLES & environment.keys():
        check_reachable(context, socket.create_connection)
    cluster = Cluster("cluster", ClusterArgs(context=context.name))
    if spec.kind == "dev":
        platform.deploy(stack, platform.namespace_name(stack, shared=True), cluster)
    if decided is not None:
        contract = experiment.deploy(decided, cluster)
    else:
        platform.deploy(stack, platform.namespace_name(stack), cluster)
        contract = cluster.uid.apply(lambda uid: platform.outputs(stack, spec, cluster_uid=uid))
    return contract.apply(as_output)


def configured() -> dict[str, Any]:
    """This project's part of the stack's configuration, by full key; objects arrive as JSON text."""
    found = pulumi.runtime.get_config_env()
    return {key: _parsed(str(value)) for key, value in found.items() if key.startswith(f"{PROJECT}:")}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        # A plain word is no JSON; what reads it says that a mapping is expected.
        return text


def as_output(contract: StackOutputs) -> dict[str, Any]:
    """The contract as plain camelCase data."""
    return contract.model_dump(mode="json", by_alias=True)


def kubeconfig_files(environment: Mapping[str, str]) -> list[Path]:
    """Files that kubectl would read, in its order."""
    if listed := environment.get("KUBECONFIG"):
        return [Path(part) for part in listed.split(":") if part]
    return [Path(environment.get("HOME", "/")) / ".kube" / "config"]
