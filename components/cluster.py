"""The cluster that a stack is deployed to: one explicit provider, bound to one named context."""

import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from components.refusal import Refusal, choices

API_SERVER_TIMEOUT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Which context of the kubeconfig is meant; it is never left to what happens to be current."""

    context: str


class Cluster(pulumi.ComponentResource):
    """Provider and identity of a cluster. Every resource names this provider; there is no default one."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ros2bench:components:Cluster", name, None, opts)
        # No credentials here: the provider reads KUBECONFIG itself, so that none enters the state.
        self.provider = kubernetes.Provider(
            name,
            context=args.context,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        kube_system = kubernetes.core.v1.Namespace.get(
            "kube-system", "kube-system", pulumi.ResourceOptions(parent=self, provider=self.provider)
        )
        self.uid: pulumi.Output[str] = kube_system.metadata.apply(lambda found: found["uid"])
        self.register_outputs({"uid": self.uid})


@dataclass(frozen=True, kw_only=True)
class Context:
    """A context of the kubeconfig and where its API server listens. `through_proxy`: not reached directly."""

    name: str
    server: str
    through_proxy: bool


def chosen_context(wanted: str | None, kubeconfigs: Sequence[Path]) -> Context:
    """Context to deploy to: the spec's, else the current one of the kubeconfig.

    Args:
        wanted: Context named by the spec, if any.
        kubeconfigs: Files of KUBECONFIG in order; as kubectl does, files that do not exist are skipped.

    Raises:
        Refusal: No file, no current context, or no such context; lists those that exist.
    """
    where = ", ".join(str(path) for path in kubeconfigs)
    documents = list(_documents(kubeconfigs))
    clusters = _by_name(documents, "clusters", "cluster")
    contexts = _by_name(documents, "contexts", "context")
    current = next((d["current-context"] for d in documents if d.get("current-context")), None)
    chosen = wanted or current
    if chosen is None:
        raise Refusal(
            f"{where}: no kubeconfig with a current context. Set KUBECONFIG, or start a cluster on this "
            'machine: python -m lab up && eval "$(python -m lab env)"'
        )
    if chosen not in contexts:
        key = "ros2bench:spec.cluster.context" if wanted else "current-context"
        raise Refusal(
            f"{where}: {key} is {chosen!r}, a context that the kubeconfig does not have. "
            f"{choices(chosen, contexts)} Set ros2bench:spec.cluster.context or KUBECONFIG"
        )
    cluster = clusters.get(str(contexts[chosen].get("cluster")), {})
    if "server" not in cluster:
        raise Refusal(f"{where}: context {chosen!r} names no cluster with a server. Set KUBECONFIG to another file")
    return Context(name=chosen, server=str(cluster["server"]), through_proxy="proxy-url" in cluster)


def check_reachable(context: Context, connect: Callable[[tuple[str, int], float], socket.socket]) -> None:
    """Find out in seconds, not minutes, that nothing listens where the cluster should be.

    Args:
        context: Where the API server should listen.
        connect: `socket.create_connection`, or a stand-in for it.

    Raises:
        Refusal: Nothing listens there.
    """
    address = urlsplit(context.server)
    host, port = address.hostname or "", address.port or (80 if address.scheme == "http" else 443)
    try:
        connect((host, port), API_SERVER_TIMEOUT_S).close()
    except OSError as error:
        raise Refusal(
            f"cluster unreachable: nothing answers at {context.server}, the server of context {context.name!r}: "
            f"{error}. Start it (the lab: python -m lab up), or choose another context in "
            "ros2bench:spec.cluster.context; try: kubectl --context "
            f"{context.name} get nodes"
        ) from None


def _by_name(documents: Iterable[dict[str, Any]], listed: str, key: str) -> dict[str, dict[str, Any]]:
    """Entries of a kubeconfig list by name; as kubectl does, the first file that has a name wins."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        for entry in document.get(listed) or []:
            found.setdefault(str(entry["name"]), entry.get(key) or {})
    return found


def _documents(paths: Iterable[Path]) -> Iterable[dict[str, Any]]:
    for path in paths:
        try:
            document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise Refusal(f"{path}: the kubeconfig cannot be read: {error}. Set KUBECONFIG") from None
        if not isinstance(document, dict):
            raise Refusal(f"{path}: the kubeconfig is not a mapping. Set KUBECONFIG to another file")
        yield cast("dict[str, Any]", document)
