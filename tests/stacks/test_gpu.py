"""GPUs of a stack: what is refused before anything is deployed, and what is deployed otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from components import guardrails
from components.api_server import ApiServer
from components.gpu.machines import Machine, Taint
from components.gpu.matching import Capability, GpuNeed
from components.image import ThirdPartyImages
from components.refusal import Refusal
from stacks import gpu, program
from stacks.gpu_checks import Demand, check_machines, check_quota, machine_growth, quota_growth
from stacks.reading import KEY, read_spec
from stacks.rendering import manifests
from stacks.spec import StackSpec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.api_server_standin import ApiServerStandIn

GPU = "nvidia.com/gpu"
REFERENCE = f"registry.example/nvidia-device-plugin@{values.DIGEST}"
IMAGES = ThirdPartyImages(path=None, references={"nvidia-device-plugin": REFERENCE})
NONE = ThirdPartyImages(path=None, references={})
PLUGIN = {"devicePlugin": {"enabled": True, "strategy": "tegra"}}


def spec(stack: str, section: dict[str, Any]) -> StackSpec:
    return read_spec(stack, {KEY: {"gpu": section}}, {})


def platform(**section: Any) -> StackSpec:
    return spec("platform", section)


def cluster(*nodes: dict[str, Any], classes: tuple[dict[str, Any], ...] = ()) -> ApiServerStandIn:
    return ApiServerStandIn(
        {"/api/v1/nodes": {"items": list(nodes)}, "/apis/node.k8s.io/v1/runtimeclasses": {"items": list(classes)}}
    )


def node(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": {GPU: "0", "cpu": "2"}}}


def answers(monkeypatch: pytest.MonkeyPatch, api: ApiServerStandIn) -> None:
    """Put a stand-in where the program would connect to the cluster."""

    def connect(context: str, kubeconfigs: Sequence[Path]) -> ApiServer:
        _ = context, kubeconfigs
        return api

    monkeypatch.setattr(program.api_server, "connect", connect)


PRESENT = {"nvidia.com/gpu.present": "true"}
JETSON = node("edge", PRESENT)
PLAIN = node("desk", {})


def test_a_device_plugin_is_planned_for_the_machines_with_a_gpu() -> None:
    found = gpu.plan("platform", platform(**PLUGIN), cluster(JETSON, PLAIN), IMAGES)
    assert found == gpu.GpuPlan(image=REFERENCE, machines=("edge",))


def test_without_a_cluster_nothing_is_asked_and_everything_is_rendered() -> None:
    wanted = platform(**PLUGIN, runtimeClass={"enabled": True})
    assert gpu.plan("platform", wanted, None, IMAGES) == gpu.GpuPlan(image=REFERENCE, makes_runtime_class=True)
    assert gpu.plan("platform", platform(), cluster(), NONE) is None


def test_an_unknown_image_is_refused_before_the_cluster_is_asked() -> None:
    api = cluster(JETSON)
    with pytest.raises(Refusal, match="nvidia-device-plugin"):
        gpu.plan("platform", platform(**PLUGIN), api, NONE)
    assert api.asked == []


def test_machines_without_a_gpu_are_a_refusal_that_names_labels_and_machines() -> None:
    with pytest.raises(Refusal) as refused:
        gpu.plan("platform", platform(**PLUGIN), cluster(PLAIN), IMAGES)
    for words in ("nvidia.com/gpu.present=true", "Machines: desk", "kubectl label node MACHINE", "enabled: false"):
        assert words in str(refused.value)


def test_a_runtime_class_that_does_not_exist_is_refused() -> None:
    wanted = platform(devicePlugin={"enabled": True, "runtimeClass": "nvidia"})
    with pytest.raises(Refusal, match=r"runtimeClass: is nvidia.*RuntimeClasses: runc"):
        gpu.plan("platform", wanted, cluster(JETSON, classes=({"metadata": {"name": "runc"}},)), IMAGES)
    made = platform(devicePlugin={"enabled": True, "runtimeClass": "nvidia"}, runtimeClass={"enabled": True})
    found = gpu.plan("platform", made, cluster(JETSON), IMAGES)
    assert found is not None
    assert found.makes_runtime_class


@pytest.mark.parametrize(("owner", "makes"), [("platform", True), ("other", False), (None, False)])
def test_a_runtime_class_of_somebody_else_is_kept(owner: str | None, makes: bool) -> None:
    labels = {} if owner is None else {"ros2bench/stack": owner}
    api = cluster(classes=({"metadata": {"name": "nvidia", "labels": labels}},))
    found = gpu.plan("platform", platform(runtimeClass={"enabled": True}), api, NONE)
    assert found == gpu.GpuPlan(makes_runtime_class=makes)


@pytest.mark.parametrize(
    ("stack", "section", "said"),
    [
        ("monolithic", PLUGIN, "an experiment sees no machine"),
        ("monolithic", {"runtimeClass": {"enabled": True}}, "an experiment sees no machine"),
        ("platform", {"quota": {GPU: 1}}, "a platform holds no GPU"),
        ("platform", {"devicePlugin": {"machines": []}}, "needs at least one set"),
        ("platform", {"devicePlugin": {"machines": [{}]}}, "needs at least one set"),
        ("platform", {"devicePlugin": {"strategy": "cuda"}}, "devicePlugin.strategy"),
        ("platform", {"devicePlugin": {"sharing": {"replicas": 0}}}, "sharing.replicas"),
        ("monolithic", {"quota": {"gpu": 1}}, "quota"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_with_its_key(stack: str, section: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        spec(stack, section)


def demand(count: int = 1, replicas: int = 1, need: GpuNeed | None = None, resource: str = GPU) -> Demand:
    return Demand(pod="detector", resource=resource, count=count, replicas=replicas, need=need or GpuNeed())


def machine(name: str = "edge", devices: int = 0, labels: dict[str, str] | None = None) -> Machine:
    return Machine(name=name, labels=labels or {}, devices={GPU: devices} if devices else {})


LARGE = {"nvidia.com/gpu.memory": "30697", "nvidia.com/gpu.compute.major": "8", "nvidia.com/gpu.compute.minor": "7"}
SLICED = {"nvidia.com/gpu.sharing-strategy": "time-slicing"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (demand(), [machine(devices=1)]),
        (demand(), [machine("desk"), machine(devices=1)]),
        (demand(need=GpuNeed(memory_mebibytes=16_000)), [machine(devices=1, labels=LARGE)]),
        (demand(replicas=2), [machine("a", 1), machine("b", 1)]),
        (demand(), [machine(devices=4, labels=SLICED)]),
    ],
)
def test_what_a_machine_has_is_accepted(wanted: Demand, found: list[Machine]) -> None:
    assert check_machines([wanted], found) == ()


NEWER = GpuNeed(capability=Capability(major=9, minor=0))
REFUSED: dict[str, tuple[Demand, list[Machine], str]] = {
    "no machine offers it": (demand(), [machine("desk")], r"detector asks for 1 nvidia.com/gpu.*Machines: desk"),
    "no machines at all": (demand(), [], "Machines: none"),
    "more than one machine has": (demand(count=2), [machine(devices=1)], "none has as many: edge 1"),
    "more than all machines have": (demand(replicas=3), [machine(devices=2)], "edge 2.*sharing.replicas"),
    "too little memory": (
        demand(need=GpuNeed(memory_mebibytes=40_000)),
        [machine(devices=1, labels=LARGE)],
        "at least 40000 MiB.*edge has GPUs of 30697 MiB",
    ),
    "too old": (demand(need=NEWER), [machine(devices=1, labels=LARGE)], "compute capability 9.0 or newer.*8.7"),
    "unlabelled": (demand(need=NEWER), [machine(devices=1)], "has no labels nvidia.com/gpu.compute.major"),
    "slices of time": (demand(count=2), [machine(devices=4, labels=SLICED)], "slices of time"),
    "another resource": (demand(resource="amd.com/gpu"), [machine(devices=1)], "amd.com/gpu, which no machine"),
    "a label does not help other resources": (
        demand(resource="amd.com/gpu"),
        [machine(labels=PRESENT)],
        "amd.com/gpu, which no machine",
    ),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_no_machine_has_or_could_have_is_refused(case: str) -> None:
    wanted, found, said = REFUSED[case]
    with pytest.raises(Refusal, match=said):
        check_machines([wanted], found)


def test_a_machine_that_could_have_it_is_waited_for_with_a_warning() -> None:
    (sentence,) = check_machines([demand()], [machine(labels=PRESENT)])
    assert "no machine offers yet" in sentence
    assert "edge would by label" in sentence


def test_more_than_the_quota_is_refused() -> None:
    check_quota([demand(count=2)], {GPU: 2, "amd.com/gpu": 0})
    with pytest.raises(Refusal, match=r"quota.nvidia.com/gpu: is 1.*ask for 2 \(detector 2\)"):
        check_quota([demand(replicas=2)], {GPU: 1})


def test_a_node_says_what_its_gpu_must_be_and_the_pod_demands_it(run: Run) -> None:
    wanted = {"memoryMebibytes": 16_000, "computeCapability": "8.7", "runtimeClass": "nvidia"}
    nodes = {"detector": {"gpu": wanted}}
    deployment = run("microservices", application={"nodes": nodes})
    pod = deployment.one("Deployment", "detector").inputs["spec"]["template"]["spec"]
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert len(terms) == 2
    assert {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["15999"]} in terms[0]["matchExpressions"]
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["containers"][0]["resources"]["limits"][GPU] == "1"
    assert "podAffinity" in pod["affinity"], "the wish to be near the recorder is kept"
    other = deployment.one("Deployment", "camera").inputs["spec"]["template"]["spec"]
    assert "nodeAffinity" not in other.get("affinity", {})
    assert "runtimeClassName" not in other


def offering(name: str = "edge", devices: int = 1, **spec: Any) -> dict[str, Any]:
    """A machine of the cluster whose kubelet has devices."""
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": {GPU: str(devices)}}}


def detector(**node: Any) -> dict[str, Any]:
    return {"nodes": {"detector": {"gpu": {"runtimeClass": "nvidia"}} | node}}


NVIDIA_CLASS = ({"metadata": {"name": "nvidia"}},)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `pulumi up` warns of."""
    said: list[str] = []
    monkeypatch.setattr(gpu.pulumi.log, "warn", said.append)
    return said


