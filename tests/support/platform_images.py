"""A lock of the platform's third-party images, and answers of a cluster on which all of it can be deployed."""

import json
from collections.abc import Iterable
from pathlib import Path

from tests.support.api_server_standin import Answer
from tests.support.values import DIGEST

NAMES = (
    "prometheus",
    "alertmanager",
    "node-exporter",
    "kube-state-metrics",
    "metrics-server",
    "grafana",
)
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
NODES = "/api/v1/nodes"
KUBELET = f"{NODES}/edge/proxy/configz"
PROMETHEUSES = "/apis/monitoring.coreos.com/v1/prometheuses"
METRICS_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
MONITORING = "/apis/monitoring.coreos.com/v1"
DEFAULT_CLASS = {
    "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
}


def reference(name: str) -> str:
    """What the lock says of a program."""
    return f"registry.example/third-party/{name}@{DIGEST}"


def platform_lock(folder: Path, names: Iterable[str] = NAMES) -> Path:
    """A lock with these names."""
    path = folder / "platform-images.json"
    images = {name: reference(name) for name in names}
    path.write_text(json.dumps({"contract": 1, "images": images}), encoding="utf-8")
    return path


def willing_cluster() -> dict[str, Answer]:
    """Answers by path of a cluster that has everything; metrics-server is somebody else's there."""
    return {
        REVIEWS: {"status": {"allowed": True}},
        STORAGE_CLASSES: {"items": [DEFAULT_CLASS]},
        METRICS_SERVICE: {"metadata": {"name": "v1beta1.metrics.k8s.io"}},
        NODES: {"items": [{"metadata": {"name": "edge"}}]},
        KUBELET: {"kubeletconfig": {"serverTLSBootstrap": True}},
        PROMETHEUSES: {"items": [{"spec": {"podMonitorSelector": {}, "ruleSelector": {}}}]},
        MONITORING: {"resources": [{"name": "podmonitors"}, {"name": "prometheusrules"}]},
        "/api/v1/namespaces/monitoring": {"metadata": {"labels": {"ros2bench/scraper": "yes"}}},
    }
