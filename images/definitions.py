"""Message, service and action definitions, reduced to what decides whether two programs understand each other."""

import re
from collections.abc import Mapping
from pathlib import Path

KINDS = ("msg", "srv", "action")
FIELD = re.compile(r"(?P<type>\S+)\s+(?P<name>[A-Za-z]\w*)(?P<rest>.*)")
SEPARATOR = "---"


def normalised(definition: str) -> str:
    """Types, names and order of the fields; comments, blanks, constants and default values do not enter.

    Args:
        definition: text of a `.msg`, `.srv` or `.action` file.
    """
    lines: list[str] = []
    for line in definition.splitlines():
        stripped = line.strip()
        if stripped == SEPARATOR:
            lines.append(SEPARATOR)
            continue
        field = FIELD.fullmatch(stripped) if not stripped.startswith("#") else None
        if field and not field["rest"].lstrip().startswith("="):
            lines.append(f"{field['type']} {field['name']}")
    return "\n".join(lines)


def read_definitions(share: Path, package: str) -> dict[str, str]:
    """Normalised definitions that an installed package brings, by `package/msg/Name`.

    Args:
        share: folder `share` of the install space.
        package: name of the package.
    """
    return {
        f"{package}/{kind}/{file.stem}": normalised(file.read_text(encoding="utf-8"))
        for kind in KINDS
        for file in sorted((share / package / kind).glob(f"*.{kind}"))
    }


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names whose definition is gone or another one; new definitions change nothing for those who know the old."""
    return sorted(name for name, definition in before.items() if after.get(name) != definition)


def package_of(definition: str) -> str:
    """Package of a definition's name."""
    return definition.partition("/")[0]
