"""Calls to the component container of a stack, through the recorder that passes them on."""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict

from probes.errors import TargetError, UsageError
from probes.interruption import watched
from probes.recorder import RecorderClient, audience_of
from probes.signed_http import forwarded_client, refusal
from probes.signing import CallSigner, signed
from probes.world import Cluster, Target
from signing.keys import public_text
from stacks.outputs import ComponentContainer, StackOutputs

# Longer than the recorder waits for the container.
TIMEOUT_S = 150.0


class ComponentRefused(TargetError):  # noqa: N818 - named after the event
    """The container refused; `reason` is the code that its audit holds."""

    default_reason = "refused"


class Answer(BaseModel):
    """Answer to `load` and `unload`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    success: bool
    error_message: str
    full_node_name: str
    unique_id: int


class Loaded(BaseModel):
    """A component that a container holds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    unique_id: int
    full_node_name: str


class Listed(BaseModel):
    """Answer to `list`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    components: list[Loaded]


@dataclass(frozen=True)
class Wanted:
    """A component to load; without a package that of its plugin."""

    plugin: str
    node: str
    package: str = ""
    namespace: str = ""
    remap: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    log_level: int = 0

    def request(self, container: str) -> dict[str, Any]:
        """Give what is signed."""
        return {
            "call": "load",
            "container": container,
            "package": self.package or self.plugin.partition(".")[0],
            "plugin": self.plugin,
            "node": self.node,
            "namespace": self.namespace,
            "remap": list(self.remap),
            "parameters": dict(self.parameters),
            "log_level": self.log_level,
        }


@dataclass(frozen=True)
class Swapped:
    """How a node was exchanged: how long each half took, seen from here, and for how long measured topics were silent.

    `silences_s` is the longest time without a message, by topic, as the recorder saw it.
    """

    unloaded: str
    loaded: Answer
    unload_s: float
    load_s: float
    silences_s: Mapping[str, float] = field(default_factory=dict[str, float])


def container_of(outputs: StackOutputs, name: str | None) -> ComponentContainer:
    """Choose the component container of a stack.

    Raises:
        UsageError: The stack has none, or several and none or an unknown one is named.
    """
    pods = outputs.application.pods if outputs.application else []
    known = {pod.component_container.name: pod.component_container for pod in pods if pod.component_container}
    if not known:
        raise UsageError(
            f"Stack {outputs.stack} (pattern {outputs.pattern}) has no component container.",
            next_step="choose a stack of pattern composition with -s",
        )
    choices = ", ".join(sorted(known))
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise UsageError(f"Stack {outputs.stack} has several component containers: {choices}.", next_step="--container")
    found = known.get("/" + name.lstrip("/"))
    if found is None:
        raise UsageError(f"Stack {outputs.stack} has no component container {name!r}; choices: {choices}.")
    return found


def check_key(container: ComponentContainer, key: Ed25519PrivateKey, path: str) -> None:
    """Say here, rather than in the cluster, that this is not the key the container obeys.

    Raises:
        UsageError: The stack was deployed with images that another key has signed.
    """
    if public_text(key) != container.public_key:
        raise UsageError(
            f"{container.name} obeys the key {container.public_key}, but {path} is the key {public_text(key)}.",
            next_step="name the key that signed the images in ROS2BENCH_SIGNING_KEY, or build and deploy them anew",
        )


class ComponentClient:
    """Speaks to one component container.

    Args:
        http: Client of the recorder.
        container: Full name of the container.
        key: Signs what changes something.
        topics: What the recorder listens to.
        audience: Name of the recorder in the calls that it obeys.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        container: str,
        key: Ed25519PrivateKey,
        topics: Sequence[str] = (),
        audience: str = "",
    ) -> None:
        self._http = http
        self._recorder = RecorderClient(http, CallSigner(key, audience))
        self._topics = tuple(topics)
        self._container = container
        self._key = key

    async def listed(self) -> list[Loaded]:
        """List what the container holds."""
        return Listed.model_validate(await self._call("list", {"container": self._container})).components

    async def load(self, wanted: Wanted) -> Answer:
        """Load a component.

        Raises:
            ComponentRefused: The container says why not.
        """
        said = await self._call("load", signed(wanted.request(self._container), self._key))
        return _obeyed(Answer.model_validate(said), f"{self._container} did not load {wanted.node}")

    async def unload(self, unique_id: int) -> Answer:
        """Unload a component.

        Raises:
            ComponentRefused: The container says why not.
        """
        content = {"call": "unload", "container": self._container, "unique_id": unique_id}
        said = await self._call("unload", signed(content, self._key))
        return _obeyed(Answer.model_validate(said), f"{self._container} did not unload {unique_id}")

    async def find(self, node: str) -> Loaded:
        """Find a loaded component by its number, full name or name.

        Raises:
            UsageError: There is none, or several have that name.
        """
        holds = await self.listed()
        exact = [item for item in holds if node in {str(item.unique_id), item.full_node_name}]
        found = exact or [item for item in holds if item.full_node_name.rpartition("/")[2] == node]
        if len(found) != 1:
            choices = ", ".join(f"{item.unique_id} {item.full_node_name}" for item in holds) or "nothing"
            many = "several components" if found else "no component"
            raise UsageError(f"{self._container} holds {many} {node!r}; it holds {choices}.")
        return found[0]

    async def swap(self, node: str, wanted: Wanted) -> Swapped:
        """Unload a component and load another under its name, one right after the other.

        Raises:
            ComponentRefused: The container says why not; if it refused the second half, the node is gone.
        """
        old = await self.find(node)
        namespace, _, name = old.full_node_name.rpartition("/")
        replacing = replace(wanted, node=name, namespace=namespace)
        async with watched(self._recorder, self._topics) as silences_s:
            begun_s = time.monotonic()
            await self.unload(old.unique_id)
            unloaded_s = time.monotonic()
            answer = await self.load(replacing)
            loaded_s = time.monotonic()
        return Swapped(old.full_node_name, answer, unloaded_s - begun_s, loaded_s - unloaded_s, silences_s)

    async def _call(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call. It is never repeated: what is signed works once."""
        try:
            answer = await self._http.post(f"/v1/components/{call}", json=body)
        except httpx.TransportError as error:
            raise TargetError(
                f"The connection to the recorder broke during {call}: {str(error) or type(error).__name__}.",
                next_step="python -m probes.components list (it says whether the call was obeyed)",
                reason="recorder_unreachable",
            ) from None
        if answer.is_error:
            raise TargetError(
                f"The recorder could not pass on {call}: {answer.status_code} {refusal(answer)}.",
                next_step="look at the pods: kubectl get pods -A -l ros2bench/stack",
                reason="recorder_refused",
            )
        return answer.json()


def _obeyed(answer: Answer, what: str) -> Answer:
    if answer.success:
        return answer
    reason, _, sentence = answer.error_message.partition(": ")
    raise ComponentRefused(f"{what}: {sentence or reason} ({reason})", reason=reason)


@asynccontextmanager
async def component_client(
    target: Target,
    connect: Callable[[], AbstractAsyncContextManager[Cluster]],
    stack: str | None,
    container: str | None,
    key: tuple[str, Ed25519PrivateKey],
) -> AsyncGenerator[ComponentClient]:
    """Open a client of the component container of a stack, through the API server's port-forward and no proxy.

    Args:
        target: The stacks of the project.
        connect: Connects to the cluster.
        stack: Name of the stack; none: the selected one.
        container: Name of the container; none: the only one.
        key: Path and content of the operator's key.

    Raises:
        UsageError: There is no such stack or container, or the key is not the one that it obeys.
        TargetError: The stack, the cluster or the recorder is not as it must be.
    """
    (chosen,) = target.choose((stack,) if stack else ())
    outputs = target.outputs(chosen)
    asked = container_of(outputs, container)
    check_key(asked, key[1], key[0])
    if outputs.recorder is None:
        raise TargetError(f"Stack {chosen} has no recorder, which passes calls on.", next_step=f"pulumi up -s {chosen}")
    async with (
        connect() as cluster,
        cluster.recorder(outputs.recorder) as address,
        forwarded_client(address, TIMEOUT_S) as http,
    ):
        topics = [topic.name for topic in outputs.application.topics] if outputs.application else []
        yield ComponentClient(http, asked.name, key[1], topics, audience_of(outputs.recorder))
