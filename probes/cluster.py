"""The cluster, through its API server only: identity, pods, machines, events, one watch, one port-forward."""

import asyncio
import json
import os
import ssl
import time
import warnings
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import kr8s
import kr8s.asyncio
import yaml
from kr8s.asyncio.objects import Event, Namespace, Node, PersistentVolumeClaim, Pod
from kr8s.asyncio.portforward import PortForward

from probes.errors import TargetError
from probes.phases import Sighting
from probes.port_forward import forwarded
from stacks.outputs import MachineReaderEndpoint, ProgramEndpoint, RecorderEndpoint
from stacks.temporary_files import private_folder

CALL_TIMEOUT_S = 15.0
READY_WAIT_S, READY_POLL_S = 20.0, 0.5
"""How long a pod that runs may take to be ready: it was just replaced, or a busy machine delays its probe."""
KUBECONFIG_HINT = 'check `kubectl get nodes`; for the lab: eval "$(python -m lab env)", then python -m lab status'
UNUSABLE = (ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError)
"""What the client raises on a kubeconfig that is not one: it trusts the file's shape."""


@dataclass(frozen=True)
class Machine:
    """A Kubernetes node, as its status reports it. Machines with one boot id share one kernel and one clock."""

    name: str
    boot_id: str
    kernel: str
    os_image: str
    architecture: str
    container_runtime: str
    kubelet: str
    allocatable: Mapping[str, str]
    is_ready: bool


