"""From the spec's application section to the graph that components understand."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import yaml

from components import graph, needs, perception
from components.refusal import Refusal, choices
from stacks import node_needs
from stacks.pod import NodeResources
from stacks.spec_application import Application, ApplicationImages, Node, Topic

WHERE = "ros2bench:spec.application"
RESERVED = ("recorder", "discovery", "master")
DEFAULT_RESOURCES = graph.Resources(
    cpu_request_millicores=100, memory_request_mebibytes=128, memory_limit_mebibytes=512
)
Read = Callable[[str], str]


def built(application: Application, read: Read) -> graph.Application:
    """Graph of the application: the reference one with its changes, or the user's own.

    Args:
        application: The section of the spec.
        read: Gives the text of a file of the user, by the path that the stack file has.

    Raises:
        Refusal: Names that do not exist or cannot be, or a file that is none.
    """
    reference = application.name in perception.APPLICATIONS
    known = _reference(application) if reference else _empty(application)
    by_name = {node.name: node for node in known.nodes}
    if reference:
        for name in application.nodes:
            if name not in by_name:
                raise Refusal(
                    f"{WHERE}.nodes.{name}: the application {application.name} has no such node. "
                    f"{choices(name, by_name)} For nodes of your own, give the application a name of your own: "
                    f"{WHERE}.name"
                )
    topics = {topic.name: topic for topic in known.topics}
    topics |= {name: _topic(name, topic) for name, topic in application.topics.items()}
    for name, node in application.nodes.items():
        by_name[name] = _node(name, node, by_name.get(name), read, ros_version=1 if application.master else 2)
        _check_topics(by_name[name], topics)
    _check_names(by_name)
    listened = [name for name, topic in application.topics.items() if topic.measured or topic.result]
    result = next((name for name, topic in application.topics.items() if topic.result), None)
    if application.master and (known.measured or listened):
        raise Refusal(
            f"{WHERE}.master: the recorder is of ROS 2 and hears nothing of ROS 1, so no topic of this application can "
            "be measured. Take measured and result out of the topics"
        )
    return graph.Application(
        name=application.name,
        nodes=tuple(by_name.values()),
        topics=tuple(topics.values()),
        measured=tuple(dict.fromkeys([*known.measured, *listened])),
        result=result or known.result,
        images=_images(application.images, known.images),
        master=application.master,
    )


def with_resources(application: graph.Application, wanted: Mapping[str, NodeResources]) -> graph.Application:
    """The same graph, with the resources that the spec changes.

    Raises:
        Refusal: The limit that results is less than the request.
    """
    where = "ros2bench:spec.resources.nodes"
    nodes = tuple(
        replace(node, resources=_merged(f"{where}.{node.name}", node.resources, wanted.get(node.name, NodeResources())))
        for node in application.nodes
    )
    return replace(application, nodes=nodes)


def load_of(application: Application) -> dict[str, Any]:
    """What two runs must have in common to be compared: the load, or the parameters of the user's nodes."""
    if application.load is not None:
        return application.load.model_dump(by_alias=True)
    return {name: dict(node.parameters) for name, node in application.nodes.items() if node.parameters}


def _reference(application: Application) -> graph.Application:
    if application.load is None:
        raise Refusal(f"{WHERE}.load: is none, the reference application {application.name} needs one. Leave it out")
    return perception.APPLICATIONS[application.name](perception.Load(**application.load.model_dump()))


def _empty(application: Application) -> graph.Application:
    if not application.nodes:
        raise Refusal(
            f"{WHERE}.name: no application {application.name!r}. {choices(application.name, perception.APPLICATIONS)} "
            f"For one of your own, write its nodes in {WHERE}.nodes"
        )
    if application.load is not None:
        raise Refusal(
            f"{WHERE}.load: belongs to the reference application, {application.name!r} has nodes of its own. Write "
            f"their parameters in {WHERE}.nodes.NAME.parameters"
        )
    return graph.Application(name=application.name, nodes=(), topics=(), measured=(), result=None)


