"""Program of the platform: what all experiments of a cluster share, as a list of parts that each plan and deploy."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import httpx
import pulumi

from components import image, labels, machine_readers, policies
from components.api_server import ApiServer
from components.cluster import Cluster
from components.machine_readers import MachineReaders, MachineReadersArgs
from components.namespace import Namespace, NamespaceArgs
from stacks import autoscaling, gpu, observability, telemetry
from stacks.autoscaling import AutoscalingPlan
from stacks.gpu import GpuPlan
from stacks.observability import ObservabilityPlan, SecretValues
from stacks.outputs import MachineReaderEndpoint, Observability, Records, StackOutputs
from stacks.spec import StackSpec
from stacks.telemetry import TelemetryPlan

SECTION = "ros2bench:spec.machineReaders"


def namespace_name(stack: str, *, shared: bool = False) -> str:
    """Name of the namespace that a stack owns; `shared` for the platform part of a dev stack."""
    return f"ros2bench-{stack}-platform" if shared else f"ros2bench-{stack}"


def machines_namespace_name(stack: str) -> str:
    """Name of the namespace of a stack's machine readers."""
    return f"ros2bench-{stack}-machines"


@dataclass(frozen=True, kw_only=True)
class ReadersPlan:
    """What the machine readers are made of: their image by digest, and the key of the operator whom they obey."""

    image: str
    operator: str


@dataclass(frozen=True, kw_only=True)
class PlatformPlan:
    """Everything about the platform that is decided before anything is deployed, part by part; none: not there."""

    readers: ReadersPlan | None = None
    observability: ObservabilityPlan | None = None
    autoscaling: AutoscalingPlan | None = None
    gpu: GpuPlan | None = None
    telemetry: TelemetryPlan | None = None


def plan(
    stack: str,
    spec: StackSpec,
    ask: Callable[[], ApiServer] | None = None,
    *,
    secrets: Collection[str] | None = None,
    client: Callable[[Path | None], httpx.Client] = image.registry_client,
) -> PlatformPlan:
    """Decide what every part of the platform is made of.

    Args:
        stack: Name of the stack.
        spec: What the stack is.
        ask: Connects to the cluster; None where it is rendered without one.
        secrets: Names in the stack's encrypted configuration; None where it is not at hand.
        client: Opens a client of the registry.

    Raises:
        Refusal: Something that a part needs is not there.
    """
    if spec.kind == "experiment":
        return PlatformPlan()
    images, namespace = third_party(spec), own_namespace_name(stack, spec)
    api = ask() if ask is not None else None
    return PlatformPlan(
        readers=plan_readers(spec, client),
        observability=observability.plan(stack, namespace, spec, api, images, secrets),
        autoscaling=autoscaling.plan(stack, namespace, spec, api, images),
        gpu=gpu.plan(stack, spec, api, images),
        telemetry=telemetry.plan(spec, images),
    )


def third_party(spec: StackSpec) -> image.ThirdPartyImages:
    """Images of programs that are not ours: those of the lock, and before them those that the stack file names."""
    lock = spec.images.platform_lock
    return image.read_third_party(Path(lock) if lock else None, spec.images.platform)


def plan_readers(spec: StackSpec, client: Callable[[Path | None], httpx.Client]) -> ReadersPlan | None:
    """Decide what the machine readers are made of; None where there are none.

    Args:
        spec: What the stack is.
        client: Opens a client of the registry.

    Raises:
        Refusal: The image lock has no machine reader or no operator, or the registry lacks the image.
    """
    if not spec.machine_readers.enabled:
        return None
    lock = image.read_lock(Path(spec.images.lock) if spec.images.lock else None)
    reference = lock.reference(machine_readers.IMAGE_ROLE)
    decided = ReadersPlan(image=reference, operator=lock.operator_key())
    if spec.images.check_registry:
        authority = Path(spec.images.registry_ca) if spec.images.registry_ca else None
        with client(authority) as opened:
            image.check_registry(lock, [machine_readers.IMAGE_ROLE], client=opened, warn=pulumi.log.warn)
    return decided


