"""Stacks run without an engine: images exist, the cluster is reached through a proxy. The same is run once."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stacks import program
from stacks.reading import KEY, read_spec
from tests.support import values
from tests.support.deployment import Deployment, deploy

Run = Callable[..., Deployment]


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a stack of a name with a spec."""
    folder = tmp_path_factory.mktemp("stack")
    environment = {
        "KUBECONFIG": str(values.kubeconfig(folder)),
        "ROS2BENCH_IMAGES_LOCK": str(values.lock_file(folder)),
        "HTTPS_PROXY": "http://proxy.example",
    }
    done: dict[str, Deployment] = {}

    def run_stack(
        stack: str = "monolithic", *, again: bool = False, secrets: dict[str, str] | None = None, **spec: Any
    ) -> Deployment:
        key = json.dumps([stack, secrets, spec])
        if again or key not in done:
            unchecked: dict[str, Any] = {"images": {"checkRegistry": False}, "overlay": {"delivery": "image-volume"}}
            read = read_spec(stack, {KEY: unchecked | spec}, environment)
            done[key] = deploy(lambda: program.run(stack, read, environment, secrets))
        return done[key]

    return run_stack
