"""Read pins.toml: what is run, at which version, and every way to get it."""

import platform
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

PINS = Path(__file__).with_name("pins.toml")
MODULES = Path(__file__).with_name("gomodules")
ARCHITECTURES = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64", "arm64")}


class Pinned(BaseModel):
    """Base of the file's sections: strict and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Release(Pinned):
    """Where the publisher offers the program: an archive that holds the binaries, or one address for each."""

    archive: str | None = None
    files: str | None = None
    checksums: str
    sha256: Mapping[str, str] = {}


class Build(Pinned):
    """How the program is built from its Go modules, in gomodules/NAME."""

    packages: tuple[str, ...]
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    rename: Mapping[str, str] = {}
    scripts: Mapping[str, str] = {}


class Tool(Pinned):
    """One program or family of programs of one version."""

    name: str
    version: str
    binaries: tuple[str, ...]
    version_command: tuple[str, ...] = ()
    release: Release | None = None
    build: Build

    def fill(self, template: str, **more: str) -> str:
        """Fill the version and this computer's architecture into an address."""
        arch, machine = architecture()
        return template.format(version=self.version, arch=arch, machine=machine, **more)


class Pins(Pinned):
    """The whole file."""

    go_minimum: str
    tools: Mapping[str, Tool]


def architecture() -> tuple[str, str]:
    """Return this computer's architecture as Go and as some publishers name it."""
    return ARCHITECTURES.get(platform.machine(), (platform.machine(), platform.machine()))


@cache
def load_pins(path: Path = PINS) -> Pins:
    """Return the pins of the file at `path`."""
    document = tomllib.loads(path.read_text())
    go = document.pop("go")
    tools = {name: Tool(name=name, **section) for name, section in document.items()}
    return Pins(go_minimum=go["minimum"], tools=tools)
