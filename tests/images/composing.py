"""A component container without ROS: keys, a signed manifest over a real package, and a host that only remembers."""

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.images.in_cluster import module

audit = module("ros2bench_composition.audit")
component = module("ros2bench_composition.component")
last_good = module("ros2bench_composition.last_good")
limits = module("ros2bench_composition.limits")
manager = module("ros2bench_composition.manager")
manifest = module("ros2bench_composition.manifest")
refusal = module("ros2bench_composition.refusal")
request = module("ros2bench_composition.request")
signature = module("ros2bench_composition.signature")
trusted_file = module("ros2bench_composition.trusted_file")

CONTAINER = "/perception"
PACKAGE = "arm_nodes"
PLUGIN = "arm_nodes.arm.Arm"
ARM = "class Arm:\n    speed = 1\n"
NOW_NS = 1_700_000_000_000_000_000
MEBIBYTE = 1024 * 1024


def nobody_can_change(descriptor: int) -> bool:
    """Of the folders of tests, which their user may write."""
    return descriptor < 0


def read_in_test(path: str) -> bytes:
    """The container's own reading, in a folder that the tests may write."""
    return trusted_file.read_trusted(path, changeable=nobody_can_change)


def key_text(key: Ed25519PrivateKey) -> str:
    """The public half as the configuration holds it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def write_package(folder: Path) -> Path:
    """A package with one module; gives the module's path."""
    package = folder / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text('"""Arm."""\n')
    (package / "arm.py").write_text(ARM)
    return package / "arm.py"


def manifest_of(folder: Path, parameters: Mapping[str, str] | None) -> bytes:
    """The manifest of every file in a folder, with the one plugin."""
    files = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.py"))}
    listed = [{"package": PACKAGE, "plugin": PLUGIN, "parameters": parameters}]
    return json.dumps({"contract": 1, "components": listed, "files": files}).encode()


def forget(root: str) -> None:
    """Forget imported modules and guards."""
    for name in [name for name in sys.modules if name.partition(".")[0] == root]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "Guard"]


@dataclass
class FakeHost:
    """Remembers what it was told; `resident`, `fails` and `silent` shape what happens."""

    resident: int = 10 * MEBIBYTE
    per_component: int = MEBIBYTE
    fails: Exception | None = None
    timeout_s: float = 0.0
    silent: str = ""
    running: dict[int, Any] = field(default_factory=dict[int, Any])

    def begin(self, unique_id: int, component: Any) -> None:
        """Remember a component."""
        self.running[unique_id] = component

    def finish(self, unique_id: int, timeout_s: float) -> None:
        """Fail if a test wants it."""
        self.timeout_s = timeout_s
        if self.fails:
            del self.running[unique_id]
            raise self.fails

    def unload(self, unique_id: int) -> None:
        """Forget a component."""
        del self.running[unique_id]

    def health(self, path: str) -> dict[str, tuple[int, str]]:
        """Say that all are well but the silent one."""
        names = [item.full_name for item in self.running.values()]
        return {name: (503, f"{path}: no message yet") if name == self.silent else (200, "") for name in names}

    def resident_bytes(self) -> int:
        """So much more for each component."""
        return self.resident + self.per_component * len(self.running)

    def stop(self) -> None:
        """Forget all."""
        self.running.clear()


@dataclass
class Composing:
    """A manager with everything around it that a test may look at or change."""

    key: Ed25519PrivateKey
    manager: Any
    host: FakeHost
    lines: list[dict[str, Any]]
    good: Any
    clock_s: list[float]
    pauses_s: list[float]

    def now_ns(self) -> int:
        """The time by which requests are signed."""
        return NOW_NS + round(self.clock_s[0] * 1e9)

    def nonce(self) -> str:
        """A number that was not used before."""
        return f"{len(self.lines):032x}"

    def load(self, node: str = "arm", *, key: Ed25519PrivateKey | None = None, **changes: Any) -> Any:
        """A signed load request, sent; `after` changes it once it is signed."""
        after = changes.pop("after", dict[str, Any]())
        extra = changes.pop("more_extra", list[tuple[str, Any]]())
        nonce, time_ns = changes.pop("nonce", self.nonce()), changes.pop("time_ns", self.now_ns())
        fields: dict[str, Any] = {"package": PACKAGE, "plugin": PLUGIN, "node": node, **changes}
        known = [("ros2bench.nonce", nonce), ("ros2bench.time_ns", time_ns)]
        unsigned = request.LoadRequest(**fields, extra=known)
        signed = sign(key or self.key, unsigned.signed(CONTAINER))
        sent = {**fields, "extra": [*known, ("ros2bench.signature", signed), *extra], **after}
        return self.manager.load(request.LoadRequest(**sent))

    def unload(self, unique_id: int) -> Any:
        """Forget a component."""
        """A signed unload request, sent."""
        unsigned = request.UnloadRequest(unique_id, self.nonce(), self.now_ns())
        signed = sign(self.key, unsigned.signed(CONTAINER))
        sent = request.UnloadRequest(unique_id, unsigned.nonce, unsigned.time_ns, signed)
        return self.manager.unload(sent, is_signed=True)

    def nodes(self) -> Sequence[str]:
        """What runs."""
        return [item.node for item in self.host.running.values()]


def sign(key: Ed25519PrivateKey, content: Mapping[str, Any]) -> str:
    """The signature of a request."""
    return base64.b64encode(key.sign(b"ros2bench-request-v1\n" + signature.canonical(content))).decode()


def compose(folder: Path, *, bounds: Any = None, schema: Mapping[str, str] | None = None) -> Composing:
    """A started container that holds nothing."""
    key = Ed25519PrivateKey.generate()
    write_package(folder)
    content = manifest_of(folder, {"speed": "double", "name": "string"} if schema is None else schema)
    lines: list[dict[str, Any]] = []
    clock_s, pauses_s = [0.0], list[float]()
    host = FakeHost()
    good = last_good.LastGood(folder / "kept" / "last-good.json", "0" * 64)

    def clock_ns() -> int:
        return NOW_NS + round(clock_s[0] * 1e9)

    write: Callable[[bytes], None] = lambda line: lines.append(json.loads(line))  # noqa: E731
    made = manager.Manager(
        CONTAINER,
        manifest=manifest.parse_manifest(content),
        limits=bounds or limits.Limits(),
        host=host,
        authority=signature.Authority(signature.public_key(key_text(key)), clock_ns),
        caller="key of the test",
        audit=audit.Audit(CONTAINER, "0" * 64, write, clock_ns),
        last_good=good,
        clock=lambda: clock_s[0],
        brake=limits.Brake(lambda: clock_s[0], pauses_s.append),
    )
    made.start([])
    return Composing(key, made, host, lines, good, clock_s, pauses_s)