def test_a_runtime_class_of_a_pod_that_does_not_exist_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, cluster(offering(), classes=({"metadata": {"name": "runc"}},)))
    said = r"application\.nodes\.detector\.gpu\.runtimeClass: is nvidia.*RuntimeClasses: runc.*pulumi up -s platform"
    with pytest.raises(Refusal, match=said):
        run("microservices", again=True, application=detector())
    own = {"detector": {"runtimeClassName": "gvisor"}}
    with pytest.raises(Refusal, match=r"kubernetes\.detector\.runtimeClassName: is gvisor"):
        run("microservices", again=True, application=detector(), kubernetes=own)


def test_a_runtime_class_that_exists_or_is_made_here_is_accepted(
    run: Run, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    answers(monkeypatch, cluster(offering(), classes=NVIDIA_CLASS))
    assert run("microservices", again=True, application=detector()).of("Deployment")
    answers(monkeypatch, cluster(offering()))
    assert run("dev", again=True, application=detector(), gpu={"runtimeClass": {"enabled": True}}).of("Deployment")
    assert [each for each in warned if "RuntimeClass" in each] == []


def test_who_may_not_list_runtime_classes_is_warned(
    run: Run, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    paths = {"/api/v1/nodes": {"items": [offering()]}, "/apis/node.k8s.io/v1/runtimeclasses": 403}
    answers(monkeypatch, ApiServerStandIn(paths))
    assert run("microservices", again=True, application=detector()).of("Deployment")
    assert any("whether the RuntimeClass nvidia exists" in each for each in warned)


def test_a_pod_with_a_device_tolerates_the_taint_of_its_machines(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    taint = {"key": GPU, "effect": "NoSchedule", "value": "present"}
    answers(monkeypatch, cluster(offering(taints=[taint]), classes=NVIDIA_CLASS))
    deployment = run("microservices", again=True, application=detector())
    pod = deployment.one("Deployment", "detector").inputs["spec"]["template"]["spec"]
    assert pod["tolerations"] == [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    camera = deployment.one("Deployment", "camera").inputs["spec"]["template"]["spec"]
    assert "tolerations" not in camera


AFFINITY = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "room", "operator": "In", "values": ["lab"]}]}]
        }
    }
}
NOT_DEMANDED = "edge is none of those that affinity.nodeAffinity demands"
CLOSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "cordoned": ({"unschedulable": True}, {}, "edge is cordoned"),
    "tainted": ({"taints": [{"key": "edge", "effect": "NoSchedule"}]}, {}, "edge has the taint edge:NoSchedule"),
    "not selected": ({}, {"application": detector(nodeSelector={"room": "lab"})}, "edge has no label room=lab"),
    "of another tier": ({}, {"application": detector(tier="edge")}, "edge has no label ros2bench/tier=edge"),
    "not placed": ({}, {"placement": {"nodeSelector": {"room": "lab"}}}, "edge has no label room=lab"),
    "raw": ({}, {"kubernetes": {"detector": {"nodeSelector": {"room": "lab"}}}}, "edge has no label room=lab"),
    "not demanded": ({}, {"application": detector(affinity=AFFINITY)}, NOT_DEMANDED),
    "not demanded, raw": ({}, {"kubernetes": {"detector": {"affinity": AFFINITY}}}, NOT_DEMANDED),
}


