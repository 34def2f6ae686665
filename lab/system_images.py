"""Images of the cluster's own programs: one binary on nothing, pushed at the tag that kubeadm asks for."""

import os
import shutil
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from lab.commands import run
from lab.folders import LabFolders

CONTAINERFILE = "FROM scratch\nCOPY program {folder}/{name}\nENV PATH={folder}\nENTRYPOINT {entrypoint}\n"
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class SystemImage:
    """One program as an image."""

    name: str
    tag: str
    program: Path
    program_name: str
    entrypoint: str
    folder: str = "/usr/local/bin"


def system_images(versions: Mapping[str, str], tools: Mapping[str, Path]) -> list[SystemImage]:
    """Return the control plane's and the add-ons' images, named as kubeadm names them."""
    kubernetes = versions["kubernetes"]
    control_plane = [
        SystemImage(name, f"v{kubernetes}", tools["kubernetes"] / name, name, f'["{name}"]')
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    return [
        *control_plane,
        SystemImage("etcd", f"{versions['etcd']}-0", tools["etcd"] / "etcd", "etcd", '["etcd"]'),
        SystemImage("coredns", f"v{versions['coredns']}", tools["coredns"] / "coredns", "coredns", '["coredns"]'),
        # catatonit -P waits and reaps, which is all that a pod's first process does.
        SystemImage("pause", "3.10.1", Path("/usr/bin/catatonit"), "pause", '["pause", "-P"]'),
        SystemImage(
            "metrics-server",
            f"v{versions['metrics-server']}",
            tools["metrics-server"] / "metrics-server",
            "metrics-server",
            '["metrics-server"]',
        ),
        SystemImage(
            "local-path-provisioner",
            f"v{versions['local-path-provisioner']}",
            tools["local-path-provisioner"] / "local-path-provisioner",
            "local-path-provisioner",
            '["local-path-provisioner"]',
        ),
        # The provisioner's helper pod runs /bin/sh with a script; as `sh`, busybox runs its own applets for the rest.
        SystemImage("shell", "2", Path("/bin/busybox"), "sh", '["sh"]', "/bin"),
    ]


def scratch_folder(folders: LabFolders) -> Path:
    """Where images are made; whatever an interrupted start leaves in it is removed by the next step."""
    return folders.root / "scratch"


def buildah(scratch: Path, *words: str | Path, doing: str) -> None:
    """Run buildah with its storage in `scratch` and in mounts of its own, so that nothing of it outlives the folder."""
    storage = ("--root", scratch / "storage", "--runroot", scratch / "run")
    temporary = scratch / "temporary"
    temporary.mkdir(exist_ok=True)
    run(
        ["unshare", "--mount", "--propagation", "private", "buildah", *storage, *words],
        doing=doing,
        environment={
            **os.environ,
            "BUILDAH_ISOLATION": "chroot",
            "STORAGE_DRIVER": "overlay",
            "TMPDIR": str(temporary),
        },
        advice="`python -m lab up` again goes on from here.",
    )


def push_context(folders: LabFolders, reference: str, fill: Callable[[Path], None], *, name: str) -> None:
    """Build an image of a folder that `fill` fills and push it, the registry's certificate checked."""
    scratch = scratch_folder(folders)
    if scratch.exists():
        shutil.rmtree(scratch)
    context, certificates = scratch / "context", scratch / "certificates"
    for folder in (context, certificates):
        folder.mkdir(parents=True)
    fill(context)
    shutil.copyfile(folders.keys / "ca.crt", certificates / "ca.crt")
    buildah(scratch, "bud", "--quiet", "--timestamp", "0", "-t", reference, context, doing=f"Making image {name}")
    buildah(scratch, "push", "--quiet", "--cert-dir", certificates, reference, doing=f"Pushing image {name}")
    shutil.rmtree(scratch)


def push(folders: LabFolders, registry: str, image: SystemImage) -> None:
    """Build one image and push it."""

    def fill(context: Path) -> None:
        shutil.copyfile(image.program, context / "program")
        (context / "program").chmod(0o755)
        (context / "Containerfile").write_text(
            CONTAINERFILE.format(folder=image.folder, name=image.program_name, entrypoint=image.entrypoint)
        )

    push_context(folders, f"{registry}/kubernetes/{image.name}:{image.tag}", fill, name=image.name)


def push_missing(folders: LabFolders, registry: str, images: list[SystemImage], said: Callable[[str], None]) -> None:
    """Push the images that the registry does not have."""
    context = ssl.create_default_context(cafile=str(folders.keys / "ca.crt"))
    with httpx.Client(verify=context, base_url=f"https://{registry}", headers={"Accept": MANIFESTS}) as client:
        for image in images:
            answer = client.head(f"/v2/kubernetes/{image.name}/manifests/{image.tag}")
            if answer.status_code != 200:
                said(f"Pushing {image.name} {image.tag}")
                push(folders, registry, image)
