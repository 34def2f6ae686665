"""What all tests of the probes share."""

import functools
from collections.abc import Generator

import botocore.loaders
import pytest


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Generator[None]:
    """Let all S3 clients share the parsed description of the protocol, which takes longer than most tests."""
    patch = pytest.MonkeyPatch()
    patch.setattr(botocore.loaders, "create_loader", functools.cache(botocore.loaders.create_loader))
    yield
    patch.undo()
