"""What every DDS participant of an experiment shares: domain, middleware, transport profile, discovery."""

from dataclasses import dataclass
from typing import Any

import pulumi

from components import transport

CONFIGURATION_DIRECTORY = "/etc/ros2bench"


@dataclass(frozen=True, kw_only=True)
class Participant:
    """Network settings of application and recorder; they must be equal on both sides or nothing is heard.

    `discovery_server` is `name:port`; none means multicast. `discovery_identity` changes whenever the server is
    replaced: its participants resolve its name only when they start, so they must start again with it.
    """

    domain_id: int
    rmw: str
    socket_buffer_bytes: int
    discovery_server: pulumi.Input[str] | None = None
    discovery_identity: str = ""


def environment(participant: Participant, *, sees_everything: bool = False) -> list[dict[str, Any]]:
    """Environment variables of one container, as Kubernetes wants them.

    Args:
        participant: The experiment's network settings.
        sees_everything: Make it a super client, which learns of endpoints that it does not match.
    """
    variables: dict[str, pulumi.Input[str]] = {
        "HOME": "/tmp",  # noqa: S108 - the container's own emptyDir; the root file system is read-only
        "ROS_LOG_DIR": "/tmp/log",  # noqa: S108 - same reason
        "ROS_DOMAIN_ID": str(participant.domain_id),
        "RMW_IMPLEMENTATION": participant.rmw,
        "FASTRTPS_DEFAULT_PROFILES_FILE": f"{CONFIGURATION_DIRECTORY}/{transport.PROFILES_FILE_NAME}",
    }
    if participant.discovery_server is not None:
        variables["ROS_DISCOVERY_SERVER"] = participant.discovery_server
        if sees_everything:
            variables["ROS_SUPER_CLIENT"] = "TRUE"
    return [{"name": name, "value": value} for name, value in variables.items()]


def annotations(participant: Participant) -> dict[str, str]:
    """Annotations of a participant's pods, which replace them when the discovery server is replaced."""
    identity = participant.discovery_identity
    return {"ros2bench/discovery-server": identity} if identity else {}


def profile_file(participant: Participant) -> dict[str, str]:
    """The transport profile as an entry of a ConfigMap."""
    return {transport.PROFILES_FILE_NAME: transport.fastdds_profile(participant.socket_buffer_bytes)}
