"""Mistakes and faults: a clear sentence, the right exit code, nothing lost, no traceback."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Journey, manifest

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("demo")]

QUICK = "python -m probes.run -s monolithic --repetitions 1 --duration-s 3 --warmup-s 1 --cool-down-s 0"


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that a command failed as it should."""
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, word


@contextmanager
def stack_file(journey: Journey, name: str, text: str) -> Generator[None]:
    """Put another stack file in place for a moment."""
    file = journey.checkout / f"Pulumi.{name}.yaml"
    before = file.read_text()
    salt = "".join(line + "\n" for line in before.splitlines() if line.startswith("encryptionsalt"))
    file.write_text(text + salt)
    try:
        yield
    finally:
        file.write_text(before)


SPEC = "config:\n  ros2bench:spec:\n    pattern: monolithic\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("    statee: parked\n", ["statee", "state", "Pulumi.monolithic.yaml"]),
        ("    application: {load: {rateHz: fast}}\n", ["rateHz", "fast"]),
        ("    state: sleeping\n", ["sleeping", "parked", "running"]),
    ],
    ids=["unknown key", "wrong type", "wrong choice"],
)
def test_mistake_in_a_stack_file(journey: Journey, line: str, words: list[str]) -> None:
    with stack_file(journey, "monolithic", SPEC + line):
        done = journey.in_lab("pulumi preview -s monolithic")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stdout + done.stderr


def test_unknown_stack_names_those_that_exist(journey: Journey) -> None:
    refused(journey.in_lab("python -m probes.run -s monolihtic"), 2, "monolihtic", "monolithic", "platform")


def test_stack_that_is_not_up_says_what_to_type(journey: Journey) -> None:
    refused(journey.in_lab("python -m probes.run -s dev"), 4, "pulumi up -s dev")


def kubeconfig(journey: Journey, change: str) -> Path:
    """Return a copy of the lab's kubeconfig with a change made by sed."""
    target = journey.checkout / "changed-kubeconfig"
    done = journey.in_lab(f"sed '{change}' \"$KUBECONFIG\" > {target}")
    assert done.returncode == 0, done.stderr
    return target


def test_unreachable_cluster(journey: Journey) -> None:
    file = kubeconfig(journey, "s/:6443/:6444/")
    refused(journey.in_lab(f"KUBECONFIG={file} {QUICK}"), 4, "6444")
    done = journey.in_lab(f"KUBECONFIG={file} pulumi preview -s monolithic")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr


def test_wrong_context(journey: Journey) -> None:
    file = kubeconfig(journey, "s/^current-context:.*/current-context: elsewhere/")
    refused(journey.in_lab(f"KUBECONFIG={file} {QUICK}"), 4, "elsewhere")


def test_digest_that_the_registry_does_not_have(journey: Journey) -> None:
    changed = journey.checkout / "changed-lock.json"
    lock = json.loads(journey.in_lab('cat "$ROS2BENCH_IMAGES_LOCK"').stdout)
    lock["images"]["application-monolithic"]["digest"] = "sha256:" + "0" * 64
    changed.write_text(json.dumps(lock))
    done = journey.in_lab(f"ROS2BENCH_IMAGES_LOCK={changed} pulumi preview -s monolithic")
    assert done.returncode != 0
    assert "python -m images.build" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@contextmanager
def store_cut_off(journey: Journey) -> Generator[None]:
    """Refuse connections to the object store, in the hub's own network, for a moment."""
    hub = json.loads(journey.type(".venv/bin/python -m lab status --json").stdout)["machines"]["hub"]["pid"]
    rule = ["INPUT", "-p", "tcp", "--dport", "8333", "-j", "REJECT", "--reject-with", "tcp-reset"]
    inside = ["nsenter", "-t", str(hub), "--net", "iptables"]
    subprocess.run([*inside, "-A", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run([*inside, "-D", *rule], check=True)


def test_store_down_keeps_the_run_and_resume_stores_it(journey: Journey) -> None:
    with store_cut_off(journey):
        done = journey.in_lab(QUICK)
    refused(done, 5, "python -m probes.resume")
    listed = journey.in_lab("python -m probes.doctor")
    assert "probes.resume" in listed.stdout + listed.stderr
    resumed = journey.in_lab("python -m probes.resume")
    assert resumed.returncode == 0, resumed.stderr
    assert manifest(journey, resumed.stdout + resumed.stderr)["metrics"]["frames_lost"]["value"] >= 0


def test_missing_bucket_and_wrong_keys_keep_the_run_until_it_can_be_stored(journey: Journey) -> None:
    refused(journey.in_lab(f"{QUICK} --store s3://no-such-bucket"), 5, "no-such-bucket")
    keys = journey.checkout / "wrong-credentials"
    keys.write_text("[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n")
    refused(journey.in_lab(f"AWS_SHARED_CREDENTIALS_FILE={keys} {QUICK}"), 5, "refuses the credentials")
    again = journey.in_lab("python -m probes.resume")
    refused(again, 5, "no-such-bucket")  # each run goes to its own store: one is there now, one still is not
    assert manifest(journey, again.stdout + again.stderr)["state"] == "complete"
    elsewhere = journey.in_lab("python -m probes.resume --store s3://ros2bench")
    assert elsewhere.returncode == 0, elsewhere.stderr


def test_no_message_names_topic_domain_and_what_was_discovered(journey: Journey) -> None:
    assert journey.in_lab("pulumi up -s monolithic --yes --skip-preview", ROS2BENCH_STATE="parked").returncode == 0
    refused(journey.in_lab(f"{QUICK} --ready-timeout-s 5"), 4)
    assert journey.in_lab("pulumi up -s monolithic --yes --skip-preview").returncode == 0


def test_disk_full_in_the_spool(journey: Journey, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        done = journey.in_lab(f"XDG_DATA_HOME={small} {QUICK}")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode in {2, 4, 6}, done.stdout + done.stderr
    assert str(small) in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def interrupted(journey: Journey, phase: str) -> tuple[int, str]:
    """Start a run, type Ctrl-C once it says `phase`; return exit code and output."""
    environment = journey.in_lab("env -0").stdout.split("\0")
    variables = dict(line.split("=", 1) for line in environment if "=" in line)
    command = ["-m", "probes.run", "-s", "monolithic", "--cycles", "install", "--repetitions", "2", "--duration-s", "5"]
    said: list[str] = []
    with subprocess.Popen(
        ["python", *command],
        cwd=journey.checkout,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            if re.search(phase, line):
                time.sleep(0.7)
                os.killpg(process.pid, signal.SIGINT)
                break
        said.append(process.stdout.read())
        code = process.wait(120)
    print(phase, code, "".join(said))
    return code, "".join(said)


@pytest.mark.parametrize(
    ("phase", "codes"),
    [
        ("run .* of stack", {130}),
        ("1/2: park", {130}),
        ("1/2: deploy", {130}),
        pytest.param("1/2: warm up", {6, 130}, marks=pytest.mark.full),
        ("measure", {6}),
        ("2/2: park", {6}),
    ],
)
def test_ctrl_c_in_every_phase(journey: Journey, phase: str, codes: set[int]) -> None:
    code, said = interrupted(journey, phase)
    assert code in codes, said
    assert "Traceback" not in said
    again = journey.in_lab("pulumi up -s monolithic --yes --skip-preview")
    assert again.returncode == 0, again.stderr


def test_after_all_of_this_a_run_still_works(journey: Journey) -> None:
    done = journey.in_lab(QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    one: dict[str, Any] = manifest(journey, done.stdout + done.stderr)
    assert one["metrics"]["inference_s"]["value"] > 0
