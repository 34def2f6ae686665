"""The proofs that need few repetitions, typed as `make prove` does; the whole table is docs/proofs.md."""

import json
from typing import Any

import pytest

from benchmarks.proofs.__main__ import REDUCED
from tests.cluster.conftest import Journey

pytestmark = pytest.mark.cluster

TRIES = 3


def prove(journey: Journey, words: str) -> list[dict[str, Any]]:
    """Findings of a call of the proofs."""
    done = journey.in_lab(f"python -m benchmarks.proofs --reduced --json {words}", timeout_s=1500)
    assert done.returncode in {0, 1, 3}, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.usefixtures("four_patterns")
def test_claims_about_the_measurements_hold(journey: Journey) -> None:
    # Other tests have written settings into the stack files; a proof starts from those of the tree.
    assert journey.type("git checkout -q Pulumi.monolithic.yaml Pulumi.microservices.yaml").returncode == 0
    found = prove(journey, "--output proofs-of-the-test.md")
    assert {one["proof"] for one in found} == set(REDUCED)
    for _ in range(TRIES - 1):  # another program that holds the cores for a second spoils a proof: that one is not ours
        again = sorted({one["proof"] for one in found if one["verdict"] != "holds"})
        if not again:
            break
        found = prove(journey, " ".join(f"--only {number}" for number in again))
    assert [one for one in found if one["verdict"] != "holds"] == []
    table = (journey.checkout / "proofs-of-the-test.md").read_text()
    assert all(f"`python -m benchmarks.proofs --only {number}`" in table for number in REDUCED)
    left = journey.kubectl("get pods -A -l app.kubernetes.io/component=application -o json")
    assert json.loads(left)["items"] == [], "what was deployed is removed again"
