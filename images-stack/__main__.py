"""A stack that builds and pushes the images when their sources have changed, and exports their references.

For those who want images and experiments in one tool. In this folder:

    pulumi install
    pulumi stack init images
    pulumi config set registry registry.example:5000
    pulumi up

It runs `python -m images.build --json` with the project's own environment (`make setup` first) through pulumi-command.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pulumi
from pulumi_command import local

PROJECT = Path(__file__).resolve().parent.parent
# Pulumi puts this folder on the search path, not the project above it.
sys.path.insert(0, str(PROJECT))

from images.inputs import digest_of_files  # noqa: E402


def build_command(config: pulumi.Config) -> Sequence[str]:
    """The command line that builds what the stack's configuration names."""
    authority = config.get("registryCa")
    return [
        str(PROJECT / ".venv" / "bin" / "python"),
        "-m",
        "images.build",
        "--json",
        *("--registry", config.require("registry")),
        *("--flavour", config.get("flavour") or "wheels"),
        *("--ros-distro", config.get("rosDistro") or "jazzy"),
        *("--lock", config.get("lock") or "images.lock.json"),
        *(("--ca", authority) if authority else ()),
        *[str(name) for name in config.get_object("images") or ["patterns"]],
    ]


def main() -> None:
    """Register the one command; it runs again when its words or the content of the images folder change."""
    words = build_command(pulumi.Config())
    build = local.Command(
        "images",
        create=shlex.join(words),
        dir=str(PROJECT),
        # Standard output is the one line of JSON; what the build reports is on standard error.
        logging=local.Logging.STDERR,
        triggers=[digest_of_files(PROJECT, [PROJECT / "images"]), shlex.join(words)],
    )
    result = build.stdout.apply(json.loads)
    pulumi.export("lock", result.apply(lambda told: told["lock"]))
    pulumi.export("images", result.apply(lambda told: told["images"]))


main()