def deploy(
    stack: str, cluster: Cluster, spec: StackSpec, decided: PlatformPlan, secrets: SecretValues | None = None
) -> Namespace:
    """Register the platform's resources.

    Args:
        stack: The stack that owns them.
        cluster: Where.
        spec: What the stack is.
        decided: What its parts are made of.
        secrets: The stack's encrypted configuration, by name.
    """
    opts = pulumi.ResourceOptions(provider=cluster.provider)
    namespace = Namespace("platform", NamespaceArgs(stack=stack, name=own_namespace_name(stack, spec)), opts)
    policies.create(base_policies(), namespace, namespace, prefix="platform-")
    if decided.readers is not None:
        of_machines = Namespace(
            "machines", NamespaceArgs(stack=stack, name=machines_namespace_name(stack), machine_access=True), opts
        )
        MachineReaders("machine-readers", readers_args(spec, decided.readers, of_machines), opts)
    if decided.observability is not None:
        observability.deploy(decided.observability, namespace, opts, secrets)
    autoscaling.deploy(spec, decided.autoscaling, namespace, opts)
    gpu.deploy(stack, spec, decided.gpu, opts)
    telemetry.deploy(stack, spec, decided.telemetry, namespace, opts)
    return namespace


def own_namespace_name(stack: str, spec: StackSpec) -> str:
    """Name of the platform's own namespace, which in a dev stack is beside that of the experiment."""
    return namespace_name(stack, shared=spec.kind == "dev")


def shared_namespace_name(stack: str, spec: StackSpec) -> str:
    """Name of the namespace of the platform that a stack uses: its own, or that of the stack that it names.

    A stack named `dev` is of that kind unless its file says otherwise; of another dev stack the address must be given.
    """
    if spec.kind == "dev":
        return own_namespace_name(stack, spec)
    return namespace_name(spec.platform, shared=spec.platform == "dev")


def secret_names(spec: StackSpec) -> tuple[str, ...]:
    """Names in the stack's encrypted configuration that parts of the platform read."""
    return tuple(observability.needed_secrets(spec.observability, with_grafana=True).values())


def base_policies() -> dict[str, policies.Spec]:
    """What holds for every pod of the platform's namespace: nothing passes but names; each part opens what it needs."""
    return {
        "default-deny": {"podSelector": policies.EVERYONE, "policyTypes": policies.BOTH_WAYS},
        "allow-name-look-ups": policies.name_look_ups(),
    }


def observed(stack: str, spec: StackSpec, decided: PlatformPlan) -> Observability | None:
    """What the stack's output says of its observability; none where it has none."""
    namespace = own_namespace_name(stack, spec)
    known = observability.contract(stack, namespace, decided.observability)
    return telemetry.observed(stack, spec, namespace, decided.telemetry, known)


def readers_args(spec: StackSpec, decided: ReadersPlan, namespace: Namespace) -> MachineReadersArgs:
    """What the spec says of machine readers, in the component's words."""
    wanted = spec.machine_readers
    asked = {
        f"{SECTION}.enabled": wanted.enabled,
        f"{SECTION}.allowImageRemoval": wanted.allow_image_removal,
        f"{SECTION}.allowFaults": wanted.allow_faults,
        f"{SECTION}.runtimeState": wanted.runtime_state is not None,
        f"{SECTION}.power.tegrastats": wanted.power.tegrastats is not None,
    }
    return MachineReadersArgs(
        namespace=namespace,
        image=decided.image,
        operator=decided.operator,
        resources=wanted.resources.asked(),
        power=machine_readers.Power(source=wanted.power.source, tegrastats=wanted.power.tegrastats),
        containerd=wanted.containerd_socket if wanted.allow_image_removal else None,
        runtime_state=wanted.runtime_state,
        faults=wanted.allow_faults,
        runtime_class=wanted.runtime_class,
        asked_by=tuple(key for key, is_asked in asked.items() if is_asked),
    )


def endpoint(stack: str, spec: StackSpec) -> MachineReaderEndpoint | None:
    """Where a stack's machine readers listen; None where it has none."""
    if not spec.machine_readers.enabled:
        return None
    return MachineReaderEndpoint(
        namespace=machines_namespace_name(stack),
        labels=labels.selector(stack, component=machine_readers.COMPONENT),
        port=machine_readers.PORT,
    )


def outputs(stack: str, spec: StackSpec, *, cluster_uid: str) -> StackOutputs:
    """The contract of a platform stack: where it is, and nothing to measure."""
    return StackOutputs(
        contract=1,
        kind="platform",
        stack=stack,
        cluster_uid=cluster_uid,
        namespace=namespace_name(stack),
        pattern=None,
        state=None,
        application=None,
        recorder=None,
        network=None,
        records=Records(**spec.records.model_dump()),
        registry=None,
        platform=None,
        machine_readers=endpoint(stack, spec),
        spec=spec.model_dump(by_alias=True),
    )
