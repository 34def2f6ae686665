"""What a cluster, or somebody else's Prometheus, must offer before observability is deployed: asked, else refused."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from components import api_server, labels
from components.api_server import ApiServer
from components.manifest import MONITORING
from components.observability import metrics_server
from components.observability.operator import DEFINED
from components.refusal import Refusal, choices
from stacks.spec_observability import Observability

SECTION = "ros2bench:spec.observability"
STORAGE_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
RBAC_GROUP = "rbac.authorization.k8s.io"
MONITORING_GROUP = MONITORING.partition("/")[0]
PROMETHEUSES = f"/apis/{MONITORING}/prometheuses"
NODES = "/api/v1/nodes"
TIMEOUT_S = 5.0
FOUND, NOT_FOUND = 200, 404


def check_builtin(wanted: Observability, api: ApiServer) -> None:
    """Refuse a cluster on which the platform's own workloads would come up by half.

    Args:
        wanted: What the stack file says.
        api: Whom to ask.

    Raises:
        Refusal: There is no StorageClass for the series, or the account may not give the programs their roles.
    """
    if wanted.storage.persistent:
        _check_storage(wanted.storage.storage_class, api)
    _check_roles(
        api,
        "mode: is builtin",
        "Prometheus cannot find pods. Use an account that may, or set mode to operator or external",
    )


def _check_roles(api: ApiServer, setting: str, without: str) -> None:
    for resource in ("clusterroles", "clusterrolebindings"):
        if not api_server.may(api, verb="create", group=RBAC_GROUP, resource=resource):
            raise Refusal(
                f"{SECTION}.{setting}, but this kubeconfig's account may not create {resource}, without which {without}"
            )


def check_operator(namespace: str, wanted: Observability, api: ApiServer, warn: Callable[[str], object]) -> None:
    """Refuse a cluster without the operator's definitions, and an account that may not use them.

    Args:
        namespace: Where its objects would be.
        wanted: What the stack file says.
        api: Whom to ask.
        warn: Takes one sentence.

    Raises:
        Refusal: Definitions, permissions or the namespace of its Prometheus are missing.
    """
    known = api_server.resources(api, MONITORING)
    absent = [name for name in DEFINED if known is None or name not in known]
    if absent:
        raise Refusal(
            f"{SECTION}.mode: is operator, but the cluster has no {', '.join(absent)} of {MONITORING}: the Prometheus "
            "Operator's definitions are not installed. Install the operator, or set mode to builtin; try: "
            f"kubectl api-resources --api-group={MONITORING_GROUP}"
        )
    for name in DEFINED:
        if not api_server.may(api, verb="create", group=MONITORING_GROUP, resource=name, namespace=namespace):
            raise Refusal(
                f"{SECTION}.mode: is operator, but this kubeconfig's account may not create {name} of {MONITORING} in "
                f"{namespace}. Ask for that right, or use another account; try: kubectl auth can-i create "
                f"{name}.{MONITORING_GROUP} -n {namespace}"
            )
    if wanted.kube_state_metrics:
        _check_roles(
            api,
            "kubeStateMetrics: is true",
            "kube-state-metrics cannot read the cluster. Use an account that may, or set it to false",
        )
    where = wanted.operator.prometheus.namespace
    reply = api.call("GET", f"/api/v1/namespaces/{where}")
    if reply.status == NOT_FOUND:
        raise Refusal(
            f"{SECTION}.operator.prometheus.namespace: is {where!r}, which the cluster does not have. Name the "
            "namespace in which the operator's Prometheus runs; try: kubectl get pods -A -l "
            "app.kubernetes.io/name=prometheus"
        )
    found: Mapping[str, Any] = reply.body.get("metadata", {}).get("labels") or {}
    if found.get(labels.SCRAPER) != "yes":
        warn(
            f"namespace {where} has no label {labels.SCRAPER}=yes: where the cluster's network enforces policies, its "
            f"Prometheus reaches no pod of ours. Give it: kubectl label namespace {where} {labels.SCRAPER}=yes"
        )
    if said := unread(api_server.listed(api, PROMETHEUSES), wanted.operator.labels):
        warn(said)


def unread(servers: Sequence[Mapping[str, Any]], chosen_by: Mapping[str, str]) -> str | None:
    """Say what no Prometheus of an operator would select; None where one selects both monitors and rules.

    Args:
        servers: Its objects of kind Prometheus.
        chosen_by: Labels that our objects will have beside their own.
    """
    for what, key in (("PodMonitors", "podMonitorSelector"), ("rules", "ruleSelector")):
        if not any(_selects(server.get("spec", {}).get(key), chosen_by) for server in servers):
            seen = [(server.get("spec", {}).get(key) or {}).get("matchLabels") for server in servers]
            return (
                f"no Prometheus of the cluster will select our {what} by {SECTION}.operator.labels "
                f"{dict(chosen_by)}: their {key} is {', '.join(map(str, seen)) or 'not there'}. Set the labels that "
                "one of them asks for; try: kubectl get prometheuses -A -o yaml"
            )
    return None


def _selects(selector: Mapping[str, Any] | None, chosen_by: Mapping[str, str]) -> bool:
    """Whether a selector takes our labels; without one it takes nothing, and expressions are left to its owner."""
    if selector is None:
        return False
    return (selector.get("matchLabels") or {}).items() <= chosen_by.items()


def check_external(url: str, client: httpx.Client) -> None:
    """Refuse an address at which no Prometheus answers.

    `/-/ready` is Prometheus's own; what only speaks its API has `/api/v1/status/buildinfo`.

    Args:
        url: The address.
        client: Asks it.

    Raises:
        Refusal: Nothing answers, or something else does.
    """
    said: list[str] = []
    for path in ("/-/ready", "/api/v1/status/buildinfo"):
        asked = f"{url.rstrip('/')}{path}"
        try:
            reply = client.get(asked)
        except httpx.HTTPError as error:
            raise Refusal(
                f"{SECTION}.external.url: is {url!r}: nothing answers at {asked}: {error}. Correct it; try: "
                f"curl {asked}"
            ) from None
        if reply.status_code == FOUND and (path == "/-/ready" or _is_success(reply)):
            return
        said.append(f"{reply.status_code} to {path}")
    raise Refusal(
        f"{SECTION}.external.url: is {url!r}, where no Prometheus answers: {', '.join(said)}. Write its address up to "
        "the path below which /api/v1 is"
    )


def external_client() -> httpx.Client:
    """Client for somebody else's Prometheus; certificates are checked."""
    return httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)


