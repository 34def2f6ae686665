"""Startup, readiness and liveness probes of a pod, from how each of its nodes is ready. Pure."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.graph import Container, Node
from components.launch import loads_python, starts_bringup
from components.needs import Readiness
from components.participant import CONFIGURATION_DIRECTORY
from components.refusal import Refusal

Probe = Mapping[str, Any]

HEALTH = "health"
PERIOD_S = 1
LIVENESS_PERIOD_S = 10
LIVENESS_DELAY_S = 30
TIMEOUT_S = 3
MESSAGE_TIMEOUT_S = 20
FAILURES = 3
STARTUP_LIMIT_S = 120
MESSAGE_FILE = "wait-for-message"
MESSAGE_PROGRAM = Path(__file__).parent.parent / "images" / "mounted" / MESSAGE_FILE
"""Runs in the pod, with whatever ROS the image has; mounted, so that any image can be asked."""


def probes(pod: str, placed: Container) -> dict[str, Probe]:
    """Probes of a container by their key in its manifest; none for what nobody can tell.

    A probe that several nodes want in different ways is refused, because a container has one of each.

    Args:
        pod: Name of the pod, for messages.
        placed: Its container.

    Raises:
        Refusal: Nodes of one container are ready in ways that cannot be combined.
    """
    nodes = [node for process in placed.processes for node in process.nodes]
    if serves_health(placed):
        startup_limit_s = max(
            (n.needs.readiness.startup_limit_s for n in nodes if n.needs.readiness.kind == "heartbeat"),
            default=STARTUP_LIMIT_S,
        )
        served = health_probes(startup_limit_s)
    else:
        served = {}
    stated = [(node.name, _own(node.needs.readiness)) for node in nodes]
    found: dict[str, Probe] = {}
    for slot in ("startupProbe", "readinessProbe", "livenessProbe"):
        wanted = [(name, own[slot]) for name, own in stated if slot in own]
        if slot in served and (not wanted or slot == "livenessProbe"):
            found[slot] = served[slot]
        elif wanted:
            if slot in served and _some_heartbeat(nodes):
                wanted = [("the heartbeat", served[slot]), *wanted]
            found[slot] = _combined(pod, slot, wanted)
    return found


def serves_health(placed: Container) -> bool:
    """Whether something in the container answers /startz, /readyz and /healthz on its health port."""
    if placed.component_container is not None or starts_bringup(placed):
        return loads_python(placed) or starts_bringup(placed)
    return _some_heartbeat([node for process in placed.processes for node in process.nodes])


def health_probes(startup_limit_s: int = STARTUP_LIMIT_S) -> dict[str, Probe]:
    """The three probes of a program that keeps contract 1 on its health port."""
    return {
        "startupProbe": _http("/startz", HEALTH, period_s=PERIOD_S, failures=startup_limit_s),
        "readinessProbe": _http("/readyz", HEALTH, period_s=PERIOD_S),
        "livenessProbe": _http("/healthz", HEALTH, period_s=LIVENESS_PERIOD_S),
    }


def ready_and_alive(port: str = HEALTH) -> dict[str, Probe]:
    """Readiness and liveness of a program that serves no /startz: liveness waits a little instead.

    Args:
        port: Name of the port that serves its health.
    """
    alive = {**_http("/healthz", port, period_s=LIVENESS_PERIOD_S), "initialDelaySeconds": LIVENESS_DELAY_S}
    return {"readinessProbe": _http("/readyz", port, period_s=PERIOD_S), "livenessProbe": alive}


def message_files(nodes: Iterable[Node]) -> dict[str, str]:
    """The program that waits for a message, where a node is ready by one."""
    if not any(node.needs.readiness.kind == "message" for node in nodes):
        return {}
    return {MESSAGE_FILE: MESSAGE_PROGRAM.read_text(encoding="utf-8")}


def _own(readiness: Readiness) -> dict[str, Probe]:
    """Probes that one node asks for itself; those of a heartbeat are asked of the whole container."""
    limit_s = readiness.startup_limit_s
    match readiness.kind:
        case "command":
            command = list(readiness.command)
            return {"readinessProbe": _exec(command, period_s=readiness.period_s, timeout_s=TIMEOUT_S)}
        case "http":
            return {
                "startupProbe": _http(readiness.path, readiness.port, period_s=PERIOD_S, failures=limit_s),
                "readinessProbe": _http(readiness.path, readiness.port, period_s=readiness.period_s),
            }
        case "message":
            program = f"{CONFIGURATION_DIRECTORY}/{MESSAGE_FILE}"
            words = ["python3", program, readiness.topic, readiness.message_type, str(MESSAGE_TIMEOUT_S - 2)]
            tries = max(1, -(-limit_s // MESSAGE_TIMEOUT_S))
            return {"startupProbe": _exec(words, period_s=PERIOD_S, timeout_s=MESSAGE_TIMEOUT_S, failures=tries)}
        case _:
            return {}


def _combined(pod: str, slot: str, wanted: Sequence[tuple[str, Probe]]) -> Probe:
    """One probe for all who want it: the same one, or commands one after the other."""
    first = wanted[0][1]
    if all(probe == first for _, probe in wanted):
        return first
    if all("exec" in probe for _, probe in wanted):
        script = " && ".join(shlex.join(probe["exec"]["command"]) for _, probe in wanted)
        longest = {key: max(probe[key] for _, probe in wanted) for key in ("periodSeconds", "failureThreshold")}
        timeout_s = sum(probe["timeoutSeconds"] for _, probe in wanted)
        return {**first, **longest, "timeoutSeconds": timeout_s, "exec": {"command": ["/bin/sh", "-ec", script]}}
    names = ", ".join(name for name, _ in wanted)
    raise Refusal(
        f"pod {pod}: a container has one {slot}, but {names} want different ones. Give their readiness in "
        "ros2bench:spec.application.nodes the same form (heartbeat or command), or place the nodes apart "
        "(pattern: microservices)"
    )


def _some_heartbeat(nodes: Sequence[Node]) -> bool:
    return any(node.needs.readiness.kind == "heartbeat" for node in nodes)


def _http(path: str, port: str | int, *, period_s: int, failures: int = FAILURES) -> Probe:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period_s,
        "timeoutSeconds": TIMEOUT_S,
        "failureThreshold": failures,
    }


def _exec(command: Sequence[str], *, period_s: int, timeout_s: int, failures: int = FAILURES) -> Probe:
    return {
        "exec": {"command": list(command)},
        "periodSeconds": period_s,
        "timeoutSeconds": timeout_s,
        "failureThreshold": failures,
    }
