"""What the probes sign is what a component container accepts, and an unusable key is the user's to mend."""

from pathlib import Path

import pytest

from probes import signing
from probes.errors import UsageError
from signing.keys import public_text
from tests.images.in_cluster import module

NOW_NS = 1_700_000_000_000_000_000
trusting = module("ros2bench_composition.signature")
requests = module("ros2bench_composition.request")


def test_container_accepts_what_the_probes_sign(tmp_path: Path) -> None:
    key = signing.operator_key(tmp_path / "key.pem")
    authority = trusting.Authority(trusting.public_key(public_text(key)), lambda: NOW_NS)
    content = {"call": "unload", "container": "/perception", "unique_id": 3}
    body = signing.signed(content, key, lambda: NOW_NS)
    assert "call" not in body
    request = requests.UnloadRequest(body["unique_id"], body["nonce"], body["time_ns"], body["signature"])
    authority.check(request.signed("/perception"), request.signature)
    again = signing.signed(content, key, lambda: NOW_NS)
    assert again["nonce"] != body["nonce"]


def test_key_that_cannot_be_used_is_a_mistake_with_a_next_step(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    signing.operator_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="mode 0644") as refused:
        signing.operator_key(path)
    assert refused.value.next_step == f"chmod 600 {path}"
