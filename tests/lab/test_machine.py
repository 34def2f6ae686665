"""The first process of a machine: identity, atomic records, supervision."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import machine, machines
from lab.errors import LabError
from lab.folders import LabFolders

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def own_ticks(pid: int | str = "self") -> int:
    return machine.start_ticks(Path(f"/proc/{pid}/stat").read_text())


@given(st.text(alphabet=st.characters(exclude_characters="\n", codec="ascii"), max_size=15), st.integers(0, 2**40))
def test_start_time_is_read_whatever_the_program_is_called(name: str, ticks: int) -> None:
    fields = " ".join(["S", *["0"] * 18, str(ticks), "0", "0"])
    assert machine.start_ticks(f"12 ({name}) {fields}") == ticks


def test_a_process_is_known_by_number_start_and_boot() -> None:
    assert machines.is_same_process(os.getpid(), own_ticks(), BOOT_ID)
    assert not machines.is_same_process(os.getpid(), own_ticks() + 1, BOOT_ID)
    assert not machines.is_same_process(os.getpid(), own_ticks(), "another boot")
    assert not machines.is_same_process(2**22 + 1, own_ticks(), BOOT_ID)


def test_a_zombie_does_not_count_as_running() -> None:
    child = subprocess.Popen(["true"])
    ticks = own_ticks(child.pid)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not machines.is_same_process(child.pid, ticks, BOOT_ID)
    child.wait()


def test_record_is_replaced_whole(tmp_path: Path) -> None:
    machine.write_atomically(tmp_path / "record.json", {"phase": "starting"})
    machine.write_atomically(tmp_path / "record.json", {"phase": "running"})
    assert json.loads((tmp_path / "record.json").read_text()) == {"phase": "running"}
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def service(tmp_path: Path, command: list[str], requires: list[str] | None = None) -> machine.Service:
    spec = {"name": "one", "command": command, "environment": {}, "requires": requires or []}
    return machine.Service(spec, tmp_path)


def test_service_starts_only_once_its_files_exist_and_its_end_is_logged(tmp_path: Path) -> None:
    one = service(tmp_path, ["sh", "-c", "echo hello; exit 3"], [str(tmp_path / "needed")])
    assert not one.start_if_due()
    (tmp_path / "needed").touch()
    assert one.start_if_due()
    assert one.process
    _, status = os.waitpid(one.process.pid, 0)
    one.ended(status)
    assert (tmp_path / "one.log").read_text() == "hello\n[machine] one ended with status 3\n"
    assert not one.start_if_due(), "it waits before it starts again"
    one.next_start = 0
    assert one.start_if_due()
    assert one.starts == 2
    one.ended(os.waitpid(one.process.pid, 0)[1])


SUPERVISOR = """
import json, sys
from pathlib import Path
sys.path.insert(0, {project!r})
from lab import machine
import signal
machine.RESTART_DELAY_S = machine.POLL_S = 0.02
spec = json.loads(Path(sys.argv[1]).read_text())
supervisor = machine.Machine(spec, {{"pid": 0}})
signal.signal(signal.SIGTERM, supervisor.stop)
supervisor.run()
"""


def test_supervisor_restarts_what_dies_and_ends_what_runs(tmp_path: Path) -> None:
    spec = {
        "record": str(tmp_path / "record.json"),
        "logs": str(tmp_path),
        "services": [
            {"name": "dies", "command": ["false"], "environment": {}, "requires": []},
            {"name": "stays", "command": ["sleep", "600"], "environment": {}, "requires": []},
        ],
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    program = SUPERVISOR.format(project=str(Path(machine.__file__).parents[1]))
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "spec.json")])
    deadline = time.monotonic() + 10
    services: dict[str, dict[str, int]] = {}
    while services.get("dies", {}).get("starts", 0) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        if (tmp_path / "record.json").exists():
            services = json.loads((tmp_path / "record.json").read_text())["services"]
    assert services["stays"] == {"running": True, "starts": 1}
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert "stays ended with status -15" in (tmp_path / "stays.log").read_text()


def test_waiting_in_vain_says_for_what_and_what_to_do() -> None:
    with pytest.raises(LabError, match="did not come within 0 s") as caught:
        machines.wait_for(lambda: False, what="It did not come", timeout_s=0, advice="look there")
    assert caught.value.advice == "look there"


def test_state_of_a_machine_that_never_was(tmp_path: Path) -> None:
    assert machines.machine_state(LabFolders("t", tmp_path, tmp_path), "hub") is None