def _node(name: str, node: Node, known: graph.Node | None, read: Read, *, ros_version: int) -> graph.Node:
    """One node of the spec; what it leaves out is taken from the graph, if the graph has it."""
    base = known or graph.Node(name=name, publishes=(), subscribes=(), resources=DEFAULT_RESOURCES)
    where = f"{WHERE}.nodes.{name}"
    if known is None and node.executable is None and node.component is None:
        raise Refusal(
            f"{where}: has neither executable nor component, so no pattern can start it. Write executable, for "
            f"example [ros2, run, my_package, {name}], or component with package and plugin"
        )
    component = node.component and graph.Component(**node.component.model_dump())
    own = replace(
        base,
        command=base.command if node.executable is None else tuple(node.executable),
        component=component or base.component,
        image=node.image or base.image,
        publishes=base.publishes if node.publishes is None else tuple(node.publishes),
        subscribes=base.subscribes if node.subscribes is None else tuple(node.subscribes),
        parameters={**base.parameters, **_from_file(where, name, node, read), **_tuples(node.parameters)},
        needs=node_needs.built(where, node, base.needs, read),
        ros_version=1 if ros_version == 1 else 2,
        ros_arguments=node.ros_arguments and base.ros_arguments,
        resources=_merged(f"{where}.resources", base.resources, node.resources or NodeResources()),
    )
    _check_autoscaling(where, own.needs)
    key, copies = "replicas", own.needs.replicas
    if own.needs.autoscaling is not None:
        key, copies = "autoscaling.maxReplicas", own.needs.autoscaling.max_replicas
    if copies > 1 and own.publishes and not own.needs.stateless:
        raise Refusal(
            f"{where}.{key}: is {copies}, but the node publishes {', '.join(own.publishes)}: each copy "
            f"would publish every message again, and subscribers would see it as often. Leave {key} at 1, or write "
            "stateless: true if the copies share the work or a repeated message does no harm"
        )
    return own


def _check_autoscaling(where: str, wanted: needs.Needs) -> None:
    """Refuse a number of copies that two things would set, and copies that could not share what they keep."""
    if wanted.autoscaling is None:
        return
    if wanted.replicas != 1:
        raise Refusal(
            f"{where}.replicas: is {wanted.replicas}, but autoscaling sets the number of copies. Take replicas out, "
            "and write the least number as autoscaling.minReplicas"
        )
    alone = [
        volume.name
        for volume in wanted.persistent_volumes
        if volume.access_mode in ("ReadWriteOnce", "ReadWriteOncePod") and not volume.read_only
    ]
    if alone and wanted.autoscaling.max_replicas > 1:
        raise Refusal(
            f"{where}.autoscaling: the node writes to {', '.join(alone)}, which one machine may mount at a time: a "
            "copy on another one would wait for ever, and copies that keep something are not alike. Take autoscaling "
            "out, or use accessMode ReadWriteMany"
        )


def _topic(name: str, topic: Topic) -> graph.Topic:
    return graph.Topic(
        name=name,
        type=topic.type,
        reliability=topic.reliability,
        depth=topic.depth,
        stamp=topic.stamp,
        expected_rate_hz=topic.expected_rate_hz,
        durability=topic.durability,
    )


def _images(wanted: ApplicationImages, known: graph.Images) -> graph.Images:
    overlays = known.overlays
    if wanted.overlays is not None:
        overlays = tuple(graph.Overlay(**overlay.model_dump()) for overlay in wanted.overlays)
    return graph.Images(
        monolithic=wanted.monolithic or known.monolithic,
        composition=wanted.composition or known.composition,
        overlay_base=wanted.overlay_base or known.overlay_base,
        overlays=overlays,
        recorder=wanted.recorder or known.recorder,
    )


def _check_topics(node: graph.Node, topics: Mapping[str, graph.Topic]) -> None:
    for key in ("publishes", "subscribes"):
        for name in getattr(node, key):
            if name not in topics:
                raise Refusal(
                    f"{WHERE}.nodes.{node.name}.{key}: topic {name} is not defined. {choices(name, topics)} Write it "
                    f"in {WHERE}.topics"
                )


