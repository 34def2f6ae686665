"""What a cluster needs beside Kubernetes itself: resource metrics and a default StorageClass.

Sources: kubernetes-sigs/metrics-server `manifests/`, rancher/local-path-provisioner `deploy/local-path-storage.yaml`.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import yaml

from lab.certificates import Authority, ServerCertificate, make_server

VOLUMES = "/var/lib/ros2bench-volumes"
Manifest = dict[str, Any]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _account(name: str, namespace: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _role(name: str, rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }


def _binding(name: str, role: str, account: str, account_namespace: str, *, namespace: str | None = None) -> Manifest:
    """Bind a role to an account, in one namespace or in the whole cluster."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    role_kind = "Role" if namespace else "ClusterRole"
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    }


def _deployment(name: str, namespace: str, pod: Manifest) -> Manifest:
    labels = {"app.kubernetes.io/name": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, **pod}},
        },
    }


def metrics_server(repository: str, version: str, server: ServerCertificate, authority: bytes) -> list[Manifest]:
    """Resource metrics every 15 s; certificates are checked both ways (upstream's manifest skips one)."""
    name, space = "metrics-server", "kube-system"
    secret = {"tls.crt": b64encode(server.certificate).decode(), "tls.key": b64encode(server.key).decode()}
    container: Manifest = {
        "name": name,
        "image": f"{repository}/{name}:v{version}",
        "args": [
            "--tls-cert-file=/certificate/tls.crt",
            "--tls-private-key-file=/certificate/tls.key",
            "--secure-port=10250",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            "--metric-resolution=15s",
            "--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        ],
        "ports": [{"containerPort": 10250, "name": "https"}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "50m", "memory": "100Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "certificate", "mountPath": "/certificate"}],
    }
    return [
        _account(name, space),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": space},
            "data": secret,
        },
        _role(
            "system:metrics-server",
            [_rule([""], ["nodes/metrics"], ["get"]), _rule([""], ["pods", "nodes"], ["get", "list", "watch"])],
        ),
        _binding("system:metrics-server", "system:metrics-server", name, space),
        _binding("metrics-server:system:auth-delegator", "system:auth-delegator", name, space),
        _binding(
            "metrics-server-auth-reader", "extension-apiserver-authentication-reader", name, space, namespace=space
        ),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": space},
            "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"port": 443, "targetPort": "https"}]},
        },
        _deployment(
            name,
            space,
            {"containers": [container], "volumes": [{"name": "certificate", "secret": {"secretName": name}}]},
        ),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "caBundle": b64encode(authority).decode(),
                "service": {"name": name, "namespace": space},
            },
        },
    ]


def storage(repository: str, version: str) -> list[Manifest]:
    """Default StorageClass `local-path`: volumes are folders of the machine on which the first pod lands."""
    name, space = "local-path-provisioner", "local-path-storage"
    script = '#!/bin/sh\nset -eu\n{} "$VOL_DIR"\n'
    config = {
        "config.json": json.dumps({"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [VOLUMES]}]}),
        "setup": script.format("mkdir -m 0777 -p"),
        "teardown": script.format("rm -rf"),
        "helperPod.yaml": yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "helper-pod"},
                "spec": {"containers": [{"name": "helper-pod", "image": f"{repository}/shell:2"}]},
            }
        ),
    }
    container: Manifest = {
        "name": name,
        "image": f"{repository}/{name}:v{version}",
        "command": ["local-path-provisioner", "start", "--config", "/etc/config/config.json"],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "CONFIG_MOUNT_PATH", "value": "/etc/config/"},
            {"name": "SERVICE_ACCOUNT_NAME", "value": name},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config/"}],
    }
    own_role: Manifest = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": space},
        "rules": [_rule([""], ["pods"], ["get", "list", "watch", "create", "patch", "update", "delete"])],
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
        _account(name, space),
        own_role,
        _binding(name, name, name, space, namespace=space),
        _role(
            name,
            [
                _rule(
                    [""],
                    ["nodes", "persistentvolumeclaims", "configmaps", "pods", "pods/log"],
                    ["get", "list", "watch"],
                ),
                _rule([""], ["persistentvolumes"], ["get", "list", "watch", "create", "patch", "update", "delete"]),
                _rule([""], ["events"], ["create", "patch"]),
                _rule(["storage.k8s.io"], ["storageclasses"], ["get", "list", "watch"]),
            ],
        ),
        _binding(name, name, name, space),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "local-path-config", "namespace": space},
            "data": config,
        },
        _deployment(
            name,
            space,
            {"containers": [container], "volumes": [{"name": "config", "configMap": {"name": "local-path-config"}}]},
        ),
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "rancher.io/local-path",
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        },
    ]


def manifests(repository: str, versions: Mapping[str, str], authority: Authority) -> str:
    """Return every add-on as YAML documents for `kubectl apply`."""
    server = make_server(authority, dns_name="metrics-server.kube-system.svc")
    return yaml.safe_dump_all(
        [
            *metrics_server(repository, versions["metrics-server"], server, authority.certificate),
            *storage(repository, versions["local-path-provisioner"]),
        ]
    )
