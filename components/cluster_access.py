"""Which programs may talk to the API server, and what their roles may say, as sentences on what goes beyond it.

The programs of the platform that read the cluster hold a token; nothing in an experiment does. A role names what it
is for: no wildcard, no Secret, and no verb beyond reading but those listed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.labels import COMPONENT, DOMAIN

Manifest = Mapping[str, Any]

READERS = frozenset(
    {"prometheus", "kube-state-metrics", "metrics-server", "prometheus-adapter", "promtail", "vpa-recommender"}
)
"""Components whose pods may hold a token of the API server."""
READING = frozenset({"get", "list", "watch"})
WRITES: Mapping[str, Mapping[tuple[str, str], frozenset[str]]] = {
    # It writes its recommendations, and nothing else.
    "vpa-recommender": {
        ("autoscaling.k8s.io", "verticalpodautoscalers/status"): frozenset({"get", "patch"}),
        ("autoscaling.k8s.io", "verticalpodautoscalercheckpoints"): frozenset({"create", "delete", "patch", "update"}),
    },
}
"""By component: API group and resource, and the verbs beyond reading that its roles may have."""
SHARED_ROLES: Mapping[tuple[str, str], frozenset[str]] = {
    # What a server behind the API server needs to know who calls; Kubernetes itself defines both.
    ("ClusterRole", "system:auth-delegator"): frozenset({"metrics-server", "prometheus-adapter"}),
    ("Role", "extension-apiserver-authentication-reader"): frozenset({"metrics-server", "prometheus-adapter"}),
}
"""Roles of Kubernetes itself that may be bound, and for which components."""
OPEN_SECRETS = frozenset({"secrets", "serviceaccounts/token", "nodes/proxy", "pods/exec", "pods/attach"})
"""What no role gives: whoever may read or do this may become somebody else."""


def may_hold_token(manifest: Manifest) -> bool:
    """Whether an object's pods may have a token: by component, and outside any ROS domain."""
    own = manifest.get("metadata", {}).get("labels") or {}
    template = manifest.get("spec", {}).get("template", {}).get("metadata", {}).get("labels") or {}
    return own.get(COMPONENT) == template.get(COMPONENT) and own.get(COMPONENT) in READERS and DOMAIN not in own


def role(manifest: Manifest) -> Iterator[str]:
    """What a Role or ClusterRole gives beyond reading what it names."""
    component = (manifest.get("metadata", {}).get("labels") or {}).get(COMPONENT, "")
    if component not in READERS:
        yield f"component {component!r} may have no role; choices: {', '.join(sorted(READERS))}"
    if "aggregationRule" in manifest:
        yield "aggregationRule would add what nobody reads here"
    for rule in manifest.get("rules") or ():
        groups, names, verbs = (rule.get(key, ()) for key in ("apiGroups", "resources", "verbs"))
        if "*" in (*groups, *names, *verbs, *rule.get("nonResourceURLs", ())):
            yield "a rule has *, which is more than anything needs"
        if secret := sorted(OPEN_SECRETS & set(names)):
            yield f"a rule names {', '.join(secret)}"
        for group in groups:
            for name in names:
                extra = set(verbs) - READING - WRITES.get(component, {}).get((group, name), frozenset())
                if extra:
                    yield f"a rule has the verbs {', '.join(sorted(extra))} on {name}"


def binding(manifest: Manifest) -> Iterator[str]:
    """What is wrong with a RoleBinding or ClusterRoleBinding: whose role, and to whom."""
    component = (manifest.get("metadata", {}).get("labels") or {}).get(COMPONENT, "")
    if component not in READERS:
        yield f"component {component!r} may have no role; choices: {', '.join(sorted(READERS))}"
    reference = manifest.get("roleRef", {})
    name = reference.get("name")
    # A role of ours has a name that the engine makes up, which is no text before it is made.
    if isinstance(name, str) and not name.startswith("ros2bench-"):
        allowed = SHARED_ROLES.get((str(reference.get("kind")), name), frozenset[str]())
        if component not in allowed and not name.startswith(component):
            yield f"binds {name}, which is not a role of this stack"
    for subject in manifest.get("subjects") or ():
        if subject.get("kind") != "ServiceAccount":
            yield f"binds a {subject.get('kind')}; roles are for accounts of pods"
