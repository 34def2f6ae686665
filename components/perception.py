"""The reference application as data: perception with real work, written once and placed by every pattern."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components.graph import Application, Component, Images, Node, Overlay, Parameter, Resources, Topic
from components.needs import Needs, Readiness


@dataclass(frozen=True, kw_only=True)
class Load:
    """How hard the reference application is driven; equal for every pattern that is to be compared.

    Defaults live in `stacks.load`; the meaning of each value is the node parameter of the same name.
    """

    streams: int
    rate_hz: float
    width_px: int
    height_px: int
    source: str
    encoding: str
    seed: int
    burst: int
    detector_inference: str
    detector_model: str
    detector_cost_s: float
    detector_input_width_px: int
    detector_input_height_px: int
    detector_score_threshold: float
    detector_threads: int
    detector_repeat: int
    trigger_period_s: float
    reader_model: str
    reader_threads: int
    reader_max_boxes: int
    report_frames: int
    fault_node: str
    fault_delays_s: Sequence[float]
    fault_stall_s: float
    fault_stall_frame: int
    fault_drop_ratio: float
    fault_seed: int


INTERFACES = "ros2bench_interfaces/msg"
PACKAGE = "ros2bench_nodes"
LEAST_SILENCE_LIMIT_S = 5.0
HEARTBEAT = Needs(readiness=Readiness(kind="heartbeat"))
IMAGES = Images(
    monolithic="application-monolithic",
    composition="application-composition",
    overlay_base="application-overlay-base",
    overlays=(
        Overlay(name="interfaces", image="overlay-interfaces", carrier="overlay-interfaces-carrier"),
        Overlay(name="nodes", image="overlay-nodes", carrier="overlay-nodes-carrier"),
    ),
)
FRAMES, DETECTIONS, READINGS, RESULTS = "/frames", "/detections", "/readings", "/results"
ONLY_STREAM = 0


def perception(load: Load) -> Application:
    """Reference application: camera → detector → monitor, camera + detector → reader → monitor; once per stream.

    The processor requests of a stream add up to 400 millicores, so that it fits a machine with one allocatable
    processor. Of several streams each has its number in the names of its nodes and topics.

    Args:
        load: Rate, picture size and work per frame.
    """
    numbers = (ONLY_STREAM,) if load.streams == 1 else tuple(range(1, load.streams + 1))
    results = tuple(_of_stream(RESULTS, number) for number in numbers)
    return Application(
        name="perception",
        nodes=tuple(node for number in numbers for node in _stream_nodes(load, number)),
        topics=tuple(topic for number in numbers for topic in _stream_topics(load, number)),
        measured=results,
        result=results[0],
        images=IMAGES,
    )


def _stream_nodes(load: Load, stream: int) -> tuple[Node, ...]:
    """The four nodes of a stream."""
    frames, detections, readings, results = (
        _of_stream(topic, stream) for topic in (FRAMES, DETECTIONS, READINGS, RESULTS)
    )
    # A camera that is meant to be slow must not look silent, nor must those who wait for it.
    silence_limit_s = max(LEAST_SILENCE_LIMIT_S, 3 * load.burst / load.rate_hz)
    camera = _node(
        "camera",
        stream,
        publishes=(frames,),
        subscribes=(),
        parameters={
            "silence_limit_s": silence_limit_s,
            "rate_hz": float(load.rate_hz),
            "width_px": load.width_px,
            "height_px": load.height_px,
            "source": load.source,
            "encoding": load.encoding,
            "seed": load.seed + max(0, stream - 1),
            "burst": load.burst,
            **_faults(load, "camera"),
        },
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=128, memory_limit_mebibytes=512),
    )
    detector = _node(
        "detector",
        stream,
        publishes=(detections,),
        subscribes=(frames,),
        parameters={
            "silence_limit_s": silence_limit_s,
            "inference": load.detector_inference,
            "model": load.detector_model,
            "cost_s": float(load.detector_cost_s),
            "input_width_px": load.detector_input_width_px,
            "input_height_px": load.detector_input_height_px,
            "score_threshold": float(load.detector_score_threshold),
            "threads": load.detector_threads,
            "repeat": load.detector_repeat,
            **_faults(load, "detector"),
        },
        resources=Resources(cpu_request_millicores=200, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    reader = _node(
        "reader",
        stream,
        publishes=(readings,),
        subscribes=(frames, detections),
        parameters={
            "silence_limit_s": max(3 * float(load.trigger_period_s) + LEAST_SILENCE_LIMIT_S, silence_limit_s),
            "trigger_period_s": float(load.trigger_period_s),
            "model": load.reader_model,
            "threads": load.reader_threads,
            "max_boxes": load.reader_max_boxes,
        },
        resources=Resources(cpu_request_millicores=100, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    monitor = _node(
        "monitor",
        stream,
        publishes=(results,),
        subscribes=(detections, readings),
        parameters={
            "silence_limit_s": silence_limit_s,
            **({"report_frames": load.report_frames} if load.report_frames else {}),
            **_faults(load, "monitor"),
        },
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=96, memory_limit_mebibytes=256),
    )
    return camera, detector, reader, monitor


def _stream_topics(load: Load, stream: int) -> tuple[Topic, ...]:
    """The four topics of a stream."""
    return (
        _topic(_of_stream(FRAMES, stream), "Frame", "best_effort", depth=10, rate_hz=load.rate_hz),
        _topic(_of_stream(DETECTIONS, stream), "Detections", "reliable", depth=10, rate_hz=load.rate_hz),
        _topic(_of_stream(READINGS, stream), "Reading", "reliable", depth=10, rate_hz=None),
        _topic(_of_stream(RESULTS, stream), "Result", "reliable", depth=10, rate_hz=load.rate_hz),
    )


def _of_stream(topic: str, stream: int) -> str:
    return topic if stream == ONLY_STREAM else f"/stream_{stream}{topic}"


def _faults(load: Load, kind: str) -> dict[str, Parameter]:
    """Parameters of the faults that a node of this kind commits; none where nothing is asked for."""
    wanted = any(load.fault_delays_s) or load.fault_stall_s or load.fault_drop_ratio
    if load.fault_node != kind or not wanted:
        return {}
    return {
        "fault_delays_s": tuple(float(delay) for delay in load.fault_delays_s),
        "fault_stall_s": float(load.fault_stall_s),
        "fault_stall_frame": load.fault_stall_frame,
        "fault_drop_ratio": float(load.fault_drop_ratio),
        "fault_seed": load.fault_seed,
    }


def _node(
    kind: str,
    stream: int,
    *,
    publishes: tuple[str, ...],
    subscribes: tuple[str, ...],
    parameters: Mapping[str, Parameter],
    resources: Resources,
) -> Node:
    """Node whose program, class and least image follow from what it is, and its name from its stream too."""
    own_stream: dict[str, Parameter] = {} if stream == ONLY_STREAM else {"stream": stream}
    return Node(
        name=kind if stream == ONLY_STREAM else f"{kind}_{stream}",
        command=("ros2bench-node", kind),
        component=Component(package=PACKAGE, plugin=f"{PACKAGE}.{kind}.{kind.capitalize()}"),
        image=f"application-{kind}",
        needs=HEARTBEAT,
        publishes=publishes,
        subscribes=subscribes,
        parameters={**parameters, **own_stream},
        resources=resources,
    )


def _topic(
    name: str,
    message: str,
    reliability: Literal["reliable", "best_effort"],
    *,
    depth: int,
    rate_hz: float | None,
) -> Topic:
    return Topic(
        name=name,
        type=f"{INTERFACES}/{message}",
        reliability=reliability,
        depth=depth,
        stamp="ros2bench",
        expected_rate_hz=rate_hz,
    )


APPLICATIONS: Mapping[str, Callable[[Load], Application]] = {"perception": perception}
