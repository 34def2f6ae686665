"""What a process writes for a while is gone when it has ended."""

import base64
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from components.autoscaling import certificate

PROJECT_ROOT = Path(__file__).parents[2]
CONNECTING = """
import asyncio, stat, sys, tempfile, time
from probes.cluster import connect
from probes.errors import TargetError
from stacks.temporary_files import private_environment, private_folder

async def main():
    try:
        async with connect():
            raise SystemExit("nobody was to listen")
    except TargetError:
        pass

asyncio.run(main())
folder = private_folder()
written = [path.read_text() for path in folder.iterdir()]
print(oct(stat.S_IMODE(folder.stat().st_mode)), any("PRIVATE KEY" in text for text in written), flush=True)
print(private_environment()["TMPDIR"] == str(folder) == tempfile.gettempdir(), folder.parent, flush=True)
time.sleep(float(sys.argv[1]))
"""


def kubeconfig(folder: Path) -> Path:
    """A kubeconfig that holds its key, as kubeadm writes it."""
    made = certificate.made("operator.invalid", dt.datetime.now(dt.UTC))
    authority, own, key = (base64.b64encode(pem).decode() for pem in (made.authority, made.certificate, made.key))
    cluster = {"server": "https://127.0.0.1:1", "certificate-authority-data": authority}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"client-key-data": key, "client-certificate-data": own}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


@contextmanager
def connecting(folder: Path, sleep_s: float) -> Generator[subprocess.Popen[str]]:
    """A process that connects, says so and stays for a while; its temporary files are in `folder`."""
    environment = {**os.environ, "TMPDIR": str(folder), "KUBECONFIG": str(kubeconfig(folder.parent))}
    command = [sys.executable, "-c", CONNECTING, str(sleep_s)]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, text=True, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_key_of_a_kubeconfig_is_in_no_file_that_stays(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with connecting(folder, 0) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    assert said.split() == ["0o700", "True", "True", str(folder)]
    assert list(folder.iterdir()) == []


def test_nor_does_one_stay_after_ctrl_c(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with connecting(folder, 60) as process:
        assert process.stdout
        assert process.stdout.readline().split() == ["0o700", "True"]
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode
    assert list(folder.iterdir()) == []
