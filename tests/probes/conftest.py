"""What all tests of the probes share."""

import functools
from collections.abc import Generator

import botocore.loaders
import pytest


@pytest.fixture(scope="session", autouse=True)
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Sign with a key of the tests, and leave the user's alone."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ROS2BENCH_SIGNING_KEY", str(tmp_path_factory.mktemp("keys") / "components.pem"))
    yield
    patch.undo()


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Generator[None]:
    """Let all S3 clients share the parsed description of the protocol, which takes longer than most tests."""
    patch = pytest.MonkeyPatch()
    patch.setattr(botocore.loaders, "create_loader", functools.cache(botocore.loaders.create_loader))
    yield
    patch.undo()
