"""GPUs of a stack: the device plugin and the RuntimeClass of a platform, what an experiment asks for and may take.

Everything that can be known to fail is refused here: a pod that asks for what no machine has would wait for ever, and
a device plugin on a machine without a GPU would end again and again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi

from components import graph, raw, workload
from components.api_server import ApiServer
from components.deployment import Scheduling, node_selector, toleration
from components.gpu import matching, taints
from components.gpu.device_plugin import IMAGE, DevicePlugin, DevicePluginArgs, Sharing
from components.gpu.machines import Machine, machines, runtime_classes
from components.gpu.quota import DeviceQuota
from components.gpu.runtime_class import RuntimeClass
from components.graph import Resources
from components.image import ThirdPartyImages
from components.namespace import Namespace, NamespaceArgs
from components.needs import Toleration
from components.refusal import Refusal
from stacks import spec_gpu
from stacks.gpu_checks import (
    NODES,
    SECTION,
    TIME_SLICING,
    Demand,
    check_machines,
    check_quota,
    check_runtime_classes,
    machine_growth,
    quota_growth,
)
from stacks.spec import StackSpec

PODS = "ros2bench:spec.kubernetes"
T = TypeVar("T")
WHY_MACHINE_ACCESS = (
    "gpu.devicePlugin.enabled: its pods make a socket in the kubelet's folder for device plugins as root without "
    "capabilities, which the Pod Security Standards baseline and restricted both forbid. components/guardrails.py "
    "lists what they may do, and admits nothing else here."
)


@dataclass(frozen=True, kw_only=True)
class GpuPlan:
    """What a platform deploys for GPUs.

    Attributes:
        image: Reference of the device plugin; none where it is not deployed.
        makes_runtime_class: Whether the stack makes the RuntimeClass; not where it is there already.
        machines: Names of the machines on which the plugin runs now; none where no cluster was asked.
    """

    image: str | None = None
    makes_runtime_class: bool = False
    machines: tuple[str, ...] | None = None


def plan(stack: str, spec: StackSpec, api: ApiServer | None, images: ThirdPartyImages) -> GpuPlan | None:
    """Decide what a platform deploys for GPUs; none where it deploys nothing.

    Args:
        stack: Name of the stack.
        spec: What the stack is.
        api: Whom to ask about the cluster; none where nobody can be asked.
        images: Third-party images.

    Raises:
        Refusal: The image is unknown, no machine has a GPU, or the plugin's RuntimeClass does not exist.
    """
    plugin, wanted_class = spec.gpu.device_plugin, spec.gpu.runtime_class
    if not plugin.enabled and not wanted_class.enabled:
        return None
    reference = images.reference(IMAGE) if plugin.enabled else None
    if api is None:
        return GpuPlan(image=reference, makes_runtime_class=wanted_class.enabled)
    known = runtime_classes(api)
    makes = wanted_class.enabled and known.get(wanted_class.name, stack) == stack
    if wanted_class.enabled and not makes:
        pulumi.log.info(f"RuntimeClass {wanted_class.name} is there already and is used as it is")
    if not plugin.enabled:
        return GpuPlan(makes_runtime_class=makes)
    made = {wanted_class.name} if wanted_class.enabled else set[str]()
    if plugin.runtime_class is not None and plugin.runtime_class not in known.keys() | made:
        there = ", ".join(sorted(known.keys() | made)) or "none"
        raise Refusal(
            f"{SECTION}.devicePlugin.runtimeClass: is {plugin.runtime_class}, a RuntimeClass that the cluster does not "
            f"have, so its pods would not start. RuntimeClasses: {there}. Set {SECTION}.runtimeClass.enabled: true, "
            "or leave the key out where NVIDIA's runtime is the machines' default"
        )
    found = machines(api)
    chosen = chosen_machines(found, plugin.machines)
    if sentence := unlabelled_slices(plugin.sharing, [each for each in found if each.name in chosen]):
        pulumi.log.warn(sentence)
    return GpuPlan(image=reference, makes_runtime_class=makes, machines=chosen)


def chosen_machines(found: Sequence[Machine], sets: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Names of the machines on which the device plugin would run.

    Raises:
        Refusal: There is none.
    """
    chosen = tuple(each.name for each in found if matching.has_labels(each.labels, sets))
    if not chosen:
        shown = "; or ".join(", ".join(f"{key}={value}" for key, value in wanted.items()) for wanted in sets)
        names = ", ".join(sorted(each.name for each in found)) or "none"
        first = next(iter(sets[0].items()))
        raise Refusal(
            f"{SECTION}.devicePlugin.machines: no machine of the cluster has a GPU by its labels ({shown}), so the "
            f"device plugin would run nowhere. Machines: {names}. Node Feature Discovery sets these labels; by hand: "
            f"kubectl label node MACHINE {first[0]}={first[1]}. Without a GPU: {SECTION}.devicePlugin.enabled: false"
        )
    return chosen