@dataclass(frozen=True)
class Permission:
    """One thing that the runner does through the API server."""

    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    group: str = ""

    def __str__(self) -> str:
        """Name it as `kubectl auth can-i` would be asked."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}" + (f" in namespace {self.namespace}" if self.namespace else "")


def machine_of(node: Mapping[str, Any]) -> Machine:
    """Read a machine from a Kubernetes node object."""
    status = node["status"]
    info = status["nodeInfo"]
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    return Machine(
        name=node["metadata"]["name"],
        boot_id=info["bootID"],
        kernel=info["kernelVersion"],
        os_image=info["osImage"],
        architecture=info["architecture"],
        container_runtime=info["containerRuntimeVersion"],
        kubelet=info["kubeletVersion"],
        allocatable=dict(status.get("allocatable", {})),
        is_ready=conditions.get("Ready") == "True",
    )


class KubernetesCluster:
    """The cluster of the current kubeconfig context; made by `connect`."""

    def __init__(self, api: kr8s.asyncio.Api) -> None:
        self._api = api
        self.context = str(api.auth.active_context or "in-cluster")
        self.server = str(api.auth.server)

    async def uid(self) -> str:
        """Give the UID of the kube-system namespace, which identifies a cluster."""
        with cluster_errors("read namespace kube-system", self.server):
            found = [item async for item in self._api.get(Namespace, "kube-system", raw=True)]
        return str(_object(found[0])["metadata"]["uid"])

    async def pods(self, namespace: str | None, labels: Mapping[str, str] | str) -> list[dict[str, Any]]:
        """List pods by labels, in one namespace or in all."""
        selector = labels if isinstance(labels, str) else dict(labels)
        with cluster_errors("list pods", self.server):
            listed = self._api.get(Pod, namespace=namespace or kr8s.ALL, label_selector=selector, raw=True)
            return [_object(item) async for item in listed]

    async def machines(self) -> list[Machine]:
        """List the machines."""
        return [machine_of(node) for node in await self._nodes()]

    async def images(self) -> frozenset[str]:
        """Give the references of images that at least one machine says to hold: its 50 largest, some seconds late."""
        held = [image for node in await self._nodes() for image in node["status"].get("images", [])]
        return frozenset(name for image in held for name in image.get("names") or ())

    async def _nodes(self) -> list[dict[str, Any]]:
        with cluster_errors("list nodes", self.server):
            return [_object(item) async for item in self._api.get(Node, raw=True)]

    async def events(self, namespace: str) -> list[dict[str, Any]]:
        """List the events of a namespace."""
        with cluster_errors("list events", self.server):
            return [_object(item) async for item in self._api.get(Event, namespace=namespace, raw=True)]

    async def denied(self, permissions: tuple[Permission, ...]) -> list[Permission]:
        """Give the permissions that the API server refuses to this kubeconfig."""
        refused: list[Permission] = []
        for permission in permissions:
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {
                    "resourceAttributes": {
                        "verb": permission.verb,
                        "resource": permission.resource,
                        "subresource": permission.subresource,
                        "namespace": permission.namespace,
                        "group": permission.group,
                    }
                },
            }
            with cluster_errors("ask for permissions", self.server):
                async with self._api.call_api(
                    "POST",
                    version="authorization.k8s.io/v1",
                    url="selfsubjectaccessreviews",
                    content=json.dumps(review),
                ) as response:
                    if not response.json()["status"]["allowed"]:
                        refused.append(permission)
        return refused

    async def watch_pods(
        self, namespace: str, labels: Mapping[str, str], established: asyncio.Event
    ) -> AsyncGenerator[Sighting]:
        """Watch pods for ever, reconnecting when the API server ends the watch.

        A new watch begins with every pod as it is, so nothing is missed, and a sighting that repeats what is known
        does no harm: only the first one of each phase counts.

        Args:
            namespace: Namespace of the pods.
            labels: Labels that select them.
            established: Set once the API server has answered, so that nothing can happen unseen.
        """
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        failures = 0
        while True:
            try:
                async with self._api.call_api(
                    version="v1",
                    namespace=namespace,
                    url="pods",
                    params={"watch": "true", "labelSelector": selector},
                    stream=True,
                    timeout=httpx.Timeout(CALL_TIMEOUT_S, read=None),
                ) as response:
                    established.set()
                    async for line in response.aiter_lines():
                        arrived_ns = time.time_ns()
                        failures = 0
                        event = json.loads(line)
                        if event["object"].get("kind") == "Status":
                            break
                        yield Sighting(arrived_ns, event["type"], event["object"])
            except (httpx.TransportError, kr8s.APITimeoutError) as error:
                failures += 1
                if failures > 5:
                    raise _unreachable("watch pods", self.server, error) from None
                await asyncio.sleep(0.1 * 2**failures)
            except kr8s.ServerError as error:
                raise _refused("watch pods", self.server, error) from None

    async def claims(self, namespace: str) -> dict[str, dict[str, str]]:
        """Give the claims of storage in a namespace: labels by name."""
        with cluster_errors("list persistentvolumeclaims", self.server):
            listed = self._api.get(PersistentVolumeClaim, namespace=namespace, raw=True)
            found = [_object(item)["metadata"] async for item in listed]
        return {metadata["name"]: metadata.get("labels", {}) for metadata in found}

    async def delete_claim(self, namespace: str, name: str) -> None:
        """Delete a claim of storage; it is gone once no pod uses it."""
        with cluster_errors(f"delete persistentvolumeclaim {name}", self.server):
            async with self._api.call_api(
                "DELETE", version="v1", namespace=namespace, url=f"persistentvolumeclaims/{name}"
            ):
                return

    async def recommendations(self, namespace: str) -> list[dict[str, Any]]:
        """List the VerticalPodAutoscaler objects of a namespace."""
        return await self._listed("list verticalpodautoscalers", "autoscaling.k8s.io/v1", namespace, {})

    async def usage(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """List what pods use now, as metrics-server tells it."""
        selector = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        return await self._listed("list pods", "metrics.k8s.io/v1beta1", namespace, selector)

    async def _listed(
        self, doing: str, version: str, namespace: str, parameters: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """List objects of an API group; what is done ends with the name of their resource."""
        resource = doing.rpartition(" ")[2]
        with cluster_errors(f"{doing} of {version}", self.server):
            async with self._api.call_api(
                "GET", version=version, namespace=namespace, url=resource, params=dict(parameters)
            ) as response:
                return [_object(item) for item in response.json()["items"]]

    @asynccontextmanager
    async def machine_readers(self, endpoint: MachineReaderEndpoint) -> AsyncGenerator[dict[str, str]]:
        """Forward a local port to every ready machine reader; gives the base addresses by machine."""
        pods = await self.pods(endpoint.namespace, endpoint.labels)
        async with AsyncExitStack() as stack:
            addresses: dict[str, str] = {}
            for pod in pods:
                if is_ready(pod):
                    forward = PortForward(Pod(pod, api=self._api), endpoint.port, local_port="auto")
                    port = await stack.enter_async_context(forwarded(forward))
                    addresses[pod["spec"]["nodeName"]] = f"http://127.0.0.1:{port}"
            yield addresses

    @asynccontextmanager
    async def program(self, name: str, endpoint: ProgramEndpoint) -> AsyncGenerator[str]:
        """Forward a local port to the pod of a program of the platform; gives the base address.

        Args:
            name: What it is called in messages.
            endpoint: Where the platform says its pod is.

        Raises:
            TargetError: There is no ready pod of it.
        """
        namespace, port = endpoint.namespace or "", endpoint.port or 0
        ready = [pod for pod in await self._awaited(namespace, endpoint.labels or {}) if is_ready(pod)]
        if not ready:
            raise TargetError(
                f"No ready pod of {name} in namespace {namespace} (selector {dict(endpoint.labels or {})}).",
                next_step=f"kubectl -n {namespace} get pods; kubectl -n {namespace} get events",
                reason=f"{name}_not_ready",
            )
        async with forwarded(PortForward(Pod(ready[0], api=self._api), port, local_port="auto")) as local:
            yield f"http://127.0.0.1:{local}"

    @asynccontextmanager
    async def recorder(self, endpoint: RecorderEndpoint) -> AsyncGenerator[str]:
        """Forward a local port to the recorder's pod; gives the base address.

        Raises:
            TargetError: There is no ready recorder pod.
        """
        pods = await self._awaited(endpoint.namespace, endpoint.labels)
        ready = [pod for pod in pods if is_ready(pod)]
        if not ready:
            states = ", ".join(f"{pod['metadata']['name']}: {pod['status'].get('phase')}" for pod in pods)
            raise TargetError(
                f"No ready recorder pod in namespace {endpoint.namespace} "
                f"(selector {dict(endpoint.labels)}; found: {states or 'none'}).",
                next_step=f"kubectl -n {endpoint.namespace} get pods; kubectl -n {endpoint.namespace} get events",
                reason="recorder_not_ready",
            )
        pod = Pod(ready[0], api=self._api)
        async with forwarded(PortForward(pod, endpoint.port, local_port="auto")) as port:
            yield f"http://127.0.0.1:{port}"

    async def _awaited(self, namespace: str, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Pods, as soon as one is ready; as they are when the wait is over, or where there is none to wait for."""
        end_s = time.monotonic() + READY_WAIT_S
        pods = await self.pods(namespace, labels)
        while pods and not any(is_ready(pod) for pod in pods) and time.monotonic() < end_s:
            await asyncio.sleep(READY_POLL_S)
            pods = await self.pods(namespace, labels)
        return pods


