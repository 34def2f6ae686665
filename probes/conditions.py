"""Under which conditions a run was measured: what must be equal for two runs to be comparable.

Taken from the manifest alone, so that a run can be compared years later. The pattern is not among them, nor is what
follows from it (pods, images): it is what a comparison varies.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from probes.quantity import parse_quantity

GIBIBYTE = 2**30
LOAD_OF_FIRST_RECORDS: Mapping[str, Any] = {
    "detectorCostS": 0.02,
    "detectorInference": "onnx",
    "detectorModel": "pp-ocr",
    "encoding": "rgb8",
    "faultDelaysS": [0],
    "faultDropRatio": 0,
    "faultNode": "monitor",
    "faultSeed": 0,
    "faultStallFrame": 0,
    "faultStallS": 0,
    "readerModel": "pp-ocr",
    "reportFrames": 0,
    "streams": 1,
}
"""Settings of the reference application that the first records do not name: it could do nothing else then."""

OF_THE_PATTERN = frozenset({"images", "load"})
"""Keys of an application's spec that say how a pattern is built, or that have a field of their own."""

VERBATIM = frozenset({"parameters", "environment"})
"""Keys of a node in which `false` and nothing are not the same."""


@dataclass(frozen=True, order=True)
class Conditions:
    """Conditions of a run; None where its manifest does not tell.

    Texts in JSON have sorted keys and no spaces, so that equal conditions are equal texts.

    Args:
        application: Name and digest of the graph and its parameters: nodes, topics, what is measured.
        load: Load settings, JSON.
        regime: What was on the machines before an install; `none` where nothing was installed.
        cycles: What each repetition deployed.
        window_s: Length of the measured window: counts and extremes follow from it.
        network: Mode, discovery, socket buffers and injected fault, JSON.
        machine_class: Architecture, cores, memory and versions of the machines, JSON; how many of each, not which.
        versions: Schema of the record, ROS middleware and, where the stack told them, ROS distribution and flavour of
            the images, JSON.
    """

    application: str | None
    load: str | None
    regime: str | None
    cycles: str | None
    window_s: float | None
    network: str | None
    machine_class: str | None
    versions: str | None


@dataclass(frozen=True)
class Difference:
    """One condition in which two runs differ; `field` goes into an object: `load.rateHz`."""

    field: str
    value: str
    expected: str


def conditions_of(manifest: Mapping[str, Any]) -> Conditions:
    """Read the conditions of a run from its manifest."""
    outputs, plan = manifest["outputs"], manifest["plan"]
    application, network = outputs.get("application"), outputs.get("network")
    return Conditions(
        application=_application(application, manifest["spec"]) if application else None,
        load=_load(application["load"]) if application else None,
        regime="none" if plan["cycles"] == "none" else manifest.get("cycle_regime"),
        cycles=plan["cycles"],
        window_s=plan["durations"].get("window_s"),
        network=_network(network, plan.get("fault")) if network else None,
        machine_class=_machine_class(manifest["machines"]) if manifest["machines"] else None,
        versions=_versions(manifest["schema"], outputs),
    )


def differences(value: Conditions, expected: Conditions) -> tuple[Difference, ...]:
    """Say in what two runs' conditions differ; empty for comparable runs.

    What neither run tells is no difference; what one of them does not tell is.
    """
    found: list[Difference] = []
    for field in fields(Conditions):
        one, other = getattr(value, field.name), getattr(expected, field.name)
        if one != other:
            found += _narrowed(field.name, one, other)
    return tuple(found)


def _narrowed(field: str, value: Any, expected: Any) -> list[Difference]:
    one, other = _parsed(value), _parsed(expected)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return [Difference(field, _said(one), _said(other))]
    values, expecteds = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
    return [
        Difference(f"{field}.{key}", _said(values.get(key)), _said(expecteds.get(key)))
        for key in sorted(values.keys() | expecteds.keys())
        if values.get(key) != expecteds.get(key)
    ]


def _parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in {"{", "["} else value


def _said(value: Any) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _application(application: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Digest what the application is, however its nodes are placed and whichever image starts them."""
    topics = [{key: topic.get(key) for key in ("name", "type", "stamp", "isResult")} for topic in application["topics"]]
    placed = {node for pod in application["pods"] for process in pod["processes"] for node in process}
    said: Mapping[str, Any] = spec.get("application") or {}
    nodes: Mapping[str, Mapping[str, Any]] = said.get("nodes") or {}
    whole = {
        "placed": sorted(placed),
        "measured": sorted(topics, key=_canonical),
        "nodes": {name: _told({**node, "image": None}) for name, node in nodes.items()},
        "spec": _told({key: item for key, item in said.items() if key not in OF_THE_PATTERN | {"nodes"}}),
    }
    digest = hashlib.sha256(_canonical(whole).encode()).hexdigest()
    return f"{application['name']} {digest[:16]}"


def _told(value: Any) -> Any:
    """Drop what says nothing: a later version writes more defaults than an earlier one."""
    if not isinstance(value, Mapping):
        return value
    items = cast("Mapping[str, Any]", value).items()
    kept = {key: item if key in VERBATIM else _told(item) for key, item in items}
    return {
        key: item for key, item in kept.items() if item is not None and item is not False and item not in ("", [], {})
    }


def _load(load: Mapping[str, Any]) -> str:
    is_of_first_records = "rateHz" in load and "streams" not in load
    return _canonical({**LOAD_OF_FIRST_RECORDS, **load} if is_of_first_records else load)


def _network(network: Mapping[str, Any], fault: Mapping[str, Any] | None) -> str:
    said = {key: network.get(key) for key in ("mode", "discovery", "socketBufferBytes")}
    return _canonical({**said, "fault": fault})


def _machine_class(machines: Sequence[Mapping[str, Any]]) -> str:
    counted = Counter(_canonical(_machine(machine)) for machine in machines)
    return _canonical([{"count": count, **json.loads(machine)} for machine, count in sorted(counted.items())])


def _machine(machine: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a machine, as coarsely as a comparison needs."""
    allocatable: Mapping[str, Any] = machine["allocatable"]
    memory_bytes = parse_quantity(allocatable.get("memory"))
    return {
        "architecture": machine["architecture"],
        "cores": parse_quantity(allocatable.get("cpu")),
        "memory_gib": None if memory_bytes is None else round(memory_bytes / GIBIBYTE),
        "kernel": _first_two(machine["kernel"]),
        "kubelet": _first_two(machine["kubelet"].removeprefix("v")),
    }


def _first_two(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _versions(schema: int, outputs: Mapping[str, Any]) -> str:
    base: Mapping[str, Any] = outputs.get("imageBase") or {}
    network: Mapping[str, Any] = outputs.get("network") or {}
    return _canonical(
        {
            "schema": schema,
            "rmw": network.get("rmw"),
            "rosDistro": base.get("rosDistro"),
            "flavour": base.get("flavour"),
        }
    )


def _canonical(value: Any) -> str:
    """Write a value so that equal values are equal texts: 10.0 is 10."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value
