"""The provisioner's helper pod, which makes the folder of a volume, can start."""

from pathlib import Path

import yaml

from lab import addons
from lab.system_images import system_images

PROGRAM = "local-path-provisioner"


def test_the_helper_pod_runs_as_the_provisioners_own_account() -> None:
    found = addons.storage("registry.example/kubernetes", "1")
    (deployment,) = [manifest for manifest in found if manifest["kind"] == "Deployment"]
    (account,) = [manifest for manifest in found if manifest["kind"] == "ServiceAccount"]
    variables = {v["name"]: v.get("value") for v in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["SERVICE_ACCOUNT_NAME"] == account["metadata"]["name"]


def test_the_helper_pods_image_has_the_shell_that_the_provisioner_calls() -> None:
    (configuration,) = [m for m in addons.storage("registry.example/kubernetes", "1") if m["kind"] == "ConfigMap"]
    (container,) = yaml.safe_load(configuration["data"]["helperPod.yaml"])["spec"]["containers"]
    tools: dict[str, Path] = dict.fromkeys(("kubernetes", "etcd", "coredns", "metrics-server", PROGRAM), Path("/tools"))
    (shell,) = [image for image in system_images(dict.fromkeys(tools, "1"), tools) if image.name == "shell"]
    assert container["image"] == f"registry.example/kubernetes/{shell.name}:{shell.tag}"
    assert f"{shell.folder}/{shell.program_name}" == "/bin/sh"