@asynccontextmanager
async def connect() -> AsyncGenerator[KubernetesCluster]:
    """Connect to the cluster of the kubeconfig.

    Raises:
        TargetError: There is no usable kubeconfig, or the API server cannot be reached.
    """
    private_folder()
    with cluster_errors("connect", described_kubeconfig()), warnings.catch_warnings():
        # The client warns about cluster versions that it was not tested with; the version is in the record.
        warnings.simplefilter("ignore", UserWarning)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S + 5):
                api = await kr8s.asyncio.api()
        except UNUSABLE as error:
            raise TargetError(
                f"Your kubeconfig cannot be used to connect to {described_kubeconfig()}: {error!r}",
                next_step=KUBECONFIG_HINT,
                reason="kubeconfig_unusable",
            ) from None
    api.timeout = CALL_TIMEOUT_S
    try:
        yield KubernetesCluster(api)
    finally:
        # The client has no public way to close its connections.
        session = vars(api).get("_session")
        if isinstance(session, httpx.AsyncClient):
            await session.aclose()


def described_kubeconfig() -> str:
    """Say which server, context and file the kubeconfig leads to, as far as it can be read."""
    name = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)[0]
    try:
        config = yaml.safe_load(Path(name).expanduser().read_text(encoding="utf-8"))
        context = config["current-context"]
        entry = next(item["context"] for item in config["contexts"] if item["name"] == context)
        cluster = next(item["cluster"] for item in config["clusters"] if item["name"] == entry["cluster"])
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, StopIteration):
        return f"the cluster of kubeconfig {name}"
    return f"{cluster.get('server')} (context {context!r} of {name})"


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is Ready and not being deleted."""
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


@contextmanager
def cluster_errors(doing: str, server: str) -> Generator[None]:
    """Turn what the client raises into an error that says what was tried and where."""
    try:
        yield
    except kr8s.ServerError as error:
        raise _refused(doing, server, error) from None
    except (httpx.HTTPError, ssl.SSLError, kr8s.APITimeoutError, OSError) as error:
        raise _unreachable(doing, server, error) from None


def _unreachable(doing: str, server: str, error: Exception) -> TargetError:
    cause = str(error) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
    return TargetError(
        f"The cluster cannot be reached: tried to {doing} at {server}: {cause}.",
        next_step=KUBECONFIG_HINT,
        reason="cluster_unreachable",
    )


def _refused(doing: str, server: str, error: kr8s.ServerError) -> TargetError:
    status = error.response.status_code if error.response is not None else "?"
    return TargetError(
        f"The API server {server} refused to {doing}: {status} {error}.",
        next_step=KUBECONFIG_HINT,
        reason="cluster_refused",
    )


def _object(item: object) -> dict[str, Any]:
    return cast("dict[str, Any]", item)
