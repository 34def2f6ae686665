"""The ROS 1 master is a hardened pod like any other, ready when its port is open."""

from components.graph import Resources
from components.master import master_container
from components.participant import Participant
from tests.support import values

ALONE = Participant(domain_id=0, rmw="rmw_fastrtps_cpp", socket_buffer_bytes=4096)
RESOURCES = Resources(cpu_request_millicores=1, memory_request_mebibytes=1, memory_limit_mebibytes=1)


def test_the_master_runs_roscore_on_the_port_that_its_nodes_are_told() -> None:
    rendered = master_container(f"registry.example/ros1@{values.DIGEST}", ALONE, RESOURCES)
    assert rendered["args"] == ["roscore", "--port", "11311"]
    assert rendered["ports"] == [{"name": "master", "containerPort": 11311, "protocol": "TCP"}]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert rendered[probe]["tcpSocket"] == {"port": "master"}
    assert not {each["name"] for each in rendered["env"]} & {"RMW_IMPLEMENTATION", "ROS_DOMAIN_ID"}
