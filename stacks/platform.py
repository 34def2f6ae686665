"""Program of the platform: what all experiments of a cluster share: its namespace, and the machine readers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pulumi

from components import image, labels, machine_readers
from components.cluster import Cluster
from components.graph import Resources
from components.machine_readers import MachineReaders, MachineReadersArgs
from components.namespace import Namespace, NamespaceArgs
from stacks.outputs import MachineReaderEndpoint, Records, StackOutputs
from stacks.spec import StackSpec

SECTION = "ros2bench:spec.machineReaders"


def namespace_name(stack: str, *, shared: bool = False) -> str:
    """Name of the namespace that a stack owns; `shared` for the platform part of a dev stack."""
    return f"ros2bench-{stack}-platform" if shared else f"ros2bench-{stack}"


def machines_namespace_name(stack: str) -> str:
    """Name of the namespace of a stack's machine readers."""
    return f"ros2bench-{stack}-machines"


@dataclass(frozen=True, kw_only=True)
class PlatformPlan:
    """Everything about the platform that is decided before anything is deployed.

    `image` and `operator` are those of the machine readers.
    """

    image: str
    operator: str


def plan(spec: StackSpec, client: Callable[[Path | None], httpx.Client] = image.registry_client) -> PlatformPlan | None:
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
    decided = PlatformPlan(image=reference, operator=lock.operator_key())
    if spec.images.check_registry:
        authority = Path(spec.images.registry_ca) if spec.images.registry_ca else None
        with client(authority) as opened:
            image.check_registry(lock, [machine_readers.IMAGE_ROLE], client=opened, warn=pulumi.log.warn)
    return decided


def deploy(
    stack: str, name: str, cluster: Cluster, spec: StackSpec | None = None, decided: PlatformPlan | None = None
) -> Namespace:
    """Register the platform's resources.

    Args:
        stack: The stack that owns them.
        name: The platform's namespace.
        cluster: Where.
        spec: What the stack is; needed where there are machine readers.
        decided: What the machine readers are made of; none where there are none.
    """
    opts = pulumi.ResourceOptions(provider=cluster.provider)
    namespace = Namespace("platform", NamespaceArgs(stack=stack, name=name), opts)
    if spec is not None and decided is not None:
        of_machines = Namespace(
            "machines", NamespaceArgs(stack=stack, name=machines_namespace_name(stack), machine_access=True), opts
        )
        MachineReaders("machine-readers", readers_args(spec, decided, of_machines), opts)
    return namespace


def readers_args(spec: StackSpec, decided: PlatformPlan, namespace: Namespace) -> MachineReadersArgs:
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
        resources=Resources(
            cpu_request_millicores=wanted.resources.cpu_request_millicores,
            memory_request_mebibytes=wanted.resources.memory_request_mebibytes,
            memory_limit_mebibytes=wanted.resources.memory_limit_mebibytes,
        ),
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
