"""Digests of other people's images are computed from what their publishers send, and never made up."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from images import third_party
from images.errors import BuildError
from images.publishers import digest, parse

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
IMAGE = "quay.example/prometheus/prometheus:v3.5.0"


def client(answers: Mapping[str, httpx.Response]) -> httpx.Client:
    """Answers by address without its query."""
    return httpx.Client(
        transport=httpx.MockTransport(lambda asked: answers.get(str(asked.url).partition("?")[0], httpx.Response(404)))
    )


def manifest(**headers: str) -> httpx.Response:
    return httpx.Response(200, content=MANIFEST, headers=headers)


URL = "https://quay.example/v2/prometheus/prometheus/manifests/v3.5.0"


def test_the_digest_is_computed_from_what_arrived() -> None:
    assert digest(parse(IMAGE), client({URL: manifest()})) == DIGEST
    with pytest.raises(BuildError, match="what arrived was changed"):
        digest(parse(IMAGE), client({URL: manifest(**{"Docker-Content-Digest": f"sha256:{'0' * 64}"})}))


def test_a_token_that_anybody_gets_is_asked_for_where_the_registry_says() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.host == "auth.example":
            return httpx.Response(200, json={"token": "t"})
        if request.headers.get("Authorization") == "Bearer t":
            return manifest()
        challenge = 'Bearer realm="https://auth.example/token",service="s",scope="repository:x:pull"'
        return httpx.Response(401, headers={"WWW-Authenticate": challenge})

    found = digest(parse("docker.io/library/x:1"), httpx.Client(transport=httpx.MockTransport(answer)))
    assert found == DIGEST
    assert [request.url.host for request in asked] == ["registry-1.docker.io", "auth.example", "registry-1.docker.io"]
    assert dict(asked[1].url.params) == {"service": "s", "scope": "repository:x:pull"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (httpx.Response(404), "has no prometheus/prometheus:v3.5.0"),
        (httpx.Response(500), "answered 500"),
        (httpx.Response(401, headers={"WWW-Authenticate": "Basic realm=x"}), "no token for anybody"),
        (httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="http://x/"'}), "no token for anybody"),
        (httpx.Response(401, headers={"WWW-Authenticate": 'Bearer realm="https://x.example/"'}), "gave no token"),
    ],
)
def test_a_publisher_that_does_not_tell_is_a_sentence(reply: httpx.Response, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        digest(parse(IMAGE), client({URL: reply}))


def test_what_was_learnt_is_kept_beside_what_could_not_be() -> None:
    said: list[str] = []
    wanted = {"prometheus": IMAGE, "grafana": "quay.example/grafana:1", "odd": "latest"}
    found = third_party.learn(wanted, client({URL: manifest()}), said.append)
    assert found.references == {"prometheus": f"quay.example/prometheus/prometheus@{DIGEST}"}
    assert set(found.problems) == {"grafana", "odd"}
    assert len(said) == 3


def test_the_lock_keeps_what_it_had(tmp_path: Path) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps({"contract": 1, "images": {"a": "x@old", "b": "y"}}))
    assert json.loads(third_party.merged(lock, {"a": "x@new"}))["images"] == {"a": "x@new", "b": "y"}
    lock.write_text('{"contract": 2, "images": {}}')
    with pytest.raises(BuildError, match="contract is 2"):
        third_party.merged(lock, {})
    lock.write_text("[]")
    with pytest.raises(BuildError, match="is no lock of the platform's images"):
        third_party.merged(lock, {})


def test_every_program_of_the_contract_has_a_tag() -> None:
    tags = third_party.tags()
    assert {
        "prometheus",
        "alertmanager",
        "node-exporter",
        "kube-state-metrics",
        "metrics-server",
        "grafana",
        "prometheus-operator",
        "prometheus-adapter",
        "vpa-recommender",
        "jaeger",
        "loki",
        "promtail",
        "nvidia-device-plugin",
    } <= tags.keys()
    assert all(parse(text).tag != "latest" for text in tags.values())


def test_an_unknown_name_is_answered_with_the_choices() -> None:
    import typer  # noqa: PLC0415 - the command is made for this test

    app = typer.Typer()
    app.command()(third_party.main)
    done = CliRunner().invoke(app, ["promehteus"])
    assert done.exit_code == 2
    assert "promehteus" in done.output
