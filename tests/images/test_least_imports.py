"""What each node imports, followed through the package without running it: least images hold no more."""

import ast
from pathlib import Path

import pytest

from tests.images.in_cluster import WORKSPACE

MODELS_AND_PICTURES = {"onnxruntime", "PIL"}


def imported(module: Path) -> set[str]:
    """Names of the modules that a file imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def closure(name: str) -> set[str]:
    """Everything that importing a module of the workspace imports, its own packages followed."""
    known: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in known:
            continue
        known.add(current)
        package, _, rest = current.partition(".")
        file = WORKSPACE / package / package / (rest.replace(".", "/") + ".py")
        if rest and file.is_file():
            waiting += imported(file)
    return known


@pytest.mark.parametrize(
    ("node", "wanted"),
    [("camera", {"PIL"}), ("detector", {"onnxruntime", "PIL"}), ("reader", {"onnxruntime", "PIL"}), ("monitor", set())],
)
def test_a_node_imports_what_its_least_image_holds(node: str, wanted: set[str]) -> None:
    found = {name.partition(".")[0] for name in closure(f"ros2bench_nodes.{node}")}
    assert "rclpy" in found
    assert found & MODELS_AND_PICTURES == wanted


@pytest.mark.parametrize("package", ["ros2bench_nodes", "ros2bench_examples"])
def test_no_node_spins_or_takes_signals_by_itself(package: str) -> None:
    """A component container constructs nodes in its own process; only `run` may own the process."""
    owners = {"rclpy.spin", "ros2bench_nodes.stop_request.StopRequest", "signal"}
    for file in sorted((WORKSPACE / package / package).glob("*.py")):
        if file.stem not in {"application_node", "stop_request"}:
            assert not owners & imported(file), file
