"""A recorder of the image as the tests speak to it: its file, its environment, and calls that the operator signed."""

import json
import struct
import time
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probes.signing import CallSigner
from signing.keys import public_text
from tests.images.sandbox import Network

PORT = 8090
SIGNER = CallSigner(Ed25519PrivateKey.generate(), "recorder/ros2bench-test")
OPERATOR = public_text(SIGNER.key)
ENVIRONMENT = {"ROS2BENCH_NAMESPACE": "ros2bench-test"}


def recorder_file(topics: Sequence[dict[str, Any]], *, port: int = PORT, limit_bytes: int = 2**27) -> str:
    """Content of recorder.json; /tmp is what the sandbox may write."""
    captures = {"folder": "/tmp/captures", "limit_bytes": limit_bytes}  # noqa: S108 - a path in the sandbox
    return json.dumps({"contract": 1, "port": port, "operator": OPERATOR, "captures": captures, "topics": list(topics)})


def result_topic(name: str = "/results", kind: str = "ros2bench_interfaces/msg/Result") -> dict[str, Any]:
    """A topic of the file, as the reference application's results are recorded."""
    return {"name": name, "type": kind, "reliability": "reliable", "depth": 1000, "stamp": "ros2bench"}


class Recording:
    """Calls of a running recorder."""

    def __init__(self, network: Network, signer: CallSigner = SIGNER) -> None:
        self._network = network
        self._signer = signer

    def call(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """Make a signed call; the status is 0 if nobody answers."""
        signed = self._signer.authorization(method, path, body.encode(), time.time_ns())
        return self._network.ask(PORT, path, method, body, authorization=signed)

    def start(self, capture: str, max_samples: int = 10_000) -> None:
        """Begin a capture."""
        status, said = self.call("POST", "/v1/captures", json.dumps({"capture": capture, "max_samples": max_samples}))
        assert status == 201, said

    def state(self, capture: str) -> dict[str, Any]:
        """State of a capture."""
        status, said = self.call("GET", f"/v1/captures/{capture}")
        assert status == 200, said
        return json.loads(said)

    def stop(self, capture: str) -> dict[str, Any]:
        """End a capture."""
        status, said = self.call("POST", f"/v1/captures/{capture}/stop")
        assert status == 200, said
        return json.loads(said)

    def samples(self, capture: str, topic: str = "/results", query: str = "") -> list[tuple[int, ...]]:
        """Samples of a topic."""
        status, rows = self.call("GET", f"/v1/captures/{capture}/samples?topic={topic}{query}")
        assert status == 200, rows
        return list(struct.iter_unpack("<8q", rows))
