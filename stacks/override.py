"""Keys of the spec that replace those of a stack file for one command, without writing a tracked file. Plain data.

`ROS2BENCH_SPEC_OVERRIDE` names YAML files, separated by `:`; each holds keys of `ros2bench:spec` as the stack file
would. Mappings are merged key by key, anything else is replaced; where two files differ, the later one holds.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from components.refusal import Refusal

VARIABLE = "ROS2BENCH_SPEC_OVERRIDE"
SEPARATOR = ":"


@dataclass(frozen=True)
class Override:
    """What a command changes in the spec.

    Attributes:
        files: Where it was read from, in order.
        sha256: Digest over the files' contents, in order.
        values: Their keys, merged.
    """

    files: tuple[Path, ...]
    sha256: str
    values: Mapping[str, Any]

    def names(self, location: Iterable[int | str]) -> bool:
        """Tell whether a place in the spec is one that the override writes, or lies inside one."""
        value: Any = self.values
        for key in location:
            if not isinstance(value, dict):
                return True
            found = cast("dict[int | str, Any]", value)
            if key not in found:
                return False
            value = found[key]
        return True

    def source(self) -> str:
        """Name the files, for a sentence about one of their keys."""
        return SEPARATOR.join(str(file) for file in self.files)


def read_override(environment: Mapping[str, str]) -> Override | None:
    """Read what the environment overrides; None where it overrides nothing.

    Raises:
        Refusal: A file cannot be read, is no YAML, or holds no mapping.
    """
    text = environment.get(VARIABLE)
    if not text:
        return None
    files = tuple(Path(part) for part in text.split(SEPARATOR))
    digest, values = hashlib.sha256(), dict[str, Any]()
    for file in files:
        content, found = _read(file)
        digest.update(hashlib.sha256(content).digest())
        values = merged(values, found)
    return Override(files, digest.hexdigest(), values)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another: mappings are merged key by key, anything else is replaced."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            result[key] = merged(cast("dict[str, Any]", known), cast("dict[str, Any]", value))
        else:
            result[key] = value
    return result


def _read(file: Path) -> tuple[bytes, dict[str, Any]]:
    where = f"environment variable {VARIABLE}: {file}"
    hint = f"Name a YAML file with keys of ros2bench:spec, several separated by {SEPARATOR!r}, or: unset {VARIABLE}"
    try:
        content = file.read_bytes()
        document: Any = yaml.safe_load(content)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refusal(f"{where}: cannot be read: {error}. {hint}") from None
    if document is None:
        return content, {}
    if not isinstance(document, dict):
        raise Refusal(f"{where}: is {document!r}, a mapping of keys is expected. {hint}")
    keys = cast("dict[Any, Any]", document)
    if wrong := [key for key in keys if not isinstance(key, str)]:
        raise Refusal(f"{where}: the key {wrong[0]!r} is no text. {hint}")
    return content, cast("dict[str, Any]", document)
