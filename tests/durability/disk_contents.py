"""What a disk holds: as the process sees it, and what of it would be found after a loss of power."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECTOR_BYTES = 512
Tree = dict[str, Any]
"""Names to bytes, or to what a folder holds."""


@dataclass
class File:
    """A file as the process sees it, and as it would be found after a loss of power."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    is_poisoned: bool = False
    reserved_bytes: int = 0

    def sync(self) -> None:
        """Make durable what is seen, unless a sync has failed before: then this one only says so."""
        if not self.is_poisoned:
            self.durable = bytes(self.seen)

    def surviving(self, chance: random.Random) -> bytes:
        """Give what is found of it: what is durable, all of it, a prefix of the rest, or zeros in place of that.

        A sector is written as a whole or not at all, so zeros begin where the durable bytes end or where a sector does.
        """
        seen, durable = bytes(self.seen), self.durable
        if seen == durable:
            return seen
        common = next((at for at, (one, other) in enumerate(zip(seen, durable, strict=False)) if one != other), None)
        common = min(len(seen), len(durable)) if common is None else common
        cut = chance.randint(common, max(common, len(seen)))
        zeros = chance.choice((common, *range(-(-common // SECTOR_BYTES) * SECTOR_BYTES, len(seen), SECTOR_BYTES)))
        return chance.choice((durable, seen, seen[:cut], seen[:zeros] + bytes(len(seen) - zeros)))


@dataclass
class Folder:
    """Names of a folder: what is seen, what is durable, and the changes since, in their order."""

    seen: dict[str, int] = field(default_factory=dict[str, int])
    durable: dict[str, int] = field(default_factory=dict[str, int])
    changes: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    def change(self, *change: Any) -> None:
        """Add, remove or rename a name: `add NAME NUMBER`, `remove NAME`, `rename OLD NEW NUMBER`."""
        self.changes.append(change)
        _apply(self.seen, change)

    def sync(self) -> None:
        """Make durable what is seen."""
        self.durable = dict(self.seen)
        self.changes.clear()

    def surviving(self, chance: random.Random) -> dict[str, int]:
        """Give the names that are found: the durable ones after none, all, the first or any of the changes since."""
        names = dict(self.durable)
        manner = chance.choice(("none", "all", "first", "any"))
        end = {"none": 0, "first": chance.randint(0, len(self.changes))}.get(manner, len(self.changes))
        for change in self.changes[:end]:
            if manner != "any" or chance.random() < 0.5:
                _apply(names, change)
        return names


def surviving_tree(
    number: int, folders: Mapping[int, Folder], files: Mapping[int, File], chance: random.Random
) -> Tree:
    """Give what is found below a folder after a loss of power."""
    return {
        name: surviving_tree(child, folders, files, chance) if child in folders else files[child].surviving(chance)
        for name, child in folders[number].surviving(chance).items()
    }


def _apply(names: dict[str, int], change: tuple[Any, ...]) -> None:
    match change:
        case ("add", name, number):
            names[name] = number
        case ("remove", name):
            names.pop(name, None)
        case ("rename", old, new, number):
            if names.get(old) == number:
                del names[old]
            names[new] = number
        case _:
            raise AssertionError(change)
