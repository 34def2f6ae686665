"""Reference of the stack file, written from `StackSpec`: `python -m stacks.reference`.

Two files: docs/configuration.md for people, docs/spec.schema.json for editors. A test checks that they are current.
"""

import inspect
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from components import patterns
from stacks import override
from stacks.reading import KEY, SECRETS_KEY, STATE_VARIABLE, VARIABLES
from stacks.spec import StackSpec

DOCS = Path(__file__).parent.parent / "docs"
INTRODUCTION = f"""# Configuration

<!-- Written by `python -m stacks.reference`; edit stacks/spec.py instead. -->

Everything that a stack file may say. It stands in `Pulumi.<stack>.yaml` under one key; every section may be left out:

```yaml
config:
  {KEY}:
    pattern: monolithic
    application:
      load:
        rateHz: 10
```

An unknown key, a wrong type or a value out of its range is refused before anything is deployed.
[spec.schema.json](spec.schema.json) is the same as a JSON Schema of the value of `{KEY}`.

Secrets have a key of their own, `{SECRETS_KEY}`: `pulumi config set --secret --path {SECRETS_KEY}.NAME`.
A node reads one by `secrets: {{VARIABLE: {{config: NAME}}}}`.
"""
PLAIN_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true`|`false`",
    type(None): "none",
    Any: "anything",
}
ENVIRONMENT = """## Environment

| variable | replaces the default of |
|---|---|
{variables}
`{state}` is different: it overrides `state`, whatever the file says, for one command. So does `{override}`: it names
YAML files (several separated by `:`) with keys of the spec, which are merged over those of the stack file; the stack's
output says which. Updates, campaigns and searches use it; see [campaigns.md](campaigns.md).
"""


def configuration() -> str:
    """Text of docs/configuration.md."""
    variables = "".join(f"| `{name}` | `{'.'.join(place)}` |\n" for name, place in VARIABLES.items())
    parts = [
        INTRODUCTION,
        *(_section_text(path, section) for path, section in sections(StackSpec)),
        f"Patterns: {', '.join(f'`{name}`' for name in patterns.names())}.\n",
        ENVIRONMENT.format(variables=variables, state=STATE_VARIABLE, override=override.VARIABLE),
    ]
    return "\n".join(parts)


def schema() -> str:
    """Text of docs/spec.schema.json. No section is required; one that is there may have keys that are."""
    document = StackSpec.model_json_schema(by_alias=True)
    document.pop("required", None)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | document, indent=2) + "\n"


def sections(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with its path, each before those in it."""
    yield path, section
    for field in section.model_fields.values():
        for below, suffix in _models(field.annotation, ""):
            yield from sections(below, f"{path}.{field.alias}{suffix}".lstrip("."))


def _section_text(path: str, section: type[BaseModel]) -> str:
    title = f"## `{path}`" if path else "## Keys"
    rows = "".join(_row(field) for field in section.model_fields.values())
    return f"{title}\n\n{inspect.getdoc(section)}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def _row(field: FieldInfo) -> str:
    meaning = str(field.description).replace("|", "\\|")
    return f"| `{field.alias}` | {_type(field).replace('|', ', ')} | {_default(field)} | {meaning} |\n"


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"), ("multiple_of", "multiple of"))
        if getattr(rule, name, None) is not None
    ]
    return " ".join([_words(field.annotation), ", ".join(bounds)]).strip()


def _words(annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return "|".join(f"`{choice}`" for choice in arguments)
    if origin in (typing.Union, UnionType):
        return "|".join(_words(argument) for argument in arguments)
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin in (dict, list):
        return f"{'mapping' if origin is dict else 'list'} of {_words(arguments[-1])}"
    return PLAIN_WORDS.get(annotation, "section")


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "derived" in extra:
        return str(extra["derived"])
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, BaseModel):
        return "below"
    plain = to_jsonable_python(default, by_alias=True, exclude_none=True)
    return "none" if default is None else f"`{json.dumps(plain)}`"


def _models(annotation: Any, suffix: str) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
    origin = typing.get_origin(annotation)
    below = f"{suffix}.NAME" if origin is dict else f"{suffix}[]" if origin is list else suffix
    for argument in typing.get_args(annotation):
        yield from _models(argument, below)


def main() -> None:
    """Write both files and say so."""
    for name, text in (("configuration.md", configuration()), ("spec.schema.json", schema())):
        (DOCS / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {DOCS / name}\n")


if __name__ == "__main__":
    main()
