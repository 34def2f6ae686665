"""The written reference is that of the code."""

import json

import pytest

from stacks import reference
from stacks.spec import StackSpec


@pytest.mark.parametrize(
    ("name", "current"), [("configuration.md", reference.configuration()), ("spec.schema.json", reference.schema())]
)
def test_the_written_files_are_current(name: str, current: str) -> None:
    written = (reference.DOCS / name).read_text(encoding="utf-8")
    assert written == current, f"docs/{name} is old: python -m stacks.reference"


def test_every_key_is_described() -> None:
    for path, section in reference.sections(StackSpec):
        for field in section.model_fields.values():
            assert field.description, f"{path}.{field.alias} has no description"


def test_the_schema_requires_no_section_and_allows_nothing_unknown() -> None:
    document = json.loads(reference.schema())
    assert "required" not in document
    for part in (document, *document["$defs"].values()):
        assert part["additionalProperties"] is False
