"""The client of Prometheus against a stand-in server: what is asked, what comes back, how failures are said."""

import json
import math
import socket
import subprocess
import sys

import pytest

from probes.errors import TargetError
from probes.prometheus import Prometheus, QueryRefused, Series, Span
from tests.probes.prometheus_standin import matrix, no_wait, standin

SPAN = Span(1_700_000_000, 1_700_000_010, 5)


def test_a_range_is_asked_and_read() -> None:
    text = matrix(({"stack": "a"}, [(1_700_000_000, "1.5"), (1_700_000_005, "NaN"), (1_700_000_010, "+Inf")]))
    with standin(lambda _: (200, text)) as (address, asked):
        client = Prometheus(address + "/", is_forwarded=True)
        (found,) = client.over("up", SPAN)
        client.close()
    assert asked == [
        (
            "/api/v1/query_range",
            {"query": ["up"], "start": ["1700000000"], "end": ["1700000010"], "step": ["5s"]},
        )
    ]
    assert found.labels == {"stack": "a"}
    assert found.finite == ((1_700_000_000.0, 1.5),)
    assert math.isnan(found.points[1][1])
    assert found.points[2][1] == math.inf


def test_a_moment_is_asked_and_read() -> None:
    answer = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [5, "2"]}]}}
    with standin(lambda _: (200, json.dumps(answer))) as (address, asked):
        client = Prometheus(address, is_forwarded=True)
        found = client.now("sum(up)")
        client.close()
    assert found == (Series({}, ((5.0, 2.0),)),)
    assert asked[0][0] == "/api/v1/query"


def test_a_query_that_is_not_understood_is_said_in_its_words() -> None:
    problem = json.dumps({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end"})
    with standin(lambda _: (400, problem)) as (address, _):
        client = Prometheus(address, is_forwarded=True)
        with pytest.raises(QueryRefused, match=r"refused the query rate\(: .*unexpected end"):
            client.over("rate(", SPAN)
        client.close()


def test_what_is_no_prometheus_is_said() -> None:
    with standin(lambda _: (200, "<html>hello</html>")) as (address, _):
        client = Prometheus(address, is_forwarded=True)
        with pytest.raises(TargetError, match="cannot be asked at http://127") as caught:
            client.now("up")
        client.close()
    assert caught.value.reason == "prometheus_unreachable"
    assert "kubectl get pods" in caught.value.next_step


def test_nobody_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", no_wait)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Prometheus(f"http://127.0.0.1:{port}", is_forwarded=True)
    with pytest.raises(TargetError, match=f"cannot be asked at http://127.0.0.1:{port}"):
        client.over("up", SPAN)
    client.close()


def test_a_forwarded_port_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with standin(lambda _: (200, matrix())) as (address, asked):
        client = Prometheus(address, is_forwarded=True)
        assert client.over("up", SPAN) == ()
        client.close()
    assert len(asked) == 1


def test_the_runner_and_stacks_do_not_import_it() -> None:
    code = (
        "import sys, probes.run, probes.panels; print([name for name in sys.modules if name.split('.')[0] in "
        "{'prometheus_api_client', 'requests', 'pandas', 'matplotlib', 'grafana_foundation_sdk'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
