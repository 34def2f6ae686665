"""Applications of one's own: every example deploys from the lines of its README and does what it says."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import PROJECT, Journey, manifest

pytestmark = pytest.mark.cluster

EXAMPLES = sorted(path.parent.name for path in (PROJECT / "examples").glob("*/Pulumi.*.yaml"))
MEASURED = "service"
OTHERS = [name for name in EXAMPLES if name != MEASURED]
# More than two would not find a place on the lab's machines at once.
PAIRS = [OTHERS[start : start + 2] for start in range(0, len(OTHERS), 2)]
READY_LIMIT_S = 90


def readme_lines(example: str) -> list[str]:
    """Lines that the example's README tells people to type, in order."""
    text = (PROJECT / "examples" / example / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|bash|shell)\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def deploying(example: str) -> str:
    """The README's lines up to `pulumi up`."""
    lines = readme_lines(example)
    last = next(number for number, line in enumerate(lines) if "pulumi up" in line)
    return "\n".join(lines[: last + 1]).replace("pulumi up", "pulumi up --yes --skip-preview --suppress-outputs")


def wait_until_ready(journey: Journey, example: str) -> None:
    """Wait until every pod of an example is Ready."""
    deadline_s = time.monotonic() + READY_LIMIT_S
    while True:
        pods = json.loads(journey.kubectl(f"-n ros2bench-{example} get pods -o json"))["items"]
        states = {
            pod["metadata"]["name"]: [item["ready"] for item in pod["status"].get("containerStatuses", [])]
            for pod in pods
        }
        if states and all(state == [True] for state in states.values()):
            return
        assert time.monotonic() < deadline_s, states
        time.sleep(1)


def test_every_example_has_a_folder_of_its_own() -> None:
    assert {"publish-subscribe", "service", "action", "simulation", "ros1"} <= set(EXAMPLES)
    for example in EXAMPLES:
        assert (Path("examples") / example / f"Pulumi.{example}.yaml").name in "".join(readme_lines(example))


def test_an_example_is_deployed_and_measured_as_its_readme_says(journey: Journey, four_patterns: None) -> None:
    up = journey.in_lab(deploying(MEASURED))
    assert up.returncode == 0, up.stderr[-3000:] + up.stdout[-3000:]
    run = journey.in_lab(f"python -m probes.run -s {MEASURED} --repetitions 1 --duration-s 5")
    assert run.returncode == 0, run.stderr[-3000:]
    metrics = manifest(journey, run.stdout + run.stderr)["metrics"]
    assert metrics["frames_lost"]["value"] == 0
    assert 0 < metrics["inference_s"]["value"] < 0.1
    assert journey.in_lab(f"pulumi destroy -s {MEASURED} --yes --skip-preview").returncode == 0


@pytest.mark.parametrize("together", PAIRS, ids=" ".join)
def test_the_other_examples_become_ready_which_takes_their_messages(
    journey: Journey, four_patterns: None, together: list[str]
) -> None:
    lines = " &\n".join(f"(\n{deploying(example)}\n)" for example in together)
    up = journey.in_lab(f"{lines} &\nwait", timeout_s=300)
    assert up.returncode == 0, up.stderr[-3000:]
    try:
        for example in together:
            wait_until_ready(journey, example)
    finally:
        lines = " & ".join(f"pulumi destroy -s {example} --yes --skip-preview" for example in together)
        down = journey.in_lab(f"{lines} & wait", timeout_s=300)
    assert down.returncode == 0
    for example in together:
        assert journey.kubectl(f"get namespaces -l ros2bench/stack={example} -o name") == ""
