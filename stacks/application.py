"""From the spec's application section to the graph that components understand."""

from collections.abc import Mapping
from dataclasses import replace

from components import graph
from components.refusal import Refusal
from stacks.spec import Application, NodeResources


def reference(application: Application) -> graph.Application:
    """Graph of a named application under its load.

    Args:
        application: Its name must be one of `graph.APPLICATIONS`.
    """
    return graph.APPLICATIONS[application.name](graph.Load(**application.load.model_dump()))


def with_resources(application: graph.Application, wanted: Mapping[str, NodeResources]) -> graph.Application:
    """The same graph, with the resources that the spec changes.

    Raises:
        Refusal: The limit that results is less than the request.
    """
    nodes = tuple(
        replace(node, resources=_merged(node, wanted[node.name])) if node.name in wanted else node
        for node in application.nodes
    )
    return replace(application, nodes=nodes)


def _merged(node: graph.Node, wanted: NodeResources) -> graph.Resources:
    changes = {key: value for key, value in wanted.model_dump().items() if value is not None}
    merged = replace(node.resources, **changes)
    if merged.memory_limit_mebibytes < merged.memory_request_mebibytes:
        raise Refusal(
            f"ros2bench:spec.resources.nodes.{node.name}: memory limit {merged.memory_limit_mebibytes} MiB "
            f"is less than the request {merged.memory_request_mebibytes} MiB. Set both memoryLimitMebibytes and "
            "memoryRequestMebibytes"
        )
    if merged.cpu_limit_millicores is not None and merged.cpu_limit_millicores < merged.cpu_request_millicores:
        raise Refusal(
            f"ros2bench:spec.resources.nodes.{node.name}: processor limit {merged.cpu_limit_millicores} m "
            f"is less than the request {merged.cpu_request_millicores} m. Set both cpuLimitMillicores and "
            "cpuRequestMillicores"
        )
    return merged
