"""Loads modules of the images' workspace into the tests, as far as they need no ROS."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

WORKSPACE = Path(__file__).parents[2] / "images" / "workspace" / "src"


def module(name: str) -> Any:
    """A module of the workspace, for example `ros2bench_recorder.cdr`; it may import those of other packages."""
    for folder in map(str, sorted(WORKSPACE.iterdir())):
        if folder not in sys.path:
            sys.path.append(folder)
    return import_module(name)
