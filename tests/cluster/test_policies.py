"""What the NetworkPolicies mean, evaluated by a program that is not ours; and the policy pack in its own SDK.

Needs no lab and no root: Go and a package registry, once. The network of the lab does not enforce NetworkPolicies,
so cyclonus, a tool of the community's for testing network plug-ins, says here what one that does would do.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components import labels
from components.needs import Port
from components.policies import Openings, policy_manifest, policy_specs
from lab.commands import run
from lab.folders import lab_folders
from lab.toolchain.gobuild import build_environment, find_go
from lab.toolchain.pins import load_pins
from stacks.reading import KEY, read_spec
from stacks.rendering import manifests
from tests.support.platform_images import platform_lock

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
MODULE = Path(__file__).with_name("cyclonus")
PROGRAM = "github.com/mattfenwick/cyclonus/cmd/cyclonus"
VERDICT = re.compile(r"is allowed\?\s*\|\s*(true|false)", re.IGNORECASE)

STACK, NAMESPACE = "s", "ros2bench-s"
OURS = {"app.kubernetes.io/part-of": labels.PART_OF, "kubernetes.io/metadata.name": NAMESPACE}
WEB = (
    Port(name="http", port=8000, expose="cluster"),
    Port(name="video", port=8001, expose="load-balancer"),
    Port(name="debug", port=9000, expose="pod"),
    Port(name="metrics", port=9200, expose="pod"),
)
SCENARIOS: Mapping[str, Openings] = {
    "server": Openings(domain_id=42, discovery_server=True),
    "multicast": Openings(domain_id=42, multicast=True),
    "static-peers": Openings(domain_id=42),
    "domain 0": Openings(domain_id=0),
    "domain 101": Openings(domain_id=101),
    "master": Openings(domain_id=None, master=True),
    "ports": Openings(domain_id=42, ports={"web": WEB}),
}
OWN = "platform"
"""Scenario of the platform's own namespace, whose policies are those of a rendered stack."""
OF_PLATFORM = {"app.kubernetes.io/part-of": labels.PART_OF, "kubernetes.io/metadata.name": "ros2bench-platform"}


def pod(name: str, component: str = "application") -> dict[str, Any]:
    """One pod of the experiment."""
    return inside(NAMESPACE, OURS, labels.labels(STACK, name=name, component=component))


def program(component: str) -> dict[str, Any]:
    """A program of the platform."""
    return inside("ros2bench-platform", OF_PLATFORM, labels.labels("platform", name=component, component=component))


def inside(namespace: str, of_namespace: Mapping[str, str], of_pod: Mapping[str, str]) -> dict[str, Any]:
    """A pod of the cluster."""
    internal = {"Namespace": namespace, "NamespaceLabels": dict(of_namespace), "PodLabels": dict(of_pod)}
    return {"Internal": internal, "IP": "10.0.0.1"}


def outside(address: str) -> dict[str, Any]:
    """Something that is no pod."""
    return {"Internal": None, "IP": address}


PEERS: Mapping[str, Mapping[str, Any]] = {
    "camera": pod("camera"),
    "detector": pod("detector"),
    "web": pod("web"),
    "recorder": pod("recorder", "recorder"),
    "discovery": pod("discovery", "discovery"),
    "master": pod("master", "master"),
    **{
        name: program(name)
        for name in ("prometheus", "alertmanager", "grafana", "kube-state-metrics", "node-exporter", "metrics-server")
    },
    "scraper": inside("monitoring", {"kubernetes.io/metadata.name": "monitoring", labels.SCRAPER: "yes"}, {}),
    "machine": outside("192.0.2.7"),
    "other experiment": inside(
        "ros2bench-other",
        OURS | {"kubernetes.io/metadata.name": "ros2bench-other"},
        labels.labels("other", name="camera", component="application"),
    ),
    "stranger": inside("default", {"kubernetes.io/metadata.name": "default"}, {"app": "x"}),
    "name server": inside("kube-system", {"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"}),
    "node-local name server": outside("169.254.20.10"),
    "internet": outside("203.0.113.9"),
    "multicast group": outside("239.255.0.1"),
    "other group": outside("224.0.0.251"),
}


