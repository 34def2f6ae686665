"""Learn the digests of programs that are not ours, at their publishers: `python -m images.third_party [NAME …]`.

Writes the lock of contract 17. What could not be learnt keeps the digest that the lock had.
"""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from images.command_line import EXIT_FAILED, console, mistakes_as_sentences
from images.errors import BuildError
from images.publishers import digest, parse

CONTRACT = 1
TAGS = Path(__file__).with_suffix(".toml")
TIMEOUT_S = 20.0

LockOption = Annotated[
    Path, typer.Option("--lock", envvar="ROS2BENCH_PLATFORM_IMAGES", help="Lock file to write; others in it are kept.")
]
NamesArgument = Annotated[list[str] | None, typer.Argument(help="Which ones; default: all of images/third_party.toml.")]


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """References by digest by name, and why the others are not known."""

    references: Mapping[str, str]
    problems: Mapping[str, str]


def tags(file: Path = TAGS) -> dict[str, str]:
    """`HOST/REPOSITORY:TAG` of every program by name.

    Raises:
        BuildError: The file cannot be read.
    """
    try:
        found: Any = tomllib.loads(file.read_text(encoding="utf-8"))["images"]
    except (OSError, KeyError, ValueError) as error:
        raise BuildError(f"{file}: cannot be read: {error}") from error
    return {str(name): str(image) for name, image in found.items()}


def learn(wanted: Mapping[str, str], client: httpx.Client, said: Callable[[str], object]) -> Learnt:
    """Ask the publishers for digests.

    Args:
        wanted: Tags by name.
        client: Asks.
        said: Takes one line for each.
    """
    references: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name, text in wanted.items():
        try:
            image = parse(text)
            references[name] = image.by_digest(digest(image, client))
        except BuildError as error:
            problems[name] = str(error)
            said(f"{name}: {error}")
        else:
            said(f"{name}: {references[name]}")
    return Learnt(references=references, problems=problems)


def merged(file: Path, references: Mapping[str, str]) -> str:
    """Text of the lock with what was learnt, over what it held.

    Raises:
        BuildError: The file that is there is no such lock.
    """
    known: dict[str, str] = {}
    if file.exists():
        try:
            document: Any = json.loads(file.read_text(encoding="utf-8"))
            if document["contract"] != CONTRACT:
                raise BuildError(f"{file}: contract is {document['contract']!r}, this program writes {CONTRACT}")
            known = dict(document["images"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise BuildError(f"{file}: is no lock of the platform's images ({error}). Name another --lock") from error
    images = dict(sorted({**known, **references}.items()))
    return json.dumps({"contract": CONTRACT, "images": images}, indent=1) + "\n"


def main(names: NamesArgument = None, lock: LockOption = Path("platform-images.json")) -> None:
    """Ask the publishers for the digests of the platform's images and write them into a lock."""
    with mistakes_as_sentences():
        known = tags()
        chosen = names or list(known)
        if unknown := [name for name in chosen if name not in known]:
            raise typer.BadParameter(f"{unknown[0]} is not in {TAGS.name}; choices: {', '.join(known)}")
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
            learnt = learn({name: known[name] for name in chosen}, client, console.print)
        if learnt.references:
            text = merged(lock, learnt.references)
            written = lock.with_name(f"{lock.name}.partial")
            written.write_text(text, encoding="utf-8")
            written.replace(lock)
            console.print(f"wrote {lock}\nnext: export ROS2BENCH_PLATFORM_IMAGES={lock.resolve()}")
        if learnt.problems:
            console.print(f"not learnt: {', '.join(learnt.problems)}. What the lock had of them is kept.")
            raise typer.Exit(EXIT_FAILED)


if __name__ == "__main__":
    typer.run(main)
