"""Built images for the tests that look into them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from images.build import build_bases, build_role, only_build
from images.buildah import Buildah
from images.cache import cache_folder
from images.recipes import ROLES, Recipe, make_recipe
from images.steps import Steps
from tests.images.sandbox import BuiltImage, Network, read_oci

# How long an example takes says more about this machine's other work than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Steps with logs of their own."""
    return Steps(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def recipe(steps: Steps) -> Recipe:
    """The recipe of flavour wheels."""
    return make_recipe("wheels", "jazzy", cache_folder(), steps)


@pytest.fixture(scope="session")
def buildah(steps: Steps) -> Buildah:
    """The storage that users build in: its layers are reused."""
    return Buildah(cache_folder() / "containers", steps)


@pytest.fixture(scope="session")
def images(
    recipe: Recipe, buildah: Buildah, steps: Steps, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, BuiltImage]]:
    """Every role: built, unpacked, mounted."""
    built: dict[str, BuiltImage] = {}
    containers: list[str] = []
    with only_build(cache_folder(), steps):
        build_bases(recipe, buildah, steps)
        for role in ROLES:
            reference = build_role(role, recipe, buildah, steps)
            layout: Path = tmp_path_factory.mktemp(role)
            buildah.push(reference, f"oci:{layout}", None)
            containers.append(buildah.run("from", "from", "--pull-never", reference).strip())
            root = Path(buildah.run("mount", "mount", containers[-1]).strip())
            digest, layers, config = read_oci(layout)
            built[role] = BuiltImage(digest, layers, config, root)
    yield built
    for container in containers:
        buildah.run("rm", "rm", container)


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of the test's own."""
    made = Network()
    yield made
    made.close()
