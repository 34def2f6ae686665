"""Components are loaded, exchanged and refused while the others run."""

import json
import re
from collections.abc import Generator

import pytest

from tests.cluster.conftest import UP, Journey

pytestmark = pytest.mark.cluster

SILENCE_LIMIT_S = 2.8


@pytest.fixture(scope="module")
def composition(journey: Journey, four_patterns: None) -> Generator[None]:
    journey.type("git checkout -q Pulumi.composition.yaml")
    up = journey.in_lab(f"{UP} -s composition")
    assert up.returncode == 0, up.stderr[-3000:]
    yield
    assert journey.in_lab("pulumi destroy -s composition --yes --skip-preview").returncode == 0


def nodes(journey: Journey) -> dict[str, str]:
    """Loaded nodes and their numbers."""
    done = journey.in_lab("python -m probes.components list -s composition")
    assert done.returncode == 0, done.stderr
    return {name: number for number, name in re.findall(r"(\d+)\s+(/\w+)", done.stdout)}


def audit(journey: Journey) -> list[dict[str, object]]:
    """What the component container wrote about calls."""
    log = journey.kubectl("-n ros2bench-composition logs -l app.kubernetes.io/component=application --tail=-1")
    lines = (line[line.index("{") :] for line in log.splitlines() if '"audit"' in line)
    return [json.loads(line) for line in lines]


def test_a_node_is_exchanged_while_the_others_run(journey: Journey, composition: None) -> None:
    before = nodes(journey)
    assert set(before) == {"/camera", "/detector", "/reader", "/monitor"}
    done = journey.in_lab("python -m probes.components swap detector ros2bench_nodes.detector.Detector -s composition")
    assert done.returncode == 0, done.stderr
    after = nodes(journey)
    assert after["/detector"] != before["/detector"]
    assert {n: i for n, i in after.items() if n != "/detector"} == {n: i for n, i in before.items() if n != "/detector"}
    found = re.search(r"silence\D+([\d.]+) (ms|s)\b", done.stdout)
    assert found, done.stdout
    silence_s = float(found[1]) / (1000 if found[2] == "ms" else 1)
    print(f"hot swap of the detector: longest silence {silence_s:.3f} s")
    assert 0 < silence_s <= SILENCE_LIMIT_S


def test_a_class_that_is_not_listed_is_refused_and_audited(journey: Journey, composition: None) -> None:
    before = nodes(journey)
    done = journey.in_lab("python -m probes.components load os.path.join --node intruder -s composition")
    assert done.returncode == 4, done.stdout
    assert "(unlisted)" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert nodes(journey) == before
    assert [line for line in audit(journey) if line["result"] == "refused" and line["reason"] == "unlisted"]


def test_another_key_is_refused(journey: Journey, composition: None) -> None:
    done = journey.in_lab(
        "python -m probes.components unload camera -s composition",
        ROS2BENCH_SIGNING_KEY=str(journey.checkout / "another.pem"),
    )
    assert done.returncode == 2
    assert "obeys the key" in done.stderr + done.stdout
