"""The objects of a stack without a cluster and without an engine: what would be sent, as plain manifests.

The program runs as it does under `pulumi up`, but what it registers is kept instead of sent. Names that Pulumi would
make up are derived instead: the object's own name, and for what is immutable a digest of its content.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pulumi
import pulumi.runtime
from pulumi.runtime import mocks

from components.cluster import Cluster, ClusterArgs
from components.image_volumes import Answer
from components.manifest import RESOURCES, Manifest
from stacks import application, platform
from stacks.plan import plan
from stacks.program import declare
from stacks.spec import StackSpec

NO_CLUSTER = Answer(
    supported=False, reason="no cluster is asked here. Say it yourself: ros2bench:spec.overlay.delivery"
)
ORDER = (
    "Namespace",
    "RuntimeClass",
    "ResourceQuota",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "PersistentVolumeClaim",
    "ConfigMap",
    "NetworkPolicy",
    "Service",
    "Ingress",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "VerticalPodAutoscaler",
    "APIService",
    "PodMonitor",
    "PrometheusRule",
)
OF_ENGINE = "pulumi.com/"
DIGEST_LENGTH = 10
FIRST_KEYS = ("apiVersion", "kind", "metadata")


def manifests(stack: str, spec: StackSpec) -> list[Manifest]:
    """Objects of a stack in the order in which they can be applied; its Secret is left out, its values are encrypted.

    Raises:
        Refusal: What `pulumi preview` would refuse, but for what only a cluster or a registry can tell.
    """
    unchecked = spec.model_copy(update={"images": spec.images.model_copy(update={"check_registry": False})})
    decided = None if spec.kind == "platform" else plan(stack, unchecked, lambda: NO_CLUSTER)
    shared = platform.plan(stack, unchecked)
    keys = [*(application.secret_keys(decided.deployed) if decided else ()), *platform.secret_names(unchecked)]

    def program() -> pulumi.Output[dict[str, Any]]:
        cluster = Cluster("cluster", ClusterArgs(context="none"))
        return declare(stack, unchecked, decided, cluster, dict.fromkeys(keys, ""), shared).contract

    kept = [plain(each) for each in _registered(stack, program) if each["kind"] in ORDER]
    return sorted(kept, key=lambda each: (ORDER.index(each["kind"]), each["metadata"]["name"]))


def secret_keys(spec: StackSpec, read: application.Read) -> tuple[str, ...]:
    """Keys of the Secret that is left out, which somebody must make by other means."""
    return () if spec.kind == "platform" else application.secret_keys(application.built(spec.application, read))


def plain(manifest: Manifest) -> Manifest:
    """Manifest without what only Pulumi's engine reads."""
    metadata = dict(manifest["metadata"])
    annotations: Mapping[str, str] = metadata.pop("annotations", {})
    if rest := {name: text for name, text in annotations.items() if not name.startswith(OF_ENGINE)}:
        metadata["annotations"] = rest
    return {**manifest, "metadata": metadata}


def object_name(name: str, manifest: Manifest) -> str:
    """Name of an object that the program leaves to Pulumi: its own, and of what is immutable its content's digest."""
    if manifest.get("immutable") is not True or manifest["kind"] == "Secret":
        return name
    content = json.dumps(manifest.get("data", {}), sort_keys=True).encode()
    return f"{name}-{hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]}"


class _Keeper(mocks.Mocks):
    """Keeps every Kubernetes object that is registered, and names it as a cluster would."""

    def __init__(self) -> None:
        self.kept: list[Manifest] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs: dict[str, Any] = dict(args.inputs)
        if args.resource_id or (inputs.get("apiVersion"), inputs.get("kind")) not in RESOURCES:
            return args.resource_id or args.name, inputs | {"metadata": {"name": args.name, "uid": ""}}
        inputs["metadata"] = {"name": object_name(args.name, inputs)} | dict(inputs["metadata"])
        self.kept.append(inputs)
        return args.name, inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise RuntimeError(f"the program calls {args.token}, which cannot be rendered without a cluster")


def _registered(stack: str, program: Callable[[], object]) -> list[Manifest]:
    """Run a program without an engine; what it registers is all that it leaves behind."""
    keeper, loops = _Keeper(), [asyncio.new_event_loop()]
    # Pulumi registers resources in threads and leaves each with a loop of its own, which nobody else would close.
    pool = ThreadPoolExecutor(initializer=_own_loop, initargs=(loops,))
    loops[0].set_default_executor(pool)
    asyncio.set_event_loop(loops[0])
    try:
        mocks.set_mocks(keeper, project="ros2bench", stack=stack)
        pulumi.runtime.test(program)()
    finally:
        pool.shutdown()
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()
    return [_ordered(each) for each in keeper.kept]


def _own_loop(loops: list[asyncio.AbstractEventLoop]) -> None:
    """Give the thread a loop and remember it."""
    loops.append(asyncio.new_event_loop())
    asyncio.set_event_loop(loops[-1])


def _ordered(manifest: Manifest) -> Manifest:
    """Keys in the order in which people read them, and whole numbers as such: on its way each became a fraction."""
    found = cast("Manifest", _whole(manifest))
    first = [key for key in FIRST_KEYS if key in found]
    return {key: found[key] for key in [*first, *sorted(found.keys() - set(first))]}


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return {key: _whole(items[key]) for key in sorted(items)}
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value
