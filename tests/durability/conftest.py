"""One modelled disk for the tests of a file: what is computed once serves all of them."""

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.durability.proof import Proof, proving


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Generator[Proof]:
    """Give the proof; in memory where the system has a folder there, because nothing needs to last."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, open to nobody else
    if not memory.is_dir():
        memory = tmp_path_factory.mktemp("disk")
    with tempfile.TemporaryDirectory(prefix="ros2bench-durability-", dir=memory) as name, proving(Path(name)) as made:
        yield made
