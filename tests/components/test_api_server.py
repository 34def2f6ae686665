"""Questions to an API server, and what its answers mean."""

from pathlib import Path

import pytest

from components import api_server
from components.refusal import Refusal
from tests.support import values
from tests.support.api_server_standin import ApiServerStandIn

GROUP = "monitoring.coreos.com/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def test_a_group_that_is_not_served_is_told_from_one_without_a_resource() -> None:
    assert api_server.resources(ApiServerStandIn({}), GROUP) is None
    served = ApiServerStandIn({f"/apis/{GROUP}": {"resources": [{"name": "podmonitors"}]}})
    assert api_server.resources(served, GROUP) == {"podmonitors"}
    assert api_server.resources(ApiServerStandIn({f"/apis/{GROUP}": {}}), GROUP) == frozenset()


def test_an_answer_that_is_no_answer_is_a_refusal_with_what_to_try() -> None:
    with pytest.raises(Refusal, match=rf"answered 503 to /apis/{GROUP}: said by the stand-in"):
        api_server.resources(ApiServerStandIn({f"/apis/{GROUP}": 503}), GROUP)
    with pytest.raises(Refusal, match="answered 403"):
        api_server.may(ApiServerStandIn({REVIEWS: 403}), verb="create", group="", resource="pods")


def test_what_the_account_may_do_is_what_the_review_says() -> None:
    for allowed in (True, False):
        found = ApiServerStandIn({REVIEWS: {"status": {"allowed": allowed}}})
        assert api_server.may(found, verb="create", group="", resource="pods", namespace="n") is allowed


def test_plain_text_is_an_empty_answer() -> None:
    assert api_server.decoded("404 page not found\n") == {}
    assert api_server.decoded("[]") == {}
    assert api_server.decoded('{"kind": "Status"}') == {"kind": "Status"}


def test_a_cluster_that_does_not_answer_is_a_refusal(tmp_path: Path) -> None:
    """Nothing listens there, which is found out at once."""
    silent = api_server.connect("here", [values.kubeconfig(tmp_path, "https://127.0.0.1:1")])
    with pytest.raises(Refusal, match="GET /apis on the API server of context 'here' failed"):
        silent.call("GET", "/apis")