@dataclass(frozen=True)
class Pair:
    """One question: may this pass?"""

    scenario: str
    source: str
    destination: str
    protocol: str
    port: int
    allowed: bool

    def __str__(self) -> str:
        """Name of the test."""
        verb = "may" if self.allowed else "may not"
        return f"{self.scenario}: {self.source} {verb} reach {self.destination} on {self.protocol} {self.port}"

    def as_traffic(self) -> dict[str, Any]:
        """The question as cyclonus reads it."""
        return {
            "Source": PEERS[self.source],
            "Destination": PEERS[self.destination],
            "ResolvedPort": self.port,
            "ResolvedPortName": "",
            "Protocol": self.protocol,
        }


def pairs(scenario: str, source: str, destination: str, protocol: str, *, yes: str = "", no: str = "") -> list[Pair]:
    """Questions about several ports."""
    return [
        Pair(scenario, source, destination, protocol, int(port), allowed)
        for ports, allowed in ((yes, True), (no, False))
        for port in ports.split()
    ]


PAIRS = [
    *pairs("server", "camera", "recorder", "UDP", yes="17900 17910 17911 18149 7000 7001 7399", no="17899 18150 6999"),
    *pairs("server", "recorder", "camera", "UDP", yes="17911", no="11811"),
    *pairs("server", "camera", "recorder", "TCP", no="17911 8080 22"),
    *pairs("server", "camera", "discovery", "UDP", yes="11811 17911"),
    *pairs("server", "discovery", "camera", "UDP", yes="17910", no="11811"),
    *pairs("server", "camera", "name server", "UDP", yes="53", no="17911"),
    *pairs("server", "camera", "name server", "TCP", yes="53", no="443"),
    *pairs("server", "camera", "node-local name server", "UDP", yes="53", no="54"),
    *pairs("server", "camera", "stranger", "UDP", no="53 17911"),
    *pairs("server", "camera", "internet", "TCP", no="443 80"),
    *pairs("server", "camera", "internet", "UDP", no="53 17911"),
    *pairs("server", "camera", "multicast group", "UDP", no="17900"),
    *pairs("server", "other experiment", "camera", "UDP", no="17911 7001"),
    *pairs("server", "camera", "other experiment", "UDP", no="17911 7001"),
    *pairs("server", "other experiment", "discovery", "UDP", no="11811"),
    *pairs("server", "stranger", "camera", "UDP", no="17911 7001"),
    *pairs("server", "internet", "camera", "UDP", no="17911"),
    *pairs("server", "prometheus", "recorder", "TCP", yes="8080", no="22"),
    *pairs("server", "prometheus", "camera", "TCP", no="8080"),
    *pairs("server", "scraper", "recorder", "TCP", yes="8080", no="22"),
    *pairs("server", "grafana", "recorder", "TCP", no="8080"),
    *pairs("server", "other experiment", "recorder", "TCP", no="8080"),
    *pairs("server", "stranger", "recorder", "TCP", no="8080"),
    *pairs("multicast", "camera", "multicast group", "UDP", yes="17900 17901", no="5353"),
    *pairs("multicast", "camera", "other group", "UDP", no="17900 5353"),
    *pairs("multicast", "camera", "recorder", "UDP", yes="17911 7001", no="11811"),
    *pairs("static-peers", "camera", "recorder", "UDP", yes="17910 17972 7001", no="11811"),
    *pairs("static-peers", "camera", "multicast group", "UDP", no="17900"),
    *pairs("domain 0", "camera", "recorder", "UDP", yes="7400 7649 7001", no="7650 17911"),
    *pairs("domain 101", "camera", "recorder", "UDP", yes="32650 32899", no="32649 32900"),
    *pairs("master", "camera", "master", "TCP", yes="11311 40000", no="22"),
    *pairs("master", "camera", "detector", "TCP", yes="32768 60999", no="11311 8080 1024"),
    *pairs("master", "camera", "detector", "UDP", no="17911 7001"),
    *pairs("master", "stranger", "master", "TCP", no="11311 40000"),
    *pairs("ports", "camera", "web", "TCP", yes="8000 8001", no="9000 8002"),
    *pairs("ports", "camera", "detector", "TCP", no="8000"),
    *pairs("ports", "stranger", "web", "TCP", yes="8000 8001", no="9000"),
    *pairs("ports", "internet", "web", "TCP", yes="8001", no="8000 9000"),
    *pairs("ports", "web", "camera", "UDP", yes="17911"),
    *pairs("ports", "prometheus", "web", "TCP", yes="9200", no="9000"),
    *pairs("ports", "scraper", "web", "TCP", yes="9200"),
    *pairs("ports", "camera", "web", "TCP", no="9200"),
    *pairs("ports", "stranger", "web", "TCP", no="9200"),
    *pairs(OWN, "prometheus", "recorder", "TCP", yes="8080"),
    *pairs(OWN, "prometheus", "alertmanager", "TCP", yes="9093", no="9094"),
    *pairs(OWN, "prometheus", "kube-state-metrics", "TCP", yes="8080", no="8081"),
    *pairs(OWN, "prometheus", "node-exporter", "TCP", yes="9100"),
    *pairs(OWN, "prometheus", "machine", "TCP", yes="443 6443", no="80 10250"),
    *pairs(OWN, "prometheus", "stranger", "TCP", no="8080"),
    *pairs(OWN, "prometheus", "name server", "UDP", yes="53"),
    *pairs(OWN, "grafana", "prometheus", "TCP", yes="9090", no="22"),
    *pairs(OWN, "grafana", "internet", "TCP", no="443"),
    *pairs(OWN, "alertmanager", "internet", "TCP", yes="8443", no="443"),
    *pairs(OWN, "alertmanager", "prometheus", "TCP", no="9090"),
    *pairs(OWN, "kube-state-metrics", "machine", "TCP", yes="6443", no="10250"),
    *pairs(OWN, "node-exporter", "internet", "TCP", no="443"),
    *pairs(OWN, "scraper", "node-exporter", "TCP", yes="9100"),
    *pairs(OWN, "scraper", "kube-state-metrics", "TCP", yes="8080"),
    *pairs(OWN, "scraper", "prometheus", "TCP", no="9090"),
    *pairs(OWN, "stranger", "prometheus", "TCP", no="9090"),
    *pairs(OWN, "stranger", "alertmanager", "TCP", no="9093"),
    *pairs(OWN, "stranger", "grafana", "TCP", no="3000"),
    *pairs(OWN, "camera", "prometheus", "TCP", no="9090"),
]