def unlabelled_slices(sharing: spec_gpu.Sharing, found: Sequence[Machine]) -> str | None:
    """Warning that nobody can see that GPUs are slices of time, because a label is missing; none where all have it.

    Args:
        sharing: How GPUs are shared.
        found: Machines on which the device plugin runs.
    """
    unlabelled = [each.name for each in found if each.labels.get(matching.SHARING_LABEL) != TIME_SLICING]
    if sharing.replicas == 1 or not unlabelled:
        return None
    return (
        f"{SECTION}.devicePlugin.sharing.replicas: is {sharing.replicas}, but {', '.join(sorted(unlabelled))} does not "
        "say by a label that its GPUs are shared, so a pod that asks for two slices of one GPU is not refused. Unless "
        "GPU Feature Discovery sets the label: "
        f"kubectl label node {' '.join(sorted(unlabelled))} {matching.SHARING_LABEL}={TIME_SLICING}"
    )


def namespace_name(stack: str) -> str:
    """Name of the namespace of a stack's device plugin."""
    return f"ros2bench-{stack}-gpu"


def deploy(stack: str, spec: StackSpec, decided: GpuPlan | None, opts: pulumi.ResourceOptions) -> None:
    """Register what a platform deploys for GPUs.

    Args:
        stack: The stack that owns it.
        spec: What the stack is.
        decided: What `plan` decided; none registers nothing.
        opts: Name the provider.
    """
    if decided is None:
        return
    wanted, depends_on = spec.gpu.runtime_class, list[pulumi.Resource]()
    if decided.makes_runtime_class:
        made = RuntimeClass(wanted.name, stack=stack, class_name=wanted.name, handler=wanted.handler, opts=opts)
        depends_on.append(made)
    if decided.image is None:
        return
    args = NamespaceArgs(
        stack=stack, name=namespace_name(stack), machine_access=True, why_machine_access=WHY_MACHINE_ACCESS
    )
    namespace = Namespace("gpu", args, opts)
    DevicePlugin(
        "device-plugin",
        plugin_args(spec.gpu.device_plugin, decided.image, namespace),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=depends_on)),
    )


def plugin_args(wanted: spec_gpu.DevicePlugin, reference: str, namespace: Namespace) -> DevicePluginArgs:
    """What the spec says of the device plugin, in the component's words."""
    return DevicePluginArgs(
        namespace=namespace,
        image=reference,
        strategy=wanted.strategy,
        machines=tuple(wanted.machines),
        tolerations=tuple(Toleration(**each.model_dump()) for each in wanted.tolerations),
        sharing=Sharing(replicas=wanted.sharing.replicas, rename=wanted.sharing.rename),
        runtime_class=wanted.runtime_class,
        resources=Resources(
            cpu_request_millicores=wanted.cpu_request_millicores,
            memory_request_mebibytes=wanted.memory_request_mebibytes,
            memory_limit_mebibytes=wanted.memory_limit_mebibytes,
        ),
        asked_by=(f"{SECTION}.devicePlugin.enabled",),
    )