@pytest.mark.parametrize("case", CLOSED, ids=str)
def test_a_machine_that_the_pod_may_not_go_to_does_not_count(
    case: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_spec, changed, said = CLOSED[case]
    answers(monkeypatch, cluster(offering(**machine_spec), PLAIN, classes=NVIDIA_CLASS))
    with pytest.raises(Refusal, match=said):
        run("microservices", again=True, **{"application": detector()} | changed)


def test_devices_of_a_machine_that_is_closed_are_not_added_up() -> None:
    closed = Machine(name="b", devices={GPU: 1}, taints=(Taint(key="edge", effect="NoExecute"),))
    with pytest.raises(Refusal, match="have 1 together"):
        check_machines([demand(replicas=2)], [machine("a", 1), closed])


def test_an_autoscaler_needs_devices_for_its_least_copies_and_is_warned_of_its_most() -> None:
    wanted = Demand(pod="worker", resource=GPU, count=2, replicas=2, need=GpuNeed(), most_replicas=4)
    found = [machine("a", 2), machine("b", 4)]
    assert check_machines([wanted], found) == ()
    (sentence,) = machine_growth([wanted], found)
    assert "ask for 8 nvidia.com/gpu (worker 8)" in sentence
    assert "have 6 together (a 2, b 4)" in sentence
    (sentence,) = quota_growth([wanted], {GPU: 6})
    assert "quota.nvidia.com/gpu: is 6" in sentence
    assert "Set it to 8" in sentence
    assert machine_growth([wanted], [machine("a", 8)]) == quota_growth([wanted], {GPU: 8}) == ()
    assert quota_growth([wanted], {}) == quota_growth([demand(replicas=2)], {GPU: 1}) == ()


def test_the_copies_of_an_autoscaled_node_are_counted(
    run: Run, monkeypatch: pytest.MonkeyPatch, warned: list[str]
) -> None:
    scaled = {"minReplicas": 2, "maxReplicas": 3, "cpuRatio": 0.7}
    application = detector(stateless=True, autoscaling=scaled)
    metrics = {"/apis/metrics.k8s.io/v1beta1": {"resources": []}}
    api = cluster(offering(devices=2), classes=NVIDIA_CLASS)
    answers(monkeypatch, ApiServerStandIn({**api.answers, **metrics}))
    with pytest.raises(Refusal, match="is 1, but the application's pods ask for 2"):
        run("microservices", again=True, application=application, gpu={"quota": {GPU: 1}})
    assert run("microservices", again=True, application=application, gpu={"quota": {GPU: 2}}).of("Deployment")
    assert [each for each in warned if "ask for 3" in each and "quota" in each.split(":")[1]]
    assert [each for each in warned if "have 2 together (edge 2)" in each]


@pytest.mark.parametrize(
    ("sharing", "labels", "warns"),
    [
        ({"replicas": 4}, {}, True),
        ({"replicas": 4}, {"nvidia.com/gpu.sharing-strategy": "time-slicing"}, False),
        ({}, {}, False),
    ],
)
def test_slices_that_no_label_tells_of_are_warned_of(
    sharing: dict[str, Any], labels: dict[str, str], warns: bool, warned: list[str]
) -> None:
    wanted = platform(devicePlugin={"enabled": True, "sharing": sharing})
    gpu.plan("platform", wanted, cluster(node("edge", PRESENT | labels), PLAIN), IMAGES)
    said = "kubectl label node edge nvidia.com/gpu.sharing-strategy=time-slicing"
    assert [said in each for each in warned] == ([True] if warns else [])


def test_memory_is_a_label_of_nvidia_only() -> None:
    nodes = {"detector": {"gpu": {"resource": "amd.com/gpu", "memoryMebibytes": 1}}}
    with pytest.raises(Refusal, match=r"labels of nvidia\.com/gpu, not of amd\.com/gpu"):
        read_spec("monolithic", {KEY: {"application": {"nodes": nodes}}}, {})


def test_an_application_that_no_machine_can_take_is_refused_before_anything_is_registered(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, cluster(PLAIN))
    with pytest.raises(Refusal, match=r"pod perception asks for 3 nvidia.com/gpu, which no machine"):
        run("monolithic", application={"nodes": {"detector": {"gpu": {"count": 3}}}})


def test_who_may_not_list_machines_may_still_deploy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ApiServerStandIn({"/api/v1/nodes": 403}))
    nodes = {"detector": {"gpu": {"count": 4}}}
    assert run("monolithic", application={"nodes": nodes}).of("Deployment")
    with pytest.raises(Refusal, match="quota"):
        run("monolithic", application={"nodes": nodes}, gpu={"quota": {GPU: 3}})


