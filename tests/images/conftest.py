"""Built images for the tests that look into them."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from rich.console import Console

from images.buildah import Buildah
from images.cache import cache_folder
from images.publish import only_build
from images.recipes import Recipe, make_recipe
from images.roles import IMAGES, ROLES
from images.sizes import size_table
from images.steps import Steps
from lab.packages import install, missing_packages
from tests.images.sandbox import BuiltImage, Network

# How long an example takes says more about this machine's other work than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """Steps with logs of their own; the programs that they call are installed as `lab up` does it."""
    install(missing_packages())
    return Steps(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images folder as it is now: what is edited while the tests run does not change what they compare."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(IMAGES, tmp_path_factory.mktemp("sources") / "images", ignore=ignored))


@pytest.fixture(scope="session")
def recipe(steps: Steps, sources: Path) -> Recipe:
    """The recipe of flavour wheels."""
    return make_recipe("wheels", "jazzy", cache_folder(), steps, ros1=True, images=sources)


@pytest.fixture(scope="session")
def buildah(steps: Steps) -> Buildah:
    """The storage that users build in: its layers are reused."""
    return Buildah(cache_folder() / "containers", steps)


class Images(Mapping[str, BuiltImage]):
    """Images by role; each is built and mounted when a test first asks for it."""

    def __init__(self, recipe: Recipe, buildah: Buildah, steps: Steps, mounts: ExitStack) -> None:
        self._recipe, self._buildah, self._steps, self._mounts = recipe, buildah, steps, mounts
        self._built: dict[str, BuiltImage] = {}

    def __getitem__(self, role: str) -> BuiltImage:
        """The image of a role."""
        if role not in self._built:
            build = self._recipe.role(role)
            with only_build(cache_folder(), self._steps):
                self._buildah.make(build)
            stored = self._buildah.inspect(build.name)
            root = self._mounts.enter_context(self._buildah.mounted(build.name))
            self._built[role] = BuiltImage(stored.digest, stored.layers, stored.config, root)
        return self._built[role]

    def __iter__(self) -> Iterator[str]:
        """Every role."""
        return iter(ROLES)

    def __len__(self) -> int:
        """How many roles there are."""
        return len(ROLES)

    def report(self) -> None:
        """Print what the images weigh that the tests have looked at."""
        layers = {role: image.sizes for role, image in self._built.items()}
        Console().print(size_table(layers, "\nNot compressed:"))


@pytest.fixture(scope="session")
def images(
    recipe: Recipe, buildah: Buildah, steps: Steps, pytestconfig: pytest.Config
) -> Iterator[Mapping[str, BuiltImage]]:
    """Every role: built and mounted. What they weigh is printed at the end."""
    with ExitStack() as mounts:
        made = Images(recipe, buildah, steps, mounts)
        yield made
        capture: Any = pytestconfig.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else ExitStack():
            made.report()


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of the test's own."""
    made = Network()
    yield made
    made.close()
