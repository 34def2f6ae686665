"""What every ROS participant of an experiment is told of the network: domain, middleware, transport, discovery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import transport

CONFIGURATION_DIRECTORY = "/etc/ros2bench"
HEALTH_PORT = 8080


@dataclass(frozen=True, kw_only=True)
class Participant:
    """Network settings of one pod; domain, middleware and discovery are equal in all, or nothing is heard.

    At most one of these says how participants meet; with none of them it is multicast:

    - `discovery_server` is `name:port`. `discovery_identity` changes whenever the server is replaced: its participants
      resolve its name only when they start, so they must start again with it.
    - `static_peers` are names and addresses that must exist; `optional_peers` are names that may be unknown yet.
    - `master` is the URI of a ROS 1 master: the pod then holds ROS 1 nodes and nothing of ROS 2.

    `health_port` is where the pod serves its health; on the machine's network each pod has another. `variables` are
    further ones of its environment: what it is part of, and where its traces go.
    """

    domain_id: int
    rmw: str
    socket_buffer_bytes: int
    discovery_server: pulumi.Input[str] | None = None
    discovery_identity: str = ""
    static_peers: tuple[pulumi.Input[str], ...] = ()
    optional_peers: tuple[pulumi.Input[str], ...] = ()
    master: pulumi.Input[str] | None = None
    host_network: bool = False
    health_port: int = HEALTH_PORT
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


def environment(participant: Participant, *, sees_everything: bool = False) -> list[dict[str, Any]]:
    """Environment variables of one container, as Kubernetes wants them.

    Args:
        participant: The pod's network settings.
        sees_everything: Make it a super client, which learns of endpoints that it does not match.
    """
    variables: dict[str, pulumi.Input[str]] = {
        "HOME": "/tmp",  # noqa: S108 - the container's own emptyDir; the root file system is read-only
        "ROS_LOG_DIR": "/tmp/log",  # noqa: S108 - same reason
        **participant.variables,
    }
    if participant.master is not None:
        variables["ROS_MASTER_URI"] = participant.master
        return [*_named(variables), own_address()]
    variables |= {
        "ROS_DOMAIN_ID": str(participant.domain_id),
        "RMW_IMPLEMENTATION": participant.rmw,
        "FASTRTPS_DEFAULT_PROFILES_FILE": f"{CONFIGURATION_DIRECTORY}/{transport.PROFILES_FILE_NAME}",
        # Never LOCALHOST: rmw_fastrtps then adds its own transports, shared memory among them, to the profile's.
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET",
    }
    if participant.discovery_server is not None:
        variables["ROS_DISCOVERY_SERVER"] = participant.discovery_server
        variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SYSTEM_DEFAULT"
        if sees_everything:
            variables["ROS_SUPER_CLIENT"] = "TRUE"
    if participant.static_peers:
        variables["ROS_STATIC_PEERS"] = _listed(participant.static_peers)
    if participant.optional_peers:
        variables["ROS2BENCH_OPTIONAL_PEERS"] = _listed(participant.optional_peers)
    return _named(variables)


def own_address() -> dict[str, Any]:
    """The pod's own address, which a ROS 1 node tells to others; its host name is known to nobody."""
    return {"name": "ROS_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def annotations(participant: Participant) -> dict[str, str]:
    """Annotations of a participant's pods, which replace them when the discovery server is replaced."""
    identity = participant.discovery_identity
    return {"ros2bench/discovery-server": identity} if identity else {}


def profile_file(participant: Participant) -> dict[str, str]:
    """The transport profile as an entry of a ConfigMap; ROS 1 has none."""
    if participant.master is not None:
        return {}
    profile = transport.fastdds_profile(
        participant.socket_buffer_bytes, unicast_only=bool(participant.static_peers or participant.optional_peers)
    )
    return {transport.PROFILES_FILE_NAME: profile}


def pod_network(participant: Participant) -> dict[str, Any]:
    """What a pod's specification says of its network; the name server of the cluster is asked in both modes."""
    if not participant.host_network:
        return {}
    return {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}


def _named(variables: dict[str, pulumi.Input[str]]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in variables.items()]


def _listed(names: tuple[pulumi.Input[str], ...]) -> pulumi.Input[str]:
    """A list as ROS reads it; plain text where every name is known already."""
    plain = [name for name in names if isinstance(name, str)]
    if len(plain) == len(names):
        return ";".join(plain)
    return pulumi.Output.all(*names).apply(lambda known: ";".join(str(name) for name in known))
