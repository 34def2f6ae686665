"""A containerd of the tests' own, in namespaces of its own, with images that are made here."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.folders import lab_folders
from lab.packages import install, missing_packages
from lab.toolchain.pins import load_pins
from lab.toolchain.provide import provide
from tests.images.in_cluster import module

START_LIMIT_S = 30.0
NODE_NETWORK = 2
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(content: bytes) -> str:
    """SHA-256 digest as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def layer_of(files: dict[str, bytes]) -> bytes:
    """An unpacked layer: a tar of executable files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True)
class MadeImage:
    """An image: its name, the digests of its parts, and the file that holds it."""

    name: str
    manifest: str
    config: str
    layers: tuple[str, ...]
    file: Path


def make_image(name: str, layers: Sequence[bytes], file: Path) -> MadeImage:
    """Write an image into a file that containerd can import."""
    packed = [gzip.compress(layer, mtime=0) for layer in layers]
    root = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/pause", "-P"]}, "rootfs": root}
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPE, "digest": digest_of(each), "size": len(each)} for each in packed],
        }
    ).encode()
    entry = {"mediaType": MANIFEST_TYPE, "digest": digest_of(manifest), "size": len(manifest)}
    annotated = entry | {"annotations": {"io.containerd.image.name": name}}
    parts = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [annotated]}).encode(),
        **{f"blobs/sha256/{digest_of(blob)[7:]}": blob for blob in (*packed, config, manifest)},
    }
    with tarfile.open(file, "w") as tar:
        for path, content in parts.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return MadeImage(name, digest_of(manifest), digest_of(config), tuple(map(digest_of, packed)), file)


class PrivateContainerd:
    """Process 1 of a PID namespace: with it end all containers."""

    def __init__(self) -> None:
        # Neither an overlay nor a path too long for a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="containerd-", dir="/var/tmp"))
        self.socket = self.folder / "c.sock"
        self.group = self.folder.name
        install(missing_packages())
        pins = load_pins()
        programs = provide(pins.tools["containerd"], pins, lab_folders("tests"), lambda _: None).folder
        self._environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        configuration = self.folder / "config.toml"
        configuration.write_text(self._configuration())
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                 "sh", "-ec", "mount -t tmpfs tmpfs /run; exec containerd --config $0", str(configuration)],
                env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip
        deadline_s = time.monotonic() + START_LIMIT_S
        while not self.socket.exists():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline_s, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _configuration(self) -> str:
        return f"""version = 3
root = "{self.folder}/root"
state = "{self.folder}/state"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "example.test/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{self.folder}"]
    conf_dir = "{self.folder}/cni"
"""

    def ctr(self, *words: str) -> str:
        """What containerd's own program says."""
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *words]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True).stdout

    def load(self, image: MadeImage) -> None:
        """Import and unpack an image."""
        self.ctr("images", "import", str(image.file))

    def run_pod(self, image: str, volume: str) -> tuple[str, str]:
        """Run a container with an image as a volume; gives the ids of the pod and of the container."""
        encode = module("ros2bench_machine_reader.protobuf").encode
        own_namespaces = encode([(1, encode([(1, NODE_NETWORK)]))])
        metadata = encode([(1, "pod"), (2, "uid"), (3, "default")])
        linux = encode([(1, f"/{self.group}"), (2, own_namespaces)])
        pod_config = encode([(1, metadata), (3, str(self.folder)), (8, linux)])
        pod = self._cri("RunPodSandbox", [(1, pod_config)])
        mount = encode([(1, "/volume"), (3, 1), (9, encode([(1, volume)]))])
        config = encode([(1, encode([(1, "main")])), (2, encode([(1, image)])), (3, "/pause"), (3, "-P"), (7, mount)])
        container = self._cri("CreateContainer", [(1, pod), (2, config), (3, pod_config)])
        self._cri("StartContainer", [(1, container)])
        return pod, container

    def remove_pod(self, pod: str) -> None:
        """Stop and remove a pod."""
        self._cri("StopPodSandbox", [(1, pod)])
        self._cri("RemovePodSandbox", [(1, pod)])

    def _cri(self, method: str, fields: list[tuple[int, Any]]) -> str:
        protobuf = module("ros2bench_machine_reader.protobuf")
        with closing(module("ros2bench_machine_reader.grpc_channel").Channel(self.socket)) as channel:
            (answer,) = channel.call(f"/runtime.v1.RuntimeService/{method}", protobuf.encode(fields))
        return str(protobuf.text(protobuf.decode(answer), 1))

    def close(self) -> None:
        """End it, and with it every container and every mount; remove its files."""
        self._process.kill()
        self._process.wait()
        # Mounts and groups end a moment after the last process.
        for _ in range(50):
            if self._is_idle():
                break
            time.sleep(0.1)
        for group in sorted(Path("/sys/fs/cgroup").glob(f"*/{self.group}/**/"), reverse=True):
            group.rmdir()
        shutil.rmtree(self.folder)

    def _is_idle(self) -> bool:
        return not any(file.read_text() for file in Path("/sys/fs/cgroup").glob(f"*/{self.group}/**/cgroup.procs"))