def serves_metrics(stack: str, api: ApiServer) -> bool:
    """Whether somebody other than this stack answers for `metrics.k8s.io`.

    Args:
        stack: Name of the stack.
        api: Whom to ask.
    """
    served = metrics_server.SERVED
    reply = api.call("GET", f"/apis/apiregistration.k8s.io/v1/apiservices/{served.name}")
    if reply.status == NOT_FOUND:
        return False
    if reply.status != FOUND:
        raise Refusal(
            f"{SECTION}.metricsServer: the API server answered {reply.status} when asked who serves "
            f"{served.group}: {reply.body.get('message', 'no reason given')}. Set it to false, or use an "
            "account that may ask"
        )
    found: Mapping[str, Any] = reply.body.get("metadata", {}).get("labels") or {}
    return found.get(labels.STACK) != stack


def kubelets_are_certified(api: ApiServer) -> bool:
    """Whether kubelets have certificates of the cluster's authority, which metrics-server must be able to check.

    A kubelet's own configuration says so (`serverTLSBootstrap`); kubeadm leaves it off, and then kubelets sign for
    themselves. Whoever may not ask is told that they have none.

    Args:
        api: Whom to ask.
    """
    for node in api_server.listed(api, NODES):
        reply = api.call("GET", f"{NODES}/{node['metadata']['name']}/proxy/configz")
        if reply.status != FOUND or not reply.body.get("kubeletconfig", {}).get("serverTLSBootstrap"):
            return False
    return True


def _check_storage(wanted: str | None, api: ApiServer) -> None:
    classes = [each["metadata"] for each in api_server.listed(api, STORAGE_CLASSES)]
    names = [str(each["name"]) for each in classes]
    key = f"{SECTION}.storage"
    if wanted is not None and wanted not in names:
        raise Refusal(f"{key}.storageClass: is {wanted!r}, which the cluster does not have. {choices(wanted, names)}")
    is_default = any((each.get("annotations") or {}).get(DEFAULT_CLASS) == "true" for each in classes)
    if wanted is None and not is_default:
        raise Refusal(
            f"{key}.storageClass: names none, and the cluster has no default StorageClass (it has: "
            f"{', '.join(names) or 'none'}), so that Prometheus would wait for its volume for ever. Name one, or set "
            f"{key}.persistent: false, with which series end with the pod"
        )


def _is_success(reply: httpx.Response) -> bool:
    try:
        body: Any = reply.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("status") == "success"
