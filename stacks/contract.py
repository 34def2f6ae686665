"""What an experiment stack says of itself: its plan as the contract that the probes read."""

from components import graph, labels, launch, overlays, recorder, workload
from stacks import application, network
from stacks.outputs import (
    Application,
    ComponentContainer,
    ImageBase,
    MeasuredTopic,
    MountedOverlay,
    PlacedComponent,
    PodPlacement,
    RecorderEndpoint,
    Records,
    StackOutputs,
)
from stacks.plan import Plan
from stacks.platform import endpoint, namespace_name


def experiment(decided: Plan, *, cluster_uid: str, recorder_port: int) -> StackOutputs:
    """The contract of an experiment stack, from what was decided and the cluster's identity."""
    spec, stack = decided.spec, decided.stack
    name = namespace_name(stack)
    topics = decided.deployed.measured_topics()
    listening = RecorderEndpoint(
        namespace=name, labels=labels.selector(stack, component=recorder.COMPONENT), port=recorder_port
    )
    return StackOutputs(
        contract=1,
        kind=spec.kind,
        stack=stack,
        cluster_uid=cluster_uid,
        namespace=name,
        pattern=spec.pattern,
        state=spec.state,
        application=Application(
            name=decided.deployed.name,
            pods=[placed(decided, pod) for pod in decided.pods],
            labels=labels.selector(stack, component=workload.COMPONENT),
            topics=[measured(topic, decided.deployed) for topic in topics],
            load=application.load_of(spec.application),
        ),
        recorder=listening if topics else None,
        network=network.contract(spec.network),
        records=Records(**spec.records.model_dump()),
        registry=decided.lock.registry,
        image_base=_image_base(decided),
        platform=None if spec.platform == "none" else spec.platform,
        machine_readers=endpoint(stack, spec),
        spec=spec.model_dump(by_alias=True),
    )


def placed(decided: Plan, pod: graph.Pod) -> PodPlacement:
    """What the contract says of one pod."""
    images, container = decided.images(), pod.container
    used = overlays.needed_images(container, decided.delivery)
    return PodPlacement(
        name=pod.name,
        image=images[container.image],
        processes=[[node.name for node in process.nodes] for process in container.processes],
        replicas=workload.pod_needs(pod).least_replicas,
        overlays=[
            MountedOverlay(name=overlay.name, image=images[used[position]], path=overlays.mount_path(position, overlay))
            for position, overlay in enumerate(container.overlays)
        ],
        delivery=decided.delivery if container.overlays else None,
        component_container=_loader(decided, pod),
    )


def measured(topic: graph.Topic, application: graph.Application) -> MeasuredTopic:
    """What the contract says of one measured topic."""
    return MeasuredTopic(
        name=topic.name,
        type=topic.type,
        stamp=topic.stamp,
        expected_rate_hz=topic.expected_rate_hz,
        is_result=topic.name == application.result,
    )


def _image_base(decided: Plan) -> ImageBase | None:
    """Base of the images, where all of them are of the lock and of ROS 2: it tells nothing about others."""
    lock = decided.lock
    if decided.deployed.master or not decided.images().keys() <= lock.digests.keys():
        return None
    return ImageBase(flavour=lock.flavour, ros_distro=lock.ros_distro)


def _loader(decided: Plan, pod: graph.Pod) -> ComponentContainer | None:
    loader, composition = pod.container.component_container, decided.composition(pod)
    if loader is None:
        return None
    return ComponentContainer(
        name=f"/{loader.name}",
        process=loader.process,
        executor=loader.executor,
        public_key=composition.trust.public_key if composition else None,
        components=[
            PlacedComponent(
                node=node.name,
                package=node.component.package,
                plugin=node.component.plugin,
                parameters=launch.node_parameters(node),
            )
            for node in pod.nodes()
            if node.component is not None
        ],
    )
