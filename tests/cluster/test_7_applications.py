"""Applications of one's own: every example deploys from the lines of its README and does what it says."""

import json
import re
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cluster.conftest import PROJECT, UP, Journey, manifest

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


def removing(example: str) -> str:
    """The README's last line."""
    return f"pulumi destroy -s {example} --yes --skip-preview && pulumi stack rm {example} --yes"


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


@pytest.fixture(scope="module")
def service(journey: Journey, four_patterns: None) -> Generator[None]:
    """The measured example runs, deployed with the lines of its README."""
    up = journey.in_lab(deploying(MEASURED))
    assert up.returncode == 0, up.stderr[-3000:] + up.stdout[-3000:]
    yield
    assert journey.in_lab(removing(MEASURED)).returncode == 0


def parameters(journey: Journey) -> set[str]:
    """Parameter files in the cluster that set the client's rate, as `rate_hz: value`."""
    text = journey.kubectl(f"-n ros2bench-{MEASURED} get configmaps -o yaml")
    return set(re.findall(r"rate_hz: [0-9.]+", text))


def test_an_example_is_measured_as_its_readme_says(journey: Journey, service: None) -> None:
    run = journey.in_lab(f"python -m probes.run -s {MEASURED} --repetitions 1 --duration-s 5")
    assert run.returncode == 0, run.stderr[-3000:]
    metrics = manifest(journey, run.stdout + run.stderr)["metrics"]
    assert metrics["frames_lost"]["value"] == 0
    assert 0 < metrics["inference_s"]["value"] < 0.1


def test_a_parameter_is_updated_and_undone_as_the_guide_says(journey: Journey, service: None) -> None:
    file = f"Pulumi.{MEASURED}.yaml"
    key = "ros2bench:spec.application.nodes.service_client.parameters.rate_hz.double"
    before = parameters(journey)
    assert journey.type(f"cp {file} before.yaml").returncode == 0
    changed = journey.in_lab(
        f"pulumi config set -s {MEASURED} --path --type float {key} 20.5; pulumi preview -s {MEASURED} --diff; "
        f"{UP} -s {MEASURED}"
    )
    assert changed.returncode == 0, changed.stderr[-3000:]
    assert parameters(journey) == {"rate_hz: 20.5"} != before
    undone = journey.in_lab(f"cp before.yaml {file} && {UP} -s {MEASURED}")
    assert undone.returncode == 0, undone.stderr[-3000:]
    assert parameters(journey) == before
    assert "update" in journey.in_lab(f"pulumi stack history -s {MEASURED}").stdout
    wait_until_ready(journey, MEASURED)


def test_the_same_from_python_with_a_failed_update_undone(journey: Journey, service: None) -> None:
    program = "python examples/deploy_and_update.py"
    node = "application.nodes.service_client"
    done = journey.in_lab(f"{program} update -s {MEASURED} {node}.parameters.rate_hz.double=20.0")
    assert done.returncode == 0, done.stderr
    assert re.search(r"Done in [0-9.]+ s: .*replace 1", done.stdout)
    assert parameters(journey) == {"rate_hz: 20.0"}
    file = (journey.checkout / f"Pulumi.{MEASURED}.yaml").read_bytes()
    failed = journey.in_lab(f"{program} update -s {MEASURED} {node}.image=no-such-role")
    assert failed.returncode == 4
    assert "no-such-role" in failed.stderr
    assert "going back" in failed.stdout
    assert (journey.checkout / f"Pulumi.{MEASURED}.yaml").read_bytes() == file
    assert parameters(journey) == {"rate_hz: 20.0"}
    status = journey.in_lab(f"{program} status -s {MEASURED}").stdout
    assert "microservices, running" in status
    assert "last update: succeeded" in status


def test_the_cluster_takes_the_manifests_that_are_rendered_without_it(journey: Journey, service: None) -> None:
    done = journey.in_lab(
        f"python -m stacks.render -s {MEASURED} -o rendered; kubectl apply --server-side --dry-run=server -f rendered"
    )
    assert done.returncode == 0, done.stderr
    assert "deployment.apps/service-client serverside-applied" in done.stdout


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
        lines = " & ".join(f"({removing(example)})" for example in together)
        down = journey.in_lab(f"{lines} & wait", timeout_s=300)
    assert down.returncode == 0
    for example in together:
        assert journey.kubectl(f"get namespaces -l ros2bench/stack={example} -o name") == ""
