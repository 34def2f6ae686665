"""The cluster that is meant is found in the kubeconfig, or the choices are listed."""

import socket
from pathlib import Path

import pytest

from components.cluster import Context, check_reachable, chosen_context
from components.refusal import Refusal
from tests.support import values


def test_the_current_context_is_the_default(tmp_path: Path) -> None:
    context = chosen_context(None, [values.kubeconfig(tmp_path)])
    assert context == Context(name="here", server="https://cluster.example:6443", through_proxy=False)


def test_the_spec_chooses_another(tmp_path: Path) -> None:
    assert chosen_context("there", [tmp_path / "absent", values.kubeconfig(tmp_path)]).name == "there"


def test_a_wrong_context_lists_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"cluster\.context is 'ther'.* Did you mean there\? Choices: here, there"):
        chosen_context("ther", [values.kubeconfig(tmp_path)])


def test_no_kubeconfig_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="python -m lab up"):
        chosen_context(None, [tmp_path / "absent"])


@pytest.mark.parametrize(
    "text", ["- 1", "a: [", "current-context: x", "contexts: [{name: x, context: {}}]\ncurrent-context: x"]
)
def test_a_kubeconfig_without_a_cluster_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refusal, match="kubeconfig"):
        chosen_context(None, [path])


def test_a_cluster_that_answers_is_left_alone() -> None:
    asked: list[tuple[tuple[str, int], float]] = []

    def connect(address: tuple[str, int], timeout_s: float) -> socket.socket:
        asked.append((address, timeout_s))
        return socket.socket()

    check_reachable(Context(name="x", server="https://cluster.example", through_proxy=False), connect)
    assert asked == [(("cluster.example", 443), 5.0)]


def test_a_cluster_that_does_not_answer_is_named() -> None:
    def connect(address: tuple[str, int], timeout_s: float) -> socket.socket:
        raise ConnectionRefusedError(111, "refused")

    context = Context(name="here", server="https://10.0.0.1:6443", through_proxy=False)
    with pytest.raises(Refusal, match=r"cluster unreachable: nothing answers at https://10\.0\.0\.1:6443.*'here'"):
        check_reachable(context, connect)
