"""Services and actions over every network: client and server on two machines, with multicast on one."""

import json

import pytest

from tests.cluster.conftest import Journey, manifest
from tests.cluster.test_7_applications import deploying, removing

pytestmark = [pytest.mark.cluster, pytest.mark.full]

# A goal takes a second: fewer than twenty outcomes carry no distribution.
DURATION_S = {"service": 10, "action": 25}


@pytest.mark.parametrize("network", ["multicast", "static-peers", "server", "host-network"])
@pytest.mark.parametrize("example", list(DURATION_S))
def test_calls_and_goals_cross_every_network(journey: Journey, four_patterns: None, example: str, network: str) -> None:
    machines = {"client": "cloud", "server": "edge" if network != "multicast" else "cloud"}
    # Multicast stays on one machine, so the recorder must be there, too.
    settings = {"network.discovery": network, "placement.nearRecorder": "false"}
    settings |= {'placement.recorderNodeSelector["kubernetes.io/hostname"]': "cloud"}
    settings |= {
        f'application.nodes.{example}_{side}.nodeSelector["kubernetes.io/hostname"]': machine
        for side, machine in machines.items()
    }
    lines = [
        f"pulumi config set -s {example} --path 'ros2bench:spec.{path}' {value}" for path, value in settings.items()
    ]
    *before, up = deploying(example).splitlines()
    done = journey.in_lab("\n".join([*before, *lines, up]))
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    try:
        run = journey.in_lab(f"python -m probes.run -s {example} --repetitions 1 --duration-s {DURATION_S[example]}")
        assert run.returncode == 0, run.stderr[-3000:]
        record = manifest(journey, run.stdout + run.stderr)
        assert record["metrics"]["frames_lost"]["value"] == 0
        assert record["metrics"]["frames_delivered"]["value"] > 0
        placed = json.loads(journey.kubectl(f"-n ros2bench-{example} get pods -o json"))["items"]
        found = {
            pod["metadata"]["labels"]["app.kubernetes.io/name"].rpartition("-")[2]: pod["spec"]["nodeName"]
            for pod in placed
            if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "application"
        }
        assert found == machines
    finally:
        down = journey.in_lab(removing(example))
    assert down.returncode == 0
