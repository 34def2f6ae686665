"""What the recorder says about itself and about the ROS graph around it."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rclpy.node import Node

from ros2bench_recorder.captures import Captures
from ros2bench_recorder.drain import Loop
from ros2bench_recorder.quality import incompatible
from ros2bench_recorder.topic_recorder import TopicRecorder
from ros2bench_service.flushing import Flusher

CONTRACT = 1
OWN_TOPICS = frozenset({'/parameter_events', '/rosout'})


def status(
    node: Node,
    loop: Loop,
    *,
    recorders: Sequence[TopicRecorder],
    captures: Captures,
    flusher: Flusher,
    started_ns: int,
    boot_id: str,
    mappings: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Content of `/v1/status` as of now."""
    return {
        'contract': CONTRACT,
        'boot_id': boot_id,
        'machine': os.environ.get('ROS2BENCH_MACHINE') or socket.gethostname(),
        'domain_id': node.context.get_domain_id(),
        'rmw': os.environ.get('RMW_IMPLEMENTATION', ''),
        'loop': loop.name,
        'started_ns': started_ns,
        'cpu_ns': time.process_time_ns(),
        'rss_bytes': resident_bytes(),
        'drain_busy_ns': loop.busy_ns,
        'flush_busy_ns': flusher.busy_ns,
        'longest_flush_ns': flusher.longest_ns,
        'captures_bytes': captures.budget.used_bytes,
        'captures_limit_bytes': captures.budget.limit_bytes,
        'topics': [_topic(node, recorder) for recorder in recorders],
        'nodes': other_nodes(node),
        'discovered': [
            {'topic': name, 'types': types, 'publishers': node.count_publishers(name)}
            for name, types in node.get_topic_names_and_types()
            if name not in OWN_TOPICS
        ],
        'active_capture': captures.active_identifier,
        'mappings': list(mappings),
    }


def other_nodes(node: Node) -> list[str]:
    """Full names of all nodes in the domain but this one; empty while discovery reaches nobody."""
    found = {
        f'{namespace.rstrip("/")}/{name}'
        for name, namespace in node.get_node_names_and_namespaces()
    }
    return sorted(found - {node.get_fully_qualified_name()})


def matched_publishers(
    node: Node, loop: Loop, recorders: Sequence[TopicRecorder]
) -> dict[str, int]:
    """How many publishers each topic is heard from.

    Args:
        node: the recorder's.
        loop: holds the subscriptions, in the order of the recorders.
        recorders: all topics that are subscribed to.
    """
    counts = {}
    for recorder, subscription in zip(recorders, loop.subscriptions, strict=True):
        topic = recorder.topic
        count = getattr(subscription, 'get_publisher_count', None)
        if count is not None:
            counts[topic.name] = count()
            continue
        # ROS 2 Humble does not ask the middleware for matches.
        counts[topic.name] = sum(
            not incompatible(publisher.qos_profile, topic)
            for publisher in node.get_publishers_info_by_topic(topic.name)
        )
    return counts


def _topic(node: Node, recorder: TopicRecorder) -> dict[str, Any]:
    topic = recorder.topic
    return {
        'name': topic.name,
        'type': topic.type,
        'received_total': recorder.tally.received,
        'publishers': [
            {
                'node': f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}',
                'reliability': publisher.qos_profile.reliability.name.lower(),
                'depth': publisher.qos_profile.depth,
                'incompatible': incompatible(publisher.qos_profile, topic),
            }
            for publisher in node.get_publishers_info_by_topic(topic.name)
        ],
    }


def resident_bytes() -> int:
    """Memory that this process occupies."""
    pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')
