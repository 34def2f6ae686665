"""A cluster mounts images if its API server keeps the volume and no machine is too old for it."""

from pathlib import Path
from typing import Any

import pytest

from components import api_server, image_volumes
from components.image_volumes import DRY_RUN, NODES
from tests.support import values
from tests.support.api_server_standin import ApiServerStandIn

NEW = {"kubeletVersion": "v1.34.1", "containerRuntimeVersion": "containerd://2.2.0"}
KEPT = {"spec": {"volumes": [{"name": "trial", "image": {"reference": "x"}}]}}


def test_a_cluster_that_keeps_the_volume_mounts_it() -> None:
    assert image_volumes.judged([NEW, NEW | {"containerRuntimeVersion": "cri-o://1.33.0"}], KEPT).supported


@pytest.mark.parametrize(
    ("info", "kept", "words"),
    [
        (NEW | {"kubeletVersion": "v1.30.9"}, KEPT, "kubelet v1.30.9, image volumes need 1.31"),
        (NEW | {"containerRuntimeVersion": "containerd://1.7.27"}, KEPT, "containerd 1.7.27, image volumes need 2.1"),
        (NEW | {"containerRuntimeVersion": "cri-o://1.30.1"}, KEPT, "cri-o 1.30.1, image volumes need 1.31"),
        (NEW | {"containerRuntimeVersion": "docker://28.0"}, KEPT, "of which it is not known"),
        ({}, KEPT, "kubelet "),
        (NEW, {"spec": {"volumes": [{"name": "trial"}]}}, "feature gate ImageVolume is off"),
        (
            NEW,
            "volumes[0]: must specify a volume type",
            "the API server refuses a pod with an image volume: volumes[0]",
        ),
    ],
)
def test_what_is_missing_is_said(info: dict[str, Any], kept: Any, words: str) -> None:
    answer = image_volumes.judged([NEW, info], kept)
    assert not answer.supported
    assert words in answer.reason


def test_machines_are_listed_and_a_pod_is_tried_without_being_made() -> None:
    api = ApiServerStandIn({NODES: {"items": [{"status": {"nodeInfo": NEW}}]}, DRY_RUN: KEPT})
    assert image_volumes.ask(api).supported
    assert api.asked == [NODES, DRY_RUN]
    assert "dryRun=All" in DRY_RUN


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({DRY_RUN: 422}, "the API server refuses a pod with an image volume: said by the stand-in"),
        ({DRY_RUN: 503}, "the cluster could not be asked: said by the stand-in"),
        ({NODES: 403}, f"the cluster could not be asked: cluster: the API server answered 403 to {NODES}"),
    ],
)
def test_a_refusal_is_told_from_no_answer(answers: dict[str, int], words: str) -> None:
    usual = {NODES: {"items": [{"status": {"nodeInfo": NEW}}]}, DRY_RUN: KEPT}
    answer = image_volumes.ask(ApiServerStandIn({**usual, **answers}))
    assert not answer.supported
    assert answer.reason.startswith(words)


def test_a_cluster_that_cannot_be_asked_is_taken_for_one_that_cannot(tmp_path: Path) -> None:
    """Nothing listens there, which is found out at once."""
    silent = api_server.connect("here", [values.kubeconfig(tmp_path, "https://127.0.0.1:1")])
    answer = image_volumes.ask(silent)
    assert not answer.supported
    assert answer.reason.startswith("the cluster could not be asked")


def test_the_trial_pod_asks_for_nothing_that_a_strict_cluster_refuses() -> None:
    spec = image_volumes.trial_pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["resources"]["limits"]