@pytest.fixture(scope="session")
def cyclonus() -> Path:
    """The evaluator, built from its Go modules as the lab builds its programs; kept in the tools' cache."""
    folders = lab_folders("policies")
    found = re.search(r"cyclonus v(\S+)", (MODULE / "go.mod").read_text())
    assert found
    program = folders.tools / "cyclonus" / found[1] / "cyclonus"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        partial = program.with_suffix(".partial")
        go = find_go(load_pins(), folders, print)
        run(
            [go, "build", "-mod=readonly", "-ldflags", "-s -w", "-o", partial, PROGRAM],
            doing="Building cyclonus",
            environment=build_environment(folders),
            folder=MODULE,
        )
        partial.rename(program)
    return program


def platform_policies(folder: Path) -> dict[str, Any]:
    """NetworkPolicies of the platform's own namespace by name, as its stack renders them."""
    receivers = [{"name": "pager", "url": "https://hook.example:8443/x"}]
    wanted = {"mode": "builtin", "alerts": {"receivers": receivers}}
    document = {"observability": wanted, "images": {"platformLock": str(platform_lock(folder))}}
    rendered = manifests("platform", read_spec("platform", {KEY: document}, {}))
    return {each["metadata"]["name"]: each for each in rendered if each["kind"] == "NetworkPolicy"}


def experiment_policies(openings: Openings) -> dict[str, Any]:
    """NetworkPolicies of an experiment by name."""
    return {
        name: policy_manifest({"name": name, "namespace": NAMESPACE}, spec)
        for name, spec in policy_specs(STACK, openings).items()
    }


