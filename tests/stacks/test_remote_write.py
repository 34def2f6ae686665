"""Samples reach a second place: a real Prometheus, configured by the stack, writes to another real one.

Kubernetes is not there, so the scrape configurations are one of a stand-in; the rest of the configuration is the
stack's. Between the two stands a server that asks for the token, and can be away.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components.observability.prometheus import TOKEN_FOLDER, TOKEN_KEY
from tests.components.dashboards.exporters import exporters, running
from tests.components.dashboards.promtool import find_program
from tests.stacks.test_observability import PASSWORD, deployed
from tests.support.http_server import serving

pytestmark = pytest.mark.image

TOKEN = "a-token-of-the-test"
AWAY_S = 6.0
LIMIT_S = 40.0


@dataclass
class Door:
    """What stands before the second place: whether it is open, and who came without the token."""

    is_open: bool = True
    refused: int = 0


@contextmanager
def door_before(port: int, door: Door) -> Generator[int]:
    """Hand on what comes with the token to a port; gives the door's own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not door.is_open:
                self.send_error(503)
                return
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                door.refused += 1
                self.send_error(401)
                return
            kept = {key: value for key, value in self.headers.items() if key.startswith(("Content-", "X-"))}
            answer = httpx.post(f"http://127.0.0.1:{port}{self.path}", content=body, headers=kept, trust_env=False)
            self.send_response(answer.status_code)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
            """Stay quiet."""

    with serving(Handler) as entrance:
        yield entrance


def samples(port: int, expression: str, at_s: float) -> dict[float, str]:
    """Samples of the one series of an expression, by time."""
    asked = {"query": expression, "time": str(at_s)}
    found = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params=asked, trust_env=False).json()["data"]["result"]
    assert len(found) <= 1, found
    return {float(at): value for at, value in found[0]["values"]} if found else {}


def stack_settings(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> dict[str, Any]:
    """Configuration that a stack makes, with the token where this test may write."""
    (folder / TOKEN_KEY).write_text(TOKEN)
    monkeypatch.setitem(PASSWORD, "write-token", TOKEN)
    found = deployed(folder, monkeypatch, remoteWrite={"url": url, "tokenSecret": "write-token"})
    text = found.one("ConfigMap", "prometheus").inputs["data"]["prometheus.yml"]
    settings = yaml.safe_load(text.replace(TOKEN_FOLDER, str(folder)))
    return {key: settings[key] for key in ("global", "remote_write")}


def test_what_the_second_place_misses_while_it_is_away_it_gets_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    program, door, began_s = find_program("prometheus"), Door(), time.time()
    with (
        exporters({"recorder": lambda now_s: f"ros2bench_messages_total {now_s - began_s}\n"}) as source,
        running(program, second, {}, "--web.enable-remote-write-receiver") as receiver,
        door_before(receiver, door) as entrance,
    ):
        settings = stack_settings(tmp_path, monkeypatch, f"http://127.0.0.1:{entrance}/api/v1/write")
        scraped = {
            "job_name": "recorder",
            "metrics_path": "/recorder",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{source}"]}],
        }
        with running(program, first, settings | {"scrape_configs": [scraped]}) as sender:
            deadline_s = time.monotonic() + LIMIT_S
            while not samples(receiver, "ros2bench_messages_total[1m]", time.time()):
                assert time.monotonic() < deadline_s, (first / "log").read_text()
                time.sleep(0.5)
            door.is_open = False
            time.sleep(AWAY_S)
            until_s = time.time()
            door.is_open = True
            wanted = samples(sender, "ros2bench_messages_total[1m]", until_s)
            assert len(wanted) > AWAY_S
            written = 'ros2bench_messages_total{platform="platform",job="recorder"}[1m]'
            while (arrived := samples(receiver, written, until_s)) != wanted:
                assert time.monotonic() < deadline_s, f"{len(arrived)} of {len(wanted)} samples have arrived"
                time.sleep(0.5)
    assert door.refused == 0, "every request carries the token"
