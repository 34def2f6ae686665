"""Read pins.toml: what is run, at which version, and every way to get it."""

import platform
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

PINS = Path(__file__).with_name("pins.toml")
MODULES = Path(__file__).with_name("gomodules")
CUSTOM_RESOURCES = "custom-resources"
ARCHITECTURES = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64", "arm64")}
PlatformLevel = Literal["builtin", "all"]


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
    """How the program is built from its Go modules, in gomodules/NAME.

    `scripts` and `custom_resources` are files of a module that are kept beside the binaries: module → path, and
    module → pattern of the files that define the program's Kubernetes resources (kept in CUSTOM_RESOURCES).
    """

    packages: tuple[str, ...]
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}
    rename: Mapping[str, str] = {}
    scripts: Mapping[str, str] = {}
    custom_resources: Mapping[str, str] = {}


class Tool(Pinned):
    """One program or family of programs of one version.

    `platform` says with which `lab up --platform` it is provided (None: always needed), `images` which of its binaries
    become an image of which name in the lock of third-party images.
    """

    name: str
    version: str
    binaries: tuple[str, ...]
    version_command: tuple[str, ...] = ()
    platform: PlatformLevel | None = None
    images: Mapping[str, str] = {}
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

    def of_platform(self, level: PlatformLevel) -> tuple[str, ...]:
        """Return the tools that `lab up --platform LEVEL` needs beside the lab's own."""
        wanted = ("builtin", level)
        return tuple(name for name, tool in self.tools.items() if tool.platform in wanted)


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
