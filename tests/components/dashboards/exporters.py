"""Stand-ins for a cluster's exporters on 127.0.0.1, whose series a test changes; a real Prometheus that reads them."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import yaml

from components.dashboards.rules import RuleFile
from tests.support.http_server import serving

START_S = 20.0
Page = Callable[[float], str]
"""Text of an exporter at a Unix time; it raises OSError where the exporter is to be gone."""


@contextmanager
def exporters(pages: dict[str, Page]) -> Generator[int]:
    """Serve pages by path; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                text = pages[self.path.strip("/")](time.time())
            except OSError:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            # Prometheus may have ended meanwhile.
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the base class
            """Stay quiet."""

    with serving(Handler) as port:
        yield port


@contextmanager
def running_prometheus(
    program: Path, folder: Path, exporter_port: int, jobs: dict[str, str], rules: RuleFile
) -> Generator[int]:
    """Run a Prometheus that reads the stand-ins; gives its port.

    Args:
        program: Prometheus.
        folder: Empty folder for its configuration and its series.
        exporter_port: Of the stand-ins.
        jobs: Scrape interval of each job, which is the path of its page, too.
        rules: The rule file.
    """
    settings = {
        "global": {"evaluation_interval": "5s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": job,
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "metrics_path": f"/{job}",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{exporter_port}"], "labels": labels_of(job)}],
            }
            for job, interval in jobs.items()
        ],
    }
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    with running(program, folder, settings) as port:
        yield port


@contextmanager
def running(program: Path, folder: Path, settings: Mapping[str, Any], *options: str) -> Generator[int]:
    """Run a Prometheus with a configuration; gives its port.

    Args:
        program: Prometheus.
        folder: Where its configuration, its series and its log are kept.
        settings: Its configuration.
        options: Further words of its command line.
    """
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = free_port()
    words = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        *options,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            wait_until_ready(port, process, folder / "log")
            yield port
        finally:
            process.terminate()


def labels_of(job: str) -> dict[str, str]:
    """Labels that relabelling would give the pods of a job."""
    if job == "recorder":
        return {"stack": "a", "pattern": "microservices", "instance": "recorder-1", "pod": "recorder-1"}
    if job == "gone":
        return {"job": "recorder", "stack": "b", "pattern": "overlay", "instance": "recorder-2", "pod": "recorder-2"}
    if job == "kube-state-metrics":
        return {"instance": "kube-state-metrics-1"}
    return {"stack": "p", "machine": "edge", "instance": f"{job}-1", "pod": f"{job}-1"}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until Prometheus answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/-/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(log.read_text())
