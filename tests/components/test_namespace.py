"""The network of an experiment is closed but for what it needs."""

from hypothesis import given
from hypothesis import strategies as st

from components.namespace import policy_specs


@given(domain_id=st.integers(min_value=0, max_value=101))
def test_the_ports_of_the_domain_are_open_and_no_others(domain_id: int) -> None:
    ports = policy_specs("s", domain_id=domain_id, multicast=False)["allow-dds"]["ingress"][0]["ports"]
    first = 7400 + 250 * domain_id
    assert ports == [
        {"protocol": "UDP", "port": first, "endPort": first + 249},
        {"protocol": "UDP", "port": 11811},
    ]
    assert first + 249 < 65536


def test_everything_else_is_denied_both_ways() -> None:
    assert policy_specs("s", domain_id=0, multicast=False)["default-deny"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_multicast_groups_are_reachable_only_where_discovery_needs_them() -> None:
    block = {"ipBlock": {"cidr": "239.255.0.1/32"}}
    closed = policy_specs("s", domain_id=0, multicast=False)["allow-dds"]["egress"][0]["to"]
    opened = policy_specs("s", domain_id=0, multicast=True)["allow-dds"]["egress"][0]["to"]
    assert block not in closed
    assert block in opened


def test_the_recorder_is_reachable_from_our_own_namespaces_only() -> None:
    (rule,) = policy_specs("s", domain_id=0, multicast=False)["allow-probes"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"app.kubernetes.io/part-of": "ros2bench"}}}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]
