"""Pure: what `pulumi preview --json` says would change."""

import json
from typing import Any, cast

UNCHANGED = frozenset({"same", "read", "refresh", "read-discard", "discard"})
OF_THE_ENGINE = ("pulumi:pulumi:", "pulumi:providers:")


def objects_changed(text: str) -> int:
    """Count the objects of the cluster that would be made, changed, replaced or removed.

    A replacement is one object, in however many steps. Components of the program are no objects: they are not the
    cluster's.

    Raises:
        ValueError: The text is not what `pulumi preview --json` writes.
    """
    document: Any = json.loads(text)
    steps = cast("dict[str, Any]", document).get("steps") if isinstance(document, dict) else None
    if not isinstance(steps, list):
        raise ValueError("it holds no list `steps`")  # noqa: TRY004 - the text is wrong, not a type of the program
    changed = {
        _object(step)
        for step in cast("list[dict[str, Any]]", steps)
        if step["op"] not in UNCHANGED and _is_object(step)
    }
    return len(changed)


def _object(step: dict[str, Any]) -> str:
    return str(step["urn"])


def _is_object(step: dict[str, Any]) -> bool:
    kind = str(step["urn"]).split("::")[2].rpartition("$")[2]
    return kind.startswith("kubernetes:") and not kind.startswith(OF_THE_ENGINE)