@pytest.fixture(scope="session")
def verdicts(cyclonus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Pair, bool]:
    """What cyclonus answers to every pair, asked once for each scenario."""
    answers: dict[Pair, bool] = {}
    rendered = {scenario: experiment_policies(openings) for scenario, openings in SCENARIOS.items()}
    rendered[OWN] = platform_policies(tmp_path_factory.mktemp("lock"))
    for scenario, policies in rendered.items():
        folder = tmp_path_factory.mktemp("policies")
        for name, policy in policies.items():
            (folder / f"{name}.yaml").write_text(json.dumps(policy))
        asked = [pair for pair in PAIRS if pair.scenario == scenario]
        traffic = tmp_path_factory.mktemp("traffic") / "traffic.json"
        traffic.write_text(json.dumps([pair.as_traffic() for pair in asked]))
        said = run(
            [cyclonus, "analyze", "--mode", "query-traffic", "--policy-path", folder, "--traffic-path", traffic],
            doing="Asking cyclonus",
        )
        found = VERDICT.findall(said)
        assert len(found) == len(asked), said
        answers |= {pair: answer.lower() == "true" for pair, answer in zip(asked, found, strict=True)}
    return answers


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_what_may_pass_and_what_may_not(pair: Pair, verdicts: dict[Pair, bool]) -> None:
    assert verdicts[pair] == pair.allowed


DRIVER = """
import json, subprocess, sys
import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as messages, analyzer_pb2_grpc as services

pack = subprocess.Popen(
    [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", sys.argv[1]], stdout=subprocess.PIPE, text=True
)
try:
    analyzer = services.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{pack.stdout.readline().strip()}"))
    policies = [policy.name for policy in analyzer.GetAnalyzerInfo(empty_pb2.Empty()).policies]
    said = []
    for kind, inputs in json.load(sys.stdin):
        properties = struct_pb2.Struct()
        properties.update(inputs)
        answer = analyzer.Analyze(messages.AnalyzeRequest(
            type=kind, properties=properties, urn=f"urn:pulumi:s::p::{kind}::x", name="x",
            options=messages.AnalyzerResourceOptions(), provider=messages.AnalyzerProviderResource(),
        ))
        said.append([found.message for found in answer.diagnostics])
    print(json.dumps({"policies": policies, "said": said}))
finally:
    pack.kill()
    pack.wait()
"""


@pytest.fixture(scope="session")
def policy_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy pack's own Python environment, from its lock."""
    home = tmp_path_factory.mktemp("policy") / "venv"
    uv = Path(sys.executable).with_name("uv")
    run([uv, "venv", "--quiet", "--python", sys.executable, home], doing="Making an environment")
    python = home / "bin" / "python"
    lock = ROOT / "policy" / "requirements.txt"
    run([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock], doing="Getting the policy SDK")
    return python


def test_the_policy_pack_runs_in_its_own_sdk(policy_python: Path) -> None:
    """As the engine would: the SDK's own server is started, and asked over its own protocol."""
    found = labels.common("s")
    asked = [
        ("kubernetes:core/v1:ConfigMap", {"metadata": {"labels": found}, "data": {"rate": "10"}}),
        (
            "kubernetes:core/v1:Service",
            {"metadata": {"labels": found}, "spec": {"ports": [{"port": 11811, "protocol": "UDP"}]}},
        ),
        ("kubernetes:core/v1:ConfigMap", {"metadata": {}, "data": {"password": "hunter2"}}),
    ]
    done = subprocess.run(
        [policy_python, "-c", DRIVER, ROOT / "policy"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["policies"] == ["guardrails", "guardrails-together"]
    clean, translating, unlabelled = answer["said"]
    assert clean == []
    assert any("untranslated_discovery: port 11811" in sentence for sentence in translating)
    assert any("no_secret_in_plain_config: data password" in sentence for sentence in unlabelled)
    assert any("labelled: has no label ros2bench/stack" in sentence for sentence in unlabelled)