def test_an_experiment_has_its_quota_in_its_namespace(run: Run) -> None:
    deployment = run("monolithic", gpu={"quota": {GPU: 1}})
    (quota,) = deployment.of("ResourceQuota")
    assert quota.inputs["spec"]["hard"] == {"requests.nvidia.com/gpu": "1"}
    assert quota.inputs["metadata"]["namespace"] == "ros2bench-monolithic"
    assert guardrails.violations({"kind": quota.kind, **quota.inputs}) == ()


def test_a_platform_deploys_the_plugin_in_a_closed_namespace_of_its_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, cluster(JETSON))
    wanted = {**PLUGIN, "runtimeClass": {"enabled": True}}
    images = {"checkRegistry": False, "platform": {"nvidia-device-plugin": REFERENCE}}
    deployment = run("platform", gpu=wanted, images=images)
    (plugin,) = [each for each in deployment.of("DaemonSet") if "device-plugin" in each.name]
    assert plugin.inputs["metadata"]["namespace"] == "ros2bench-platform-gpu"
    assert plugin.inputs["spec"]["template"]["spec"]["containers"][0]["image"] == REFERENCE
    inside = [
        each
        for each in deployment.resources
        if each.inputs.get("metadata", {}).get("namespace") == "ros2bench-platform-gpu"
    ]
    assert {each.kind for each in inside} == {"ConfigMap", "DaemonSet", "NetworkPolicy"}
    for each in (*inside, *deployment.of("RuntimeClass")):
        if "apiVersion" in each.inputs:
            assert guardrails.violations({"kind": each.kind, **each.inputs}) == ()
    classes = [each for each in deployment.of("RuntimeClass") if each.type.startswith("kubernetes:")]
    assert [each.inputs["metadata"]["name"] for each in classes] == ["nvidia"]


def test_all_of_it_is_rendered_without_a_cluster() -> None:
    wanted = {**PLUGIN, "runtimeClass": {"enabled": True}}
    images = {"checkRegistry": False, "platform": {"nvidia-device-plugin": REFERENCE}}
    found = manifests("platform", read_spec("platform", {KEY: {"gpu": wanted, "images": images}}, {}))
    kinds = [each["kind"] for each in found]
    assert {"RuntimeClass", "DaemonSet"} <= set(kinds)
    assert guardrails.violations_together(found) == ()
    assert kinds.index("Namespace") < kinds.index("RuntimeClass") < kinds.index("DaemonSet")
