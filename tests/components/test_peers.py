"""Names of pods: headless, known before the pod is ready, and every pod is told all others."""

from hypothesis import given
from hypothesis import strategies as st

from components import guardrails, labels
from components.peers import peers_of, service_manifest

NAMES = st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=1, max_size=8, unique=True)


def test_a_name_translates_nothing_and_is_not_waited_for() -> None:
    metadata = {"labels": labels.labels("s", name="camera", component="network")}
    service = service_manifest(metadata, {"app": "camera"})
    assert service["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"app": "camera"},
    }
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert guardrails.violations(service) == ()


@given(names=NAMES)
def test_any_two_pods_know_each_other_and_none_waits_for_itself(names: list[str]) -> None:
    services = {name: f"{name}-1a2b" for name in names}
    peers = {name: peers_of(name, services, others=names) for name in names}
    for name in names:
        assert peers[name][0] == "127.0.0.1"
        assert set(peers[name][1:]) == {services[other] for other in names if other != name}
