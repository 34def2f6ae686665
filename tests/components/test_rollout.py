"""An update is over when its new pods are ready, whatever the provider says."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import rollout
from components.api_server import Reply
from components.namespace import Namespace, NamespaceArgs
from components.refusal import Refusal
from components.rollout import Rollout, finished, new_pods
from tests.support.api_server_standin import ApiServerStandIn
from tests.support.deployment import deploy

PATH = "/apis/apps/v1/namespaces/robots/deployments/camera"
OLD_PODS_END = {"observedGeneration": 2, "replicas": 1, "availableReplicas": 1}
"""What the provider returned in the lab for an update with the strategy Recreate."""
NEW_POD_STARTS = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}
DONE = NEW_POD_STARTS | {"availableReplicas": 1}


def deployment(status: Mapping[str, Any], *, generation: int = 2, replicas: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "robots", "name": "camera", "generation": generation},
        "spec": {"replicas": replicas},
        "status": dict(status),
    }


@pytest.mark.parametrize(
    ("status", "replicas", "missing"),
    [
        ({}, 1, "the cluster has not begun with it"),
        (DONE | {"observedGeneration": 1}, 1, "the cluster has not begun with it"),
        (OLD_PODS_END, 1, "0 of 1 new pods exist"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, 2, "1 old pods"),
        (NEW_POD_STARTS, 1, "0 of 1 new pods are ready"),
        (DONE, 1, None),
        ({"observedGeneration": 2}, 0, None),
    ],
)
def test_what_is_missing_is_said(status: Mapping[str, Any], replicas: int, missing: str | None) -> None:
    said = rollout.rollout(deployment(status, replicas=replicas)).missing()
    assert said == missing if missing is None else missing in (said or "")


@given(st.tuples(*[st.integers(0, 3)] * 6))
def test_nothing_is_missing_only_where_all_pods_are_new_and_ready(numbers: tuple[int, ...]) -> None:
    generation, observed, wanted, new, running, available = numbers
    found = Rollout(
        namespace="robots",
        name="camera",
        generation=generation,
        observed_generation=observed,
        wanted=wanted,
        new=new,
        running=running,
        available=available,
    )
    if found.missing() is None:
        assert observed >= generation
        assert wanted <= new == max(new, running) <= available


def test_the_cluster_is_asked_until_the_new_pods_are_ready() -> None:
    answers = iter([OLD_PODS_END, NEW_POD_STARTS, DONE])

    def answer(_: Mapping[str, Any]) -> dict[str, Any]:
        return deployment(next(answers))

    api = ApiServerStandIn({PATH: answer})
    asyncio.run(new_pods(rollout.rollout(deployment(OLD_PODS_END)), api, every_s=0))
    assert api.asked == [PATH] * 3


def test_a_failure_of_the_update_before_is_none_of_the_one_that_undoes_it() -> None:
    given_up = {"conditions": [{"reason": rollout.GIVEN_UP, "message": 'ReplicaSet "a" has timed out progressing.'}]}
    answers = iter([OLD_PODS_END | given_up, NEW_POD_STARTS, DONE])

    def answer(_: Mapping[str, Any]) -> dict[str, Any]:
        return deployment(next(answers))

    api = ApiServerStandIn({PATH: answer})
    asyncio.run(new_pods(rollout.rollout(deployment(OLD_PODS_END)), api, every_s=0))
    assert api.asked == [PATH] * 3


def test_a_failure_is_none_of_an_update_that_the_cluster_has_not_begun_with() -> None:
    given_up = {"conditions": [{"reason": rollout.GIVEN_UP, "message": "no progress"}]}
    status = NEW_POD_STARTS | given_up  # of generation 2, whose pod exists and does not become ready
    assert rollout.rollout(deployment(status, generation=3)).given_up is None
    assert rollout.rollout(deployment(status)).given_up == "no progress"


def test_a_question_without_an_answer_is_asked_again() -> None:
    class Away(ApiServerStandIn):
        def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
            """Answer the third question."""
            reply = super().call(method, path, body)
            if len(self.asked) < rollout.MOST_FAILURES:
                raise Refusal("the API server is away")
            return reply

    api = Away({PATH: deployment(DONE)})
    asyncio.run(new_pods(rollout.rollout(deployment(OLD_PODS_END)), api, every_s=0))
    assert api.asked == [PATH] * rollout.MOST_FAILURES


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (deployment(NEW_POD_STARTS), "0 of 1 new pods are ready after 0 s"),
        (
            deployment(
                NEW_POD_STARTS
                | {"conditions": [{"type": "Progressing", "reason": rollout.GIVEN_UP, "message": "no progress"}]}
            ),
            "no progress",
        ),
        (403, f"answered 403 to {PATH}: said by the stand-in"),
    ],
)
def test_pods_that_do_not_come_are_told_with_what_to_type(answer: dict[str, Any] | int, said: str) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        asyncio.run(
            new_pods(rollout.rollout(deployment(OLD_PODS_END)), ApiServerStandIn({PATH: answer}), limit_s=0, every_s=0)
        )
    assert isinstance(answer, int) or "kubectl -n robots describe pods" in str(refused.value)


def admitted(name: str, rendered: Mapping[str, Any]) -> None:
    """In the place of guardrails: the pod of this test has no container."""


def deployed(api: ApiServerStandIn, status: Mapping[str, int] | None, *, preview: bool = False) -> None:
    """Register one Deployment of which the provider says something, and wait for it."""

    def program() -> pulumi.Output[Any]:
        namespace = Namespace("namespace", NamespaceArgs(stack="test", name="robots"))
        pod = {"metadata": {"labels": {"app": "camera"}}, "spec": {"containers": []}}
        rendered = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"namespace": "robots", "name": "camera"},
            "spec": {"selector": {"matchLabels": {"app": "camera"}}, "template": pod},
        }
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("components.guardrails.enforce", admitted)
            namespace.deploy("camera", rendered, namespace)
        return finished(namespace.deployments, lambda: api)

    deploy(program, status=status, preview=preview)


def test_a_provider_that_returns_too_early_is_not_believed() -> None:
    api = ApiServerStandIn({PATH: deployment(DONE)})
    deployed(api, {"observedGeneration": 1, "replicas": 1, "availableReplicas": 1})
    assert api.asked == [PATH]


def test_what_never_becomes_ready_fails_the_update() -> None:
    given_up = {"conditions": [{"reason": rollout.GIVEN_UP, "message": "no progress in 600 s"}]}
    api = ApiServerStandIn({PATH: deployment(NEW_POD_STARTS | given_up)})
    with pytest.raises(pulumi.RunError, match="no progress in 600 s"):
        deployed(api, {"observedGeneration": 1})


def test_a_provider_that_has_waited_is_believed_without_a_question() -> None:
    api = ApiServerStandIn({})
    deployed(api, None)
    assert api.asked == []


def test_a_preview_waits_for_nothing() -> None:
    api = ApiServerStandIn({})
    deployed(api, {"observedGeneration": 1}, preview=True)
    assert api.asked == []
