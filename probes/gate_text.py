"""What the gates of a record say, for people; it imports nothing, because every command shows something."""

from collections.abc import Mapping, Sequence
from typing import Any


def passed_text(gates: Sequence[Mapping[str, Any]]) -> str:
    """Say how many gates of a record held, and which of them nobody watched; none of them may have failed.

    Args:
        gates: Entries of a manifest; older ones do not tell whether they were watched.
    """
    unwatched = [gate for gate in gates if not gate.get("watched", True)]
    if not unwatched:
        return f"all {len(gates)} passed"
    names = {gate["name"]: gate["detail"] for gate in unwatched}
    said = "; ".join(f"{name} ({detail})" for name, detail in names.items())
    return f"{len(gates) - len(unwatched)} passed, {len(unwatched)} not watched: {said}"
