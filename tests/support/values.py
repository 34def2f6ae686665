"""Values that tests start from: a load, an image lock, a kubeconfig."""

import json
from pathlib import Path
from typing import Any

from components.graph import Application, Component, Node, Resources
from components.needs import Needs, Readiness
from components.perception import Load, perception
from stacks.load import Load as LoadSpec

DIGEST = "sha256:" + "0123456789abcdef" * 4
REGISTRY = "registry.example:5000"
NODES = ("camera", "detector", "reader", "monitor")
ROLES = (
    "application-monolithic",
    *(f"application-{name}" for name in NODES),
    "application-composition",
    "application-overlay-base",
    "overlay-interfaces",
    "overlay-interfaces-carrier",
    "overlay-nodes",
    "overlay-nodes-carrier",
    "recorder",
    "machine-reader",
    "ros1",
)
OPERATOR = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
SIGNATURE = {"public_key": "a2V5", "signature": "c2lnbmF0dXJl"}


def load() -> Load:
    """The default load."""
    return Load(**LoadSpec().model_dump())


def application() -> Application:
    """The reference application under the default load."""
    return perception(load())


def node(name: str, *, cpu_limit_millicores: int | None = None, needs: Needs | None = None) -> Node:
    """A node that talks to nobody and has every ingredient."""
    return Node(
        name=name,
        command=("ros2bench-node", name),
        component=Component(package="package", plugin=f"package.{name}.Class"),
        image=f"application-{name}",
        needs=needs or Needs(readiness=Readiness(kind="heartbeat")),
        publishes=(),
        subscribes=(),
        resources=Resources(
            cpu_request_millicores=10,
            memory_request_mebibytes=20,
            memory_limit_mebibytes=30,
            cpu_limit_millicores=cpu_limit_millicores,
        ),
    )


def lock_document() -> dict[str, Any]:
    """What `python -m images.build` writes."""
    images: dict[str, Any] = {
        role: {"repository": f"ros2bench/{role}", "digest": DIGEST, "inputs": DIGEST} for role in ROLES
    }
    images["application-composition"]["components"] = SIGNATURE
    return {
        "contract": 1,
        "registry": REGISTRY,
        "flavour": "wheels",
        "rosDistro": "jazzy",
        "operator": {"public_key": OPERATOR},
        "images": images,
    }


def lock_file(folder: Path) -> Path:
    """A lock file with every role."""
    path = folder / "images.lock.json"
    path.write_text(json.dumps(lock_document()), encoding="utf-8")
    return path


def kubeconfig(folder: Path, server: str = "https://cluster.example:6443") -> Path:
    """A kubeconfig with the contexts `here` (current) and `there`."""
    path = folder / "kubeconfig"
    named = [{"name": name, "context": {"cluster": "one", "user": "me"}} for name in ("here", "there")]
    document = {
        "contexts": named,
        "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": server}}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
