"""Reads from a Containerfile what one of its stages is made of, so that an image depends on nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FROM = re.compile(r"FROM\s+(?P<parent>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
COPY = re.compile(r"(?:COPY|ADD)\s+(?:--from=(?P<source>\S+)\s+)?(?P<words>.+)")


@dataclass(frozen=True)
class Ingredients:
    """What a stage is made of, with the stages that it stands on or copies from.

    Attributes:
        instructions: text of all of them.
        files: what is copied from the main context.
        copied: what is copied from elsewhere, as name of a named context and path in it.
        parents: what their `FROM` names besides stages of the file, for example `${RUNTIME}` or `scratch`.
    """

    instructions: str
    files: frozenset[str]
    copied: frozenset[tuple[str, str]]
    parents: frozenset[str]


def stages(text: str) -> dict[str, list[str]]:
    """Instructions of each stage by its name, `FROM` first, continued lines joined, comments left out."""
    found: dict[str, list[str]] = {}
    for line in _instructions(text):
        start = FROM.fullmatch(line)
        if start:
            found[start["name"] or str(len(found))] = [line]
        elif found:
            found[next(reversed(found))].append(line)
    return found


def ingredients(text: str, target: str) -> Ingredients:
    """What a stage is made of.

    Args:
        text: the Containerfile.
        target: name of the stage.

    Raises:
        KeyError: there is no such stage.
    """
    known = stages(text)
    instructions: list[str] = []
    files: set[str] = set()
    copied: set[tuple[str, str]] = set()
    parents: set[str] = set()
    waiting, seen = [target], set[str]()
    while waiting:
        stage = waiting.pop()
        if stage in seen:
            continue
        seen.add(stage)
        for line in known[stage]:
            instructions.append(line)
            start, copy = FROM.fullmatch(line), COPY.fullmatch(line)
            if start:
                if start["parent"] in known:
                    waiting.append(start["parent"])
                else:
                    parents.add(start["parent"])
            elif copy and copy["source"] in known:
                waiting.append(copy["source"])
            elif copy:
                paths = copy["words"].split()[:-1]
                if copy["source"]:
                    copied |= {(copy["source"], path) for path in paths}
                else:
                    files |= set(paths)
    return Ingredients("\n".join(instructions), frozenset(files), frozenset(copied), frozenset(parents))


def _instructions(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        stripped = " ".join(line.split())
        if stripped and not stripped.startswith("#"):
            yield stripped
