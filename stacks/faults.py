"""Words for what is wrong with a value of a stack file: the value, the rule, the choices."""

import re
import typing
from collections.abc import Sequence
from types import UnionType
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from components.refusal import choices
from stacks.spec import StackSpec

EXPECTED = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a mapping",
    "string": "text (in quotes, if it looks like a number)",
}

Location = Sequence[int | str]


def rule(fault: ErrorDetails) -> str:
    """Sentence for one finding of the validation, without the place where it was found."""
    location, value, context = fault["loc"], fault["input"], fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            known = choices(str(location[-1]), keys_at(location[:-1]))
            return f"unknown key (its value is {value!r}). {known}"
        case "literal_error":
            accepted = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"is {value!r}. {choices(str(value), accepted)}"
        case "string_pattern_mismatch":
            return f"is {value!r}, which does not match {context['pattern']}. {description_at(location)}"
        case "value_error":
            return f"{context['error']}."
        case kind if kind.removesuffix("_type") in EXPECTED:
            return f"is {value!r}, {EXPECTED[kind.removesuffix('_type')]} is expected."
        case _:
            return f"is {value!r}. {fault['msg'].replace('Input', 'It')}."


def keys_at(location: Location) -> list[str]:
    """YAML keys of the section at a location; none where any name is allowed."""
    section = _section_at(location)
    return [str(field.alias) for field in section.model_fields.values()] if section else []


def description_at(location: Location) -> str:
    """Description of the key at a location; empty where the user chose the key."""
    section = _section_at(location[:-1])
    fields = section.model_fields.values() if section else ()
    return next((str(field.description) for field in fields if field.alias == location[-1]), "")


def _section_at(location: Location) -> type[BaseModel] | None:
    annotation: Any = StackSpec
    for part in location:
        if section := _as_section(annotation):
            fields = section.model_fields.values()
            annotation = next((field.annotation for field in fields if field.alias == part), None)
        else:
            # A mapping of sections by a name that the user chose, or a list of them by position.
            annotation = next(reversed(typing.get_args(_stated(annotation))), None)
    return _as_section(annotation)


def _as_section(annotation: Any) -> type[BaseModel] | None:
    stated = _stated(annotation)
    return stated if isinstance(stated, type) and issubclass(stated, BaseModel) else None


def _stated(annotation: Any) -> Any:
    """What an optional key is when it is there."""
    arguments = [each for each in typing.get_args(annotation) if each is not type(None)]
    optional = typing.get_origin(annotation) in (typing.Union, UnionType) and len(arguments) == 1
    return arguments[0] if optional else annotation
