"""Everything that is decided before anything is deployed: placement, images, how overlays arrive, whom to trust."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from components import graph, image, launch, master, overlays, patterns, workload
from components.image import ImageLock
from components.image_volumes import Answer
from components.overlays import Delivery
from components.refusal import Refusal, choices
from stacks import application, autoscaling, metrics
from stacks.reading import PROJECT_FOLDER
from stacks.spec import StackSpec
from stacks.spec_metrics import kinds

Ask = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is decided before anything is deployed.

    `mappings` are the fields of messages that the recorder serves as metrics.
    """

    stack: str
    spec: StackSpec
    deployed: graph.Application
    pods: tuple[graph.Pod, ...]
    lock: ImageLock
    delivery: Delivery = "image-volume"
    mappings: tuple[Mapping[str, Any], ...] = ()

    def has_recorder(self) -> bool:
        """Whether anything is measured or served as a metric."""
        return bool(self.deployed.measured or self.mappings)

    def images(self) -> dict[str, str]:
        """Reference by digest of every image that the stack needs, by the name that the placement uses."""
        named = {self.deployed.images.recorder}
        for pod in self.pods:
            named |= {pod.container.image, *overlays.needed_images(pod.container, self.delivery)}
        if self.deployed.master:
            named.add(master.IMAGE_ROLE)
        return {name: self.lock.reference(name) for name in sorted(named)}

    def composition(self, pod: graph.Pod) -> launch.Composition | None:
        """Whom the component container of a pod trusts, and what it may be made to do; none without one.

        Raises:
            Refusal: Nobody has signed what its image holds.
        """
        if not launch.loads_python(pod.container):
            return None
        wanted = self.spec.composition
        if len(pod.nodes()) > wanted.limits.components:
            raise Refusal(
                f"ros2bench:spec.composition.limits.components: is {wanted.limits.components}, but the application has "
                f"{len(pod.nodes())} nodes. Set it to {len(pod.nodes())} or more"
            )
        if wanted.public_key is not None and wanted.signature is not None:
            trust = launch.Trust(public_key=wanted.public_key, signature=wanted.signature, sros2=wanted.sros2)
        else:
            signed = self.lock.signature(pod.container.image)
            trust = launch.Trust(public_key=signed.public_key, signature=signed.signature, sros2=wanted.sros2)
        return launch.Composition(trust=trust, limits=launch.ComponentLimits(**wanted.limits.model_dump()))


def plan(stack: str, spec: StackSpec, ask: Ask) -> Plan:
    """Decide what to deploy; reads the image lock and asks the registry for the digests.

    Args:
        stack: Name of the stack.
        spec: What it is.
        ask: Whether the cluster can mount images; called only where overlays are to be delivered as it can.

    Raises:
        Refusal: An image is missing, nodes contradict one another, or the cluster cannot be found.
    """
    read = application.file_reader(PROJECT_FOLDER)
    wanted = application.with_resources(application.built(spec.application, read), spec.resources.nodes)
    lock = image.read_lock(Path(spec.images.lock) if spec.images.lock else None)
    options = patterns.Options(
        application=wanted.name,
        images=wanted.images,
        process=spec.composition.process,
        executor=spec.composition.executor,
    )
    pods = patterns.placement(spec.pattern or stack, wanted, options)
    _check_raw(spec, pods)
    mappings = metrics.mapped(spec.application.metrics, wanted)
    metrics.check_image(mappings, wanted.images.recorder, lock.flavour)
    autoscaling.check_signals(wanted, kinds(spec.application.metrics))
    decided = Plan(
        stack=stack,
        spec=spec,
        deployed=wanted,
        pods=pods,
        lock=lock,
        delivery=_delivery(spec, pods, ask),
        mappings=mappings,
    )
    for pod in pods:
        workload.pod_needs(pod)
        decided.composition(pod)
    if decided.has_recorder():
        lock.operator_key()
    roles = decided.images()
    if spec.images.check_registry:
        authority = Path(spec.images.registry_ca) if spec.images.registry_ca else None
        with image.registry_client(authority) as client:
            image.check_registry(lock, roles, client=client, warn=pulumi.log.warn)
    return decided


def _delivery(spec: StackSpec, pods: tuple[graph.Pod, ...], ask: Ask) -> Delivery:
    """How overlays arrive: as the spec says, or as the cluster can."""
    if spec.overlay.delivery != "auto":
        return spec.overlay.delivery
    if not any(pod.container.overlays for pod in pods):
        return "image-volume"
    answer = ask()
    if answer.supported:
        return "image-volume"
    pulumi.log.info(f"overlays are copied by an init container, because {answer.reason}")
    return "copy"


def _check_raw(spec: StackSpec, pods: tuple[graph.Pod, ...]) -> None:
    names = [pod.name for pod in pods]
    for name in spec.kubernetes:
        if name not in names:
            raise Refusal(
                f"ros2bench:spec.kubernetes.{name}: pattern {spec.pattern} places no pod of this name. "
                f"{choices(name, names)}"
            )
