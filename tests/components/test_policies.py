"""The network of an experiment is closed but for what it needs; tests/cluster evaluates what the policies mean."""

from hypothesis import given
from hypothesis import strategies as st

from components.needs import Port
from components.policies import Openings, dds_ports, policy_specs


@given(domain_id=st.integers(min_value=0, max_value=101))
def test_the_ports_of_the_domain_are_open_and_no_others(domain_id: int) -> None:
    ports = policy_specs("s", Openings(domain_id=domain_id))["allow-dds"]["ingress"][0]["ports"]
    first = 7400 + 250 * domain_id
    assert ports == [
        {"protocol": "UDP", "port": first, "endPort": first + 249},
        {"protocol": "UDP", "port": 7000, "endPort": 7399},
    ]
    assert dds_ports(domain_id)[1] < 65536


def test_everything_else_is_denied_both_ways() -> None:
    assert policy_specs("s", Openings(domain_id=None))["default-deny"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_nothing_is_opened_for_what_is_not_there() -> None:
    base = {"default-deny", "allow-name-look-ups", "allow-probes"}
    assert set(policy_specs("s", Openings(domain_id=None))) == base
    assert set(policy_specs("s", Openings(domain_id=1))) == base | {"allow-dds"}
    served = {"allow-dds", "allow-discovery", "allow-discovery-use"}
    assert set(policy_specs("s", Openings(domain_id=1, discovery_server=True))) == base | served
    ros1 = {"allow-master", "allow-master-use", "allow-ros1"}
    assert set(policy_specs("s", Openings(domain_id=None, master=True))) == base | ros1


def test_multicast_groups_are_reachable_only_where_discovery_needs_them() -> None:
    block = {"ipBlock": {"cidr": "239.255.0.1/32"}}
    closed = policy_specs("s", Openings(domain_id=0))["allow-dds"]["egress"][0]["to"]
    opened = policy_specs("s", Openings(domain_id=0, multicast=True))["allow-dds"]["egress"][0]["to"]
    assert block not in closed
    assert block in opened


def test_the_recorder_is_read_by_our_own_prometheus_and_by_whom_a_label_lets_in() -> None:
    (rule,) = policy_specs("s", Openings(domain_id=0))["allow-probes"]["ingress"]
    assert rule["from"] == [
        {
            "namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "ros2bench"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "prometheus"}},
        },
        {"namespaceSelector": {"matchLabels": {"ros2bench/scraper": "yes"}}},
    ]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_a_port_for_metrics_is_open_to_who_reads_metrics_and_to_nobody_else() -> None:
    ports = {"web": (Port(name="metrics", port=9000, expose="pod"), Port(name="debug", port=9001, expose="pod"))}
    opened = policy_specs("s", Openings(domain_id=0, ports=ports))
    assert set(opened) - set(policy_specs("s", Openings(domain_id=0))) == {"allow-metrics-web"}
    (rule,) = opened["allow-metrics-web"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 9000}]
    assert rule["from"] == policy_specs("s", Openings(domain_id=0))["allow-probes"]["ingress"][0]["from"]


def test_a_port_for_the_pod_alone_opens_nothing() -> None:
    closed = Openings(domain_id=0, ports={"web": (Port(name="debug", port=9000, expose="pod"),), "other": ()})
    assert policy_specs("s", closed) == policy_specs("s", Openings(domain_id=0))


def test_a_declared_port_is_open_to_those_whom_the_stack_file_names() -> None:
    ports = (Port(name="http", port=8000, expose="cluster"), Port(name="video", port=8001, expose="load-balancer"))
    specs = policy_specs("s", Openings(domain_id=0, ports={"web": ports}))
    assert specs["allow-ports-web"]["ingress"] == [
        {"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 8000}]},
        {"ports": [{"protocol": "TCP", "port": 8001}]},
    ]
    (way_out,) = specs["allow-ports-web-use"]["egress"]
    assert way_out["to"] == [{"podSelector": specs["allow-ports-web"]["podSelector"]}]
