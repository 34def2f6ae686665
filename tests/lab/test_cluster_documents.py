"""What the lab tells kubeadm, containerd and the API server."""

import tomllib
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import addons, kubernetes, system_images
from lab.certificates import make_authority
from lab.folders import LabFolders
from lab.network import LabNetwork
from lab.toolchain.pins import load_pins

NETWORK = LabNetwork(IPv4Network("198.51.100.0/24"))
VERSIONS = {name: tool.version for name, tool in load_pins().tools.items()}


@pytest.fixture
def folders(tmp_path: Path) -> LabFolders:
    return LabFolders(name="t", data=tmp_path / "data", cache=tmp_path / "cache")


def configuration() -> list[dict[str, Any]]:
    text = kubernetes.cluster_configuration(
        NETWORK, version="1.34.1", coredns="1.14.7", cores=2, memory_bytes=8_000_000_000, lab="t"
    )
    return list(yaml.safe_load_all(text))


def test_two_machines_do_not_promise_the_computer_twice() -> None:
    kubelet = configuration()[2]
    assert kubelet["systemReserved"] == {"cpu": "1000m", "memory": "4000000000"}


def test_image_volumes_are_on_in_api_server_and_kubelet() -> None:
    _, cluster, kubelet = configuration()
    assert {"name": "feature-gates", "value": "ImageVolume=true"} in cluster["apiServer"]["extraArgs"]
    assert kubelet["featureGates"]["ImageVolume"] is True


def test_control_plane_images_are_named_as_kubeadm_asks_for_them() -> None:
    tools = dict.fromkeys(VERSIONS, Path("/tools"))
    names = {f"{image.name}:{image.tag}" for image in system_images.system_images(VERSIONS, tools)}
    assert {"kube-apiserver:v1.34.1", "etcd:3.6.4-0", "coredns:v1.14.7", "pause:3.10.1"} <= names


def test_pods_keep_their_own_addresses() -> None:
    bridge = yaml.safe_load(kubernetes.cni_configuration(NETWORK, "edge"))["plugins"][0]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]


def test_containerd_configuration_is_valid_and_pins_the_pause_image() -> None:
    document = tomllib.loads(kubernetes.containerd_configuration("registry/pause:3.10.1"))
    images = document["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"] == {"sandbox": "registry/pause:3.10.1"}


def test_registry_is_checked_by_its_authority(folders: LabFolders) -> None:
    tools = dict.fromkeys(VERSIONS, Path("/tools"))
    spec = kubernetes.machine_spec(folders, NETWORK, "cloud", tools=tools, pause_image="p")
    hosts = spec.files["/etc/containerd/certs.d/198.51.100.2:5000/hosts.toml"]
    assert "ca = " in hosts
    assert "skip_verify" not in hosts


def test_every_setting_that_the_kubelet_writes_globally_is_covered(folders: LabFolders) -> None:
    tools = dict.fromkeys(VERSIONS, Path("/tools"))
    spec = kubernetes.machine_spec(folders, NETWORK, "edge", tools=tools, pause_image="p")
    # kubelet setupKernelTunables, pkg/kubelet/cm/container_manager_linux.go
    written = {"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"}
    written |= {"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"}
    assert {f"/proc/sys/{key}" for key in written} <= set(spec.files)


def values(document: Any, key: str) -> Iterator[Any]:
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from values(value, key)


def test_addons_check_certificates_and_run_restricted(folders: LabFolders) -> None:
    folders.keys.mkdir(parents=True)
    documents = list(yaml.safe_load_all(addons.manifests("registry/kubernetes", VERSIONS, make_authority(folders))))
    assert not list(values(documents, "insecureSkipTLSVerify"))
    assert not any("insecure" in argument for arguments in values(documents, "args") for argument in arguments)
    assert list(values(documents, "caBundle"))
    images = list(values(documents, "image"))
    assert images
    assert all(image.startswith("registry/kubernetes/") and not image.endswith(":latest") for image in images)
    deployments = [d for d in documents if d["kind"] == "Deployment"]
    assert len(deployments) == 2
    for context in values(deployments, "securityContext"):
        assert context["readOnlyRootFilesystem"]
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_default_storage_class_exists(folders: LabFolders) -> None:
    folders.keys.mkdir(parents=True)
    documents = list(yaml.safe_load_all(addons.manifests("r", VERSIONS, make_authority(folders))))
    classes = [d for d in documents if d["kind"] == "StorageClass"]
    assert [c["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] for c in classes] == ["true"]
