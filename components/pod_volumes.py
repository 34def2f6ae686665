"""Volumes and mounts that the nodes of a pod ask for: claims, memory, Secrets, and files of the configuration. Pure."""

import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

import pulumi

from components.manifest import Manifest
from components.needs import Needs


def volumes(needs: Needs, claims: Mapping[str, pulumi.Input[str]]) -> list[Manifest]:
    """Volumes of the pod.

    Args:
        needs: What its nodes ask for.
        claims: Names in the cluster of the claims that the stack makes, by volume name.
    """
    persistent = [
        {"name": each.name, "persistentVolumeClaim": {"claimName": each.claim or claims[each.name]}}
        for each in needs.persistent_volumes
    ]
    memory = [
        {"name": each.name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{each.size_mebibytes}Mi"}}
        for each in needs.memory_volumes
    ]
    secret = [{"name": each.name, "secret": {"secretName": each.secret}} for each in needs.secret_volumes]
    return [*persistent, *memory, *secret]


def mounts(needs: Needs) -> list[Manifest]:
    """Mounts of the container; single files come out of the pod's ConfigMap."""
    persistent: list[Manifest] = [
        {"name": each.name, "mountPath": each.path, **({"readOnly": True} if each.read_only else {})}
        for each in needs.persistent_volumes
    ]
    memory: list[Manifest] = [{"name": each.name, "mountPath": each.path} for each in needs.memory_volumes]
    secret: list[Manifest] = [
        {"name": each.name, "mountPath": each.path, "readOnly": True} for each in needs.secret_volumes
    ]
    file: list[Manifest] = [
        {"name": "configuration", "mountPath": each.path, "subPath": file_key(each.path), "readOnly": True}
        for each in needs.files
    ]
    return [*persistent, *memory, *secret, *file]


def files(needs: Needs) -> dict[str, str]:
    """Entries of the pod's ConfigMap for the files that its nodes ask for."""
    return {file_key(each.path): each.text for each in needs.files}


def file_key(path: str) -> str:
    """Key of a file in the ConfigMap: its name, made unique by its whole path."""
    return f"{hashlib.sha256(path.encode()).hexdigest()[:8]}-{PurePosixPath(path).name}"
