"""A real object store on 127.0.0.1: SeaweedFS, started by the very commands of docs/storage.md, ended by process id."""

import json
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PAGE = Path(__file__).parents[1] / "docs" / "storage.md"
HOST = "127.0.0.1"
BUCKET = "records"
START_S = 90
PORTS = range(21_000, 31_000)
GRPC_ABOVE = 10_000
"""SeaweedFS looks for a server's gRPC port so far above its HTTP port."""


class NotStarted(Exception):  # noqa: N818 - named after the condition
    """SeaweedFS does not come up; the message holds the end of its log."""


def command_of(program: str) -> list[str]:
    """Take the one command of `weed` with this name from the page."""
    (line,) = re.findall(rf"^weed {program} .*$", PAGE.read_text(), re.MULTILINE)
    return shlex.split(line)[1:]


class SeaweedFS:
    """Processes of one SeaweedFS; use it as a context manager.

    Attributes:
        operator: Access key and secret that may do everything.
        recorder: Access key and secret that may only put.
        commands: What is started, by name, in this order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operator, self.recorder = ((secrets.token_hex(10), secrets.token_hex(20)) for _ in range(2))
        self.commands: dict[str, list[str]] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: set[int] = set()
        self.s3_port, self.master_port = self.free_port(), self.free_port()
        root.mkdir(parents=True, exist_ok=True)
        identities = root / "identities.json"
        identities.touch(mode=0o600)
        identities.write_text(json.dumps(self._identities()))

    @property
    def endpoint(self) -> str:
        """Address of the S3 gateway."""
        return f"http://{HOST}:{self.s3_port}"

    def free_port(self) -> int:
        """Find a port that is free, and the one for gRPC above it."""
        for port in PORTS:
            if port not in self._ports and _is_free(port) and _is_free(port + GRPC_ABOVE):
                self._ports.add(port)
                return port
        raise NotStarted(f"No port of {HOST} from {PORTS.start} to {PORTS.stop} is free.")

    def prepare(self, name: str, program: str, replaced: Mapping[str, str]) -> None:
        """Turn a command of the page into one for this folder and these ports."""
        words = command_of(program)
        places = {"/etc/weed": str(self.root), "/var/lib/weed": str(self.root / name)}
        for old, new in {**places, "$HERE": HOST, "$MASTER": HOST, "$FILER": HOST, **replaced}.items():
            words = [word.replace(old, new) for word in words]
        (self.root / name).mkdir(exist_ok=True)
        for word in words:
            option, _, value = word.partition("=")
            if option.lower().endswith("dir"):
                Path(value).mkdir(parents=True, exist_ok=True)
        self.commands[name] = [str(Path(sys.prefix) / "bin" / "weed"), "-logtostderr=true", *words]

    def start(self, name: str) -> None:
        """Start a process."""
        with (self.root / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self.commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.root / name
            )

    def kill(self, name: str) -> None:
        """End a process without a word to it."""
        self._processes[name].kill()
        self._processes[name].wait()

    def freeze(self, name: str) -> None:
        """Stop a process where it is: its connections stay, and nothing is answered."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def admin(self) -> Any:
        """Client of the operator."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.operator[0],
            aws_secret_access_key=self.operator[1],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def volumes_of(self, server: str) -> int:
        """Count the volumes that a volume server has told the master of."""
        with urllib.request.urlopen(f"http://{HOST}:{self.master_port}/dir/status", timeout=10) as answer:
            topology = json.load(answer)["Topology"]
        port = next(word.partition("=")[2] for word in self.commands[server] if word.startswith("-port="))
        nodes = [
            node
            for center in topology.get("DataCenters") or ()
            for rack in center.get("Racks") or ()
            for node in rack.get("DataNodes") or ()
        ]
        return sum(int(node["Volumes"]) for node in nodes if node["Url"].endswith(f":{port}"))

    def _identities(self) -> dict[str, Any]:
        """Take the identities from the page, with the keys of this store."""
        (text,) = re.findall(r"```json\n(\{\"identities\".*?)\n```", PAGE.read_text(), re.DOTALL)
        names = ("OPERATOR_ID", "OPERATOR_SECRET", "RECORDER_ID", "RECORDER_SECRET")
        for name, value in zip(names, (*self.operator, *self.recorder), strict=True):
            text = text.replace(name, value)
        return json.loads(text)

    def _wait_until_writable(self) -> None:
        """Make the bucket, and an object in it; a new cluster takes a while to elect its master."""
        deadline = time.monotonic() + START_S
        while (problem := self._problem()) is not None:
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                name = (ended or list(self._processes))[-1]
                log = (self.root / f"{name}.log").read_text(errors="replace")[-2000:]
                raise NotStarted(f"SeaweedFS cannot be written ({problem}); the end of the log of {name}:\n{log}")
            time.sleep(0.2)

    def _problem(self) -> Exception | None:
        try:
            client = self.admin()
            if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready")
        except (ClientError, BotoCoreError) as error:
            return error
        return None

    def __enter__(self) -> Self:
        """Start all processes in their order, and wait until the store can be written."""
        try:
            for name in self.commands:
                self.start(name)
            self._wait_until_writable()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what was started."""
        for name in reversed(self._processes):
            self.kill(name)


def single(root: Path) -> SeaweedFS:
    """One process, as in the lab; ports that the page leaves at their defaults are free ones here."""
    weed = SeaweedFS(root)
    weed.prepare("mini", "mini", {"-s3.port=8333": f"-s3.port={weed.s3_port}"})
    weed.commands["mini"] += [f"-master.port={weed.master_port}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed.commands["mini"] += [f"-{one}.port={weed.free_port()}" for one in ("volume", "filer", "admin")]
    return weed


def distributed(root: Path, volume_servers: int = 3) -> SeaweedFS:
    """A master, volume servers, a filer and a gateway."""
    weed = SeaweedFS(root)
    master, filer = weed.master_port, weed.free_port()
    ports = {
        ":9333": f":{master}",
        "-port=9333": f"-port={master}",
        ":8888": f":{filer}",
        "-port=8888": f"-port={filer}",
    }
    weed.prepare("master", "master", ports)
    for number in range(1, volume_servers + 1):
        weed.prepare(f"volume-{number}", "volume", {**ports, "-port=9340": f"-port={weed.free_port()}"})
    weed.prepare("filer", "filer", ports)
    weed.prepare("s3", "s3", {**ports, "-port=8333": f"-port={weed.s3_port}"})
    return weed


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True