def deploy_quota(spec: StackSpec, namespace: Namespace, opts: pulumi.ResourceOptions) -> tuple[pulumi.Resource, ...]:
    """Register the quota of an experiment; its pods wait for what this returns."""
    if not spec.gpu.quota:
        return ()
    return (DeviceQuota("devices", spec.gpu.quota, namespace, opts).quota,)


def demands(spec: StackSpec, pods: Sequence[graph.Pod]) -> tuple[Demand, ...]:
    """What the pods of an application ask for."""
    found: list[Demand] = []
    for pod in pods:
        needs = workload.pod_needs(pod)
        placed = _placed(spec, pod)
        found += [
            Demand(
                pod=pod.name,
                resource=resource,
                count=count,
                replicas=needs.least_replicas,
                need=needs.gpu_need,
                most_replicas=needs.autoscaling.max_replicas if needs.autoscaling else 0,
                selector=placed.get("nodeSelector") or {},
                tolerations=placed.get("tolerations") or (),
                affinity=placed.get("affinity") or {},
            )
            for resource, count in needs.gpus.items()
        ]
    return tuple(found)


def runtime_class_wishes(spec: StackSpec, pods: Sequence[graph.Pod]) -> dict[str, str]:
    """RuntimeClasses of the pods of an application, by the key of the stack file that asks for each."""
    found: dict[str, str] = {}
    for pod in pods:
        name = _placed(spec, pod).get("runtimeClassName")
        if name is not None:
            own = [node.name for node in pod.nodes() if node.needs.runtime_class == name]
            key = f"{NODES}.{own[0]}.gpu.runtimeClass" if own else f"{PODS}.{pod.name}.runtimeClassName"
            found[key] = str(name)
    return found


def _placed(spec: StackSpec, pod: graph.Pod) -> Mapping[str, Any]:
    """What decides where a pod may start, in the words of Kubernetes, with the user's own parameters."""
    needs = workload.pod_needs(pod)
    rendered = {
        "nodeSelector": node_selector(Scheduling(node_selector=spec.placement.node_selector), needs),
        "tolerations": [toleration(each) for each in taints.accepted(needs)],
        "runtimeClassName": needs.runtime_class,
        "affinity": dict(needs.affinity),
    }
    own = spec.kubernetes.get(pod.name, {})
    return raw.merged(pod.name, rendered, {key: own[key] for key in rendered if key in own})


def check(spec: StackSpec, pods: Sequence[graph.Pod], ask: Callable[[], ApiServer]) -> None:
    """Refuse an application whose pods could never get the devices that they ask for, or would not be admitted.

    Not everybody who may deploy may list machines: then a warning says that nothing is known.

    Args:
        spec: What the stack is.
        pods: The placed pods.
        ask: Connects to the cluster; called only where devices or a RuntimeClass are wanted.

    Raises:
        Refusal: The quota is too small, no machine has or could have the devices, or a RuntimeClass does not exist.
    """
    wanted, classes = demands(spec, pods), runtime_class_wishes(spec, pods)
    check_quota(wanted, spec.gpu.quota)
    _warn(quota_growth(wanted, spec.gpu.quota))
    if wanted:
        names = ", ".join(sorted({each.resource for each in wanted}))
        if (found := _known(lambda: machines(ask()), f"whether any machine has {names}, so pods may wait")) is not None:
            _warn(check_machines(wanted, found))
            _warn(machine_growth(wanted, found))
    own = {spec.gpu.runtime_class.name} if spec.gpu.runtime_class.enabled else set[str]()
    if missing := {key: name for key, name in classes.items() if name not in own}:
        names = ", ".join(sorted(set(missing.values())))
        unknown = f"whether the RuntimeClass {names} exists, so pods may be refused"
        if (known := _known(lambda: runtime_classes(ask()), unknown)) is not None:
            check_runtime_classes(missing, known)


def _known(asked: Callable[[], T], what: str) -> T | None:
    """What the cluster says; none, with a warning, where it does not say it to this account."""
    try:
        return asked()
    except Refusal as refusal:
        pulumi.log.warn(f"it could not be found out {what}: {refusal}")
        return None


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        pulumi.log.warn(sentence)
