"""What a stack deploys, by its kind, and the contract that it exports."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi.runtime
from pulumi.runtime.config import get_config_secret_keys_env

from components import api_server, image_volumes, rollout
from components.api_server import ApiServer
from components.cluster import Cluster, ClusterArgs, check_reachable, chosen_context
from components.refusal import Refusal
from stacks import autoscaling, experiment, gpu, platform
from stacks.experiment import Secrets
from stacks.outputs import SpecOverride, StackOutputs
from stacks.override import Override, read_override
from stacks.plan import Plan, plan
from stacks.reading import PROJECT, SECRETS_KEY
from stacks.spec import StackSpec
from stacks.temporary_files import private_folder

PROXY_VARIABLES = frozenset({"HTTPS_PROXY", "https_proxy"})


def run(
    stack: str, spec: StackSpec, environment: Mapping[str, str], secrets: Secrets | None = None
) -> pulumi.Output[dict[str, Any]]:
    """Deploy a stack.

    Everything that can be refused is refused before the first resource is registered.

    Args:
        stack: Name of the stack.
        spec: What it is.
        environment: Names the kubeconfig.
        secrets: The stack's encrypted configuration, by key.

    Returns:
        The contract, as the stack's one output.

    Raises:
        Refusal: The images or the cluster that the spec names do not exist.
    """
    private_folder()

    @cache
    def context() -> str:
        return reachable_context(spec, environment)

    def api() -> ApiServer:
        return api_server.connect(context(), kubeconfig_files(environment))

    decided = None
    if spec.kind != "platform":
        decided = plan(stack, spec, lambda: image_volumes.ask(api()))
        gpu.check(spec, decided.pods, api)
        autoscaling.check_served(spec, decided.deployed, api)
    shared = platform.plan(stack, spec, api, secrets=frozenset(secrets or {}))
    cluster = Cluster("cluster", ClusterArgs(context=context()))
    declared = declare(stack, spec, decided, cluster, secrets or {}, shared, read_override(environment))
    rolled_out = rollout.finished(declared.deployments, api)
    return pulumi.Output.all(declared.contract, rolled_out).apply(lambda found: cast("dict[str, Any]", found[0]))


@dataclass(frozen=True)
class Declared:
    """What a stack has registered: its contract, as its one output, and the Deployments whose pods it waits for."""

    contract: pulumi.Output[dict[str, Any]]
    deployments: tuple[rollout.Deployment, ...]


def declare(
    stack: str,
    spec: StackSpec,
    decided: Plan | None,
    cluster: Cluster,
    secrets: Secrets,
    shared: platform.PlatformPlan,
    override: Override | None = None,
) -> Declared:
    """Register the resources of a stack.

    Args:
        stack: Name of the stack.
        spec: What it is.
        decided: What is deployed; none for a platform.
        cluster: Where.
        secrets: The stack's encrypted configuration, by key.
        shared: What the parts of the platform are made of.
        override: What `spec` has from elsewhere than the stack file.
    """
    deployments = list[rollout.Deployment]()
    if spec.kind != "experiment":
        deployments += platform.deploy(stack, cluster, spec, shared, secrets).deployments
    if decided is not None:
        deployed = experiment.deploy(decided, cluster, secrets)
        contract = deployed.contract
        deployments += deployed.namespace.deployments
    else:
        contract = cluster.uid.apply(lambda uid: platform.outputs(stack, spec, cluster_uid=uid))
    more = {"override": overridden(override), "observability": platform.observed(stack, spec, shared)}
    output = contract.apply(lambda found: as_output(found.model_copy(update=more)))
    return Declared(output, tuple(deployments))


def overridden(override: Override | None) -> SpecOverride | None:
    """What the contract says of an override: its files by name alone, because a record names no place on a machine."""
    if override is None:
        return None
    files = [file.name for file in override.files]
    return SpecOverride(files=files, sha256=override.sha256, values=dict(override.values))


def reachable_context(spec: StackSpec, environment: Mapping[str, str]) -> str:
    """Context of the kubeconfig to deploy to, behind which something answers.

    Raises:
        Refusal: There is no such context, or nothing listens there.
    """
    context = chosen_context(spec.cluster.context, kubeconfig_files(environment))
    if not context.through_proxy and not PROXY_VARIABLES & environment.keys():
        check_reachable(context, socket.create_connection)
    return context.name


def configured() -> dict[str, Any]:
    """This project's part of the stack's configuration, by full key; objects arrive as JSON text."""
    found = pulumi.runtime.get_config_env()
    return {key: _parsed(str(value)) for key, value in found.items() if key.startswith(f"{PROJECT}:")}


def configured_secrets(stack: str) -> dict[str, str]:
    """The stack's encrypted values in plain text, by key; they leave the program as secrets only.

    Raises:
        Refusal: They are no mapping of texts, or not encrypted.
    """
    text = pulumi.runtime.get_config_env().get(SECRETS_KEY)
    if text is None:
        return {}
    how = f"Set each with: pulumi config set -s {stack} --secret --path {SECRETS_KEY}.NAME"
    if SECRETS_KEY not in get_config_secret_keys_env():
        raise Refusal(f"Pulumi.{stack}.yaml: config.{SECRETS_KEY}: is written in plain text. Take it out. {how}")
    values = _parsed(str(text))
    if not isinstance(values, dict):
        raise Refusal(f"Pulumi.{stack}.yaml: config.{SECRETS_KEY}: a mapping of names to secrets is expected. {how}")
    return {name: str(value) for name, value in cast("dict[str, Any]", values).items()}


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
