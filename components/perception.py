"""The reference application as data: perception with real work, written once and placed by every pattern."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from components.graph import Application, Component, Images, Node, Overlay, Parameter, Resources, Topic
from components.needs import Needs, Readiness


@dataclass(frozen=True, kw_only=True)
class Load:
    """How hard the reference application is driven; equal for every pattern that is to be compared.

    Defaults live in `stacks.load`; the meaning of each value is the node parameter of the same name.
    """

    rate_hz: float
    width_px: int
    height_px: int
    source: str
    seed: int
    burst: int
    detector_input_width_px: int
    detector_input_height_px: int
    detector_score_threshold: float
    detector_threads: int
    detector_repeat: int
    trigger_period_s: float
    reader_threads: int
    reader_max_boxes: int


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


def perception(load: Load) -> Application:
    """Reference application: camera → detector → monitor, camera + detector → reader → monitor.

    The processor requests add up to 400 millicores, so that it fits a machine with one allocatable processor.

    Args:
        load: Rate, picture size and work per frame.
    """
    # A camera that is meant to be slow must not look silent, nor must those who wait for it.
    silence_limit_s = max(LEAST_SILENCE_LIMIT_S, 3 * load.burst / load.rate_hz)
    camera = _node(
        "camera",
        publishes=(FRAMES,),
        subscribes=(),
        parameters={
            "silence_limit_s": silence_limit_s,
            "rate_hz": float(load.rate_hz),
            "width_px": load.width_px,
            "height_px": load.height_px,
            "source": load.source,
            "seed": load.seed,
            "burst": load.burst,
        },
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=128, memory_limit_mebibytes=512),
    )
    detector = _node(
        "detector",
        publishes=(DETECTIONS,),
        subscribes=(FRAMES,),
        parameters={
            "silence_limit_s": silence_limit_s,
            "input_width_px": load.detector_input_width_px,
            "input_height_px": load.detector_input_height_px,
            "score_threshold": float(load.detector_score_threshold),
            "threads": load.detector_threads,
            "repeat": load.detector_repeat,
        },
        resources=Resources(cpu_request_millicores=200, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    reader = _node(
        "reader",
        publishes=(READINGS,),
        subscribes=(FRAMES, DETECTIONS),
        parameters={
            "silence_limit_s": max(3 * float(load.trigger_period_s) + LEAST_SILENCE_LIMIT_S, silence_limit_s),
            "trigger_period_s": float(load.trigger_period_s),
            "threads": load.reader_threads,
            "max_boxes": load.reader_max_boxes,
        },
        resources=Resources(cpu_request_millicores=100, memory_request_mebibytes=192, memory_limit_mebibytes=768),
    )
    monitor = _node(
        "monitor",
        publishes=(RESULTS,),
        subscribes=(DETECTIONS, READINGS),
        parameters={"silence_limit_s": silence_limit_s},
        resources=Resources(cpu_request_millicores=50, memory_request_mebibytes=96, memory_limit_mebibytes=256),
    )
    return Application(
        name="perception",
        nodes=(camera, detector, reader, monitor),
        topics=(
            _topic(FRAMES, "Frame", "best_effort", depth=10, rate_hz=load.rate_hz),
            _topic(DETECTIONS, "Detections", "reliable", depth=10, rate_hz=load.rate_hz),
            _topic(READINGS, "Reading", "reliable", depth=10, rate_hz=None),
            _topic(RESULTS, "Result", "reliable", depth=10, rate_hz=load.rate_hz),
        ),
        measured=(RESULTS,),
        result=RESULTS,
        images=IMAGES,
    )


def _node(
    name: str,
    *,
    publishes: tuple[str, ...],
    subscribes: tuple[str, ...],
    parameters: Mapping[str, Parameter],
    resources: Resources,
) -> Node:
    """Node whose program, class and least image follow from its name."""
    return Node(
        name=name,
        command=("ros2bench-node", name),
        component=Component(package=PACKAGE, plugin=f"{PACKAGE}.{name}.{name.capitalize()}"),
        image=f"application-{name}",
        needs=HEARTBEAT,
        publishes=publishes,
        subscribes=subscribes,
        parameters=parameters,
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
