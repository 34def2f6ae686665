"""What `up` waits for beyond the provider: that an updated Deployment runs its new pods.

With the strategy Recreate the provider may take an update for complete when the old pods are told to end: until the
last of them is gone, revision and conditions of the Deployment are the old ones (pulumi-kubernetes 4.18,
provider/pkg/await/deployment.go). The object that it returns shows this; the API server is then asked until the new
pods are there, by the rules of `kubectl rollout status` (kubectl/pkg/polymorphichelpers/rollout_status.go).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi.runtime
import pulumi_kubernetes as kubernetes

from components import api_server, manifest
from components.api_server import ApiServer
from components.refusal import Refusal

Deployment = kubernetes.apps.v1.Deployment
LIMIT_S = 600.0
"""As long as the provider waits for a new Deployment."""
EVERY_S = 1.0
MOST_FAILURES = 3
"""Questions in a row that may go unanswered: the API server of a small cluster is away for a moment now and then."""
GIVEN_UP = "ProgressDeadlineExceeded"


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How far the update of a Deployment has come: its generation, numbers of pods, and why it was given up."""

    namespace: str
    name: str
    generation: int
    observed_generation: int
    wanted: int
    new: int
    running: int
    available: int
    given_up: str | None = None

    def missing(self) -> str | None:
        """What is not there yet, in words; None where the new pods are ready and the old ones gone."""
        if self.observed_generation < self.generation:
            return "the cluster has not begun with it"
        if self.new < self.wanted:
            return f"{self.new} of {self.wanted} new pods exist"
        if self.running > self.new:
            return f"{self.running - self.new} old pods have not ended"
        if self.available < self.new:
            return f"{self.available} of {self.new} new pods are ready"
        return None

    @property
    def path(self) -> str:
        """Where the API server answers for it."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{self.name}"


def rollout(deployment: Mapping[str, Any]) -> Rollout:
    """Read how far an update has come.

    Args:
        deployment: The object as the API server gives it.
    """
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    conditions = cast("list[dict[str, Any]]", status.get("conditions") or [])
    generation, observed = int(metadata["generation"]), int(status.get("observedGeneration") or 0)
    new = int(status.get("updatedReplicas") or 0)
    # Until a new pod exists, the condition may be that of the update before, which this one is to undo.
    is_of_this = observed >= generation and new > 0
    given_up = (each.get("message", GIVEN_UP) for each in conditions if each.get("reason") == GIVEN_UP)
    return Rollout(
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=generation,
        observed_generation=observed,
        wanted=int(deployment["spec"]["replicas"]),
        new=new,
        running=int(status.get("replicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        given_up=next(given_up, None) if is_of_this else None,
    )


def finished(deployments: Sequence[Deployment], ask: Callable[[], ApiServer]) -> pulumi.Output[Sequence[None]]:
    """Wait until the pods of every Deployment are its newest, in a preview not at all.

    Args:
        deployments: Registered in this run.
        ask: Connects to the cluster; called only where the provider has returned too early.

    Raises:
        pulumi.RunError: In the output: the pods did not become ready in time, or the cluster does not answer.
    """

    async def wait(answer: Mapping[str, Any]) -> None:
        if pulumi.runtime.is_dry_run():
            return
        found = rollout(answer)
        if found.missing() is None:
            return
        pulumi.log.info(f"deployment {found.name}: waiting for its new pods", ephemeral=True)
        try:
            await new_pods(found, await asyncio.to_thread(ask))
        except Refusal as refusal:
            raise pulumi.RunError(str(refusal)) from None

    return pulumi.Output.all(*(_as_answered(each).apply(wait) for each in deployments))


def _as_answered(deployment: Deployment) -> pulumi.Output[dict[str, Any]]:
    """The provider's answer as the API server words it; the resource's own types spell its keys in Python's way."""

    def worded(found: Sequence[Any]) -> dict[str, Any]:
        metadata, status = (cast("dict[str, Any]", part or {}) for part in found)

        def numbers(part: dict[str, Any], *keys: str) -> dict[str, int]:
            # Of `dict` itself: the types' own `get` warns of every key that is not there.
            both = {key: dict.get(part, key, dict.get(part, manifest.python_name(key))) for key in keys}
            return {key: int(number) for key, number in both.items() if number is not None}

        known = numbers(status, "observedGeneration", "updatedReplicas", "replicas", "availableReplicas")
        return {
            "metadata": {**{key: metadata[key] for key in ("namespace", "name")}, **numbers(metadata, "generation")},
            # Pulumi 3.259.0 cannot read a spec with affinities: their key `values` hides the method of a dict.
            "spec": {"replicas": max(1, known.get("replicas", 0))},
            "status": known,
        }

    return pulumi.Output.all(deployment.metadata, deployment.status).apply(worded)


async def new_pods(begun: Rollout, api: ApiServer, *, limit_s: float = LIMIT_S, every_s: float = EVERY_S) -> None:
    """Ask until the new pods of a Deployment are ready and its old ones gone.

    Args:
        begun: What is known of it.
        api: Whom to ask.
        limit_s: For how long, in seconds.
        every_s: Rest between two questions, in seconds.

    Raises:
        Refusal: It took too long, or the cluster says that it has given up, or does not answer several times.
    """
    deadline_s, failures = time.monotonic() + limit_s, 0
    while True:
        try:
            found = rollout(await asyncio.to_thread(api_server.read, api, begun.path))
        except Refusal:
            failures += 1
            if failures == MOST_FAILURES:
                raise
            await asyncio.sleep(every_s)
            continue
        failures = 0
        missing = found.missing()
        if missing is None:
            return
        if found.given_up is not None or time.monotonic() >= deadline_s:
            raise Refusal(
                f"deployment {found.name}: the update is in the cluster, but its pods are not: "
                f"{(found.given_up or f'{missing} after {limit_s:g} s').rstrip('.')}. "
                f"What they say: kubectl -n {found.namespace} describe pods; to go back, undo the change and type "
                "`pulumi up` again"
            )
        await asyncio.sleep(every_s)