def _check_names(nodes: Mapping[str, graph.Node]) -> None:
    """Nodes become objects, whose names know neither capitals nor underscores, and some are taken."""
    used: dict[str, str] = {}
    for name in nodes:
        below = graph.object_name(name)
        if below in RESERVED:
            raise Refusal(f"{WHERE}.nodes.{name}: the name is taken: an experiment has a {below} of its own. Rename it")
        if below in used:
            raise Refusal(f"{WHERE}.nodes: {used[below]} and {name} would both be {below} in the cluster. Rename one")
        used[below] = name


def _merged(where: str, known: graph.Resources, wanted: NodeResources) -> graph.Resources:
    changes = {key: value for key, value in wanted.model_dump().items() if value is not None}
    merged = replace(known, **changes)
    if merged.memory_limit_mebibytes < merged.memory_request_mebibytes:
        raise Refusal(
            f"{where}: memory limit {merged.memory_limit_mebibytes} MiB "
            f"is less than the request {merged.memory_request_mebibytes} MiB. Set both memoryLimitMebibytes and "
            "memoryRequestMebibytes"
        )
    if merged.cpu_limit_millicores is not None and merged.cpu_limit_millicores < merged.cpu_request_millicores:
        raise Refusal(
            f"{where}: processor limit {merged.cpu_limit_millicores} m "
            f"is less than the request {merged.cpu_request_millicores} m. Set both cpuLimitMillicores and "
            "cpuRequestMillicores"
        )
    return merged


def _tuples(values: Mapping[str, Any]) -> dict[str, graph.Parameter]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _from_file(where: str, name: str, node: Node, read: Read) -> dict[str, graph.Parameter]:
    """Parameters that a ROS parameters file has for a node, groups flattened: `a: {b: 1}` is `a.b`."""
    if node.parameters_file is None:
        return {}
    path, key = node.parameters_file, f"{where}.parametersFile"
    try:
        document: Any = yaml.safe_load(read(path))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refusal(f"{key}: {path} cannot be read: {error}") from None
    entries = cast("dict[Any, Any]", document) if isinstance(document, dict) else {}
    found: dict[str, graph.Parameter] = {}
    chosen = [entry for entry in ("/**", name, f"/{name}") if entry in entries]
    if not chosen:
        raise Refusal(
            f"{key}: {path} has no entry for the node {name}. It has: {', '.join(map(str, entries)) or 'nothing'}. "
            f"An entry is {name}: {{ros__parameters: {{…}}}}, or /** for every node"
        )
    for entry in chosen:
        inner = entries[entry]
        values = inner.get("ros__parameters") if isinstance(inner, dict) else None
        if not isinstance(values, dict):
            raise Refusal(f"{key}: {path}: {entry} has no mapping ros__parameters")
        found |= _flat(f"{key}: {path}: {entry}", cast("dict[Any, Any]", values), "")
    return found


def _flat(where: str, values: Mapping[Any, Any], prefix: str) -> dict[str, graph.Parameter]:
    found: dict[str, graph.Parameter] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= _flat(where, cast("dict[Any, Any]", value), f"{name}.")
        elif isinstance(value, bool | int | float | str):
            found[name] = value
        elif isinstance(value, list) and len({type(item) for item in cast("list[Any]", value)}) == 1:
            found[name] = tuple(cast("list[Any]", value))
        else:
            raise Refusal(f"{where}.{name}: is {value!r}; ROS knows scalars and lists of one kind of them")
    return found


def file_reader(folder: Path) -> Read:
    """Reads files of the user relative to a folder."""
    return lambda path: (folder / path).read_text(encoding="utf-8")


def secret_keys(application: graph.Application) -> tuple[str, ...]:
    """Keys of the encrypted configuration that the nodes use."""
    sources: list[needs.SecretKey] = [each for node in application.nodes for each in node.needs.secrets.values()]
    return tuple(sorted({source.key for source in sources if source.secret is None}))
