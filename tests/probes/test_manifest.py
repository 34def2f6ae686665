"""The manifest's model: strict about types, tolerant to what it does not know, the same as its JSON Schema."""

import json
from pathlib import Path
from typing import Any

import pytest

from probes import manifest as model
from probes import reference
from probes.errors import RecordInvalid, SchemaTooNew
from probes.manifest import parse_manifest, read_document
from tests.probes.stored_records import TEMPLATE_TEXT

DOCS = Path(__file__).parents[2] / "docs"
MEASURED = {"value": 1.0, "unit": "s", "interval": None, "confidence": 0.95, "n": 1}


def document(**changes: Any) -> dict[str, Any]:
    return json.loads(TEMPLATE_TEXT) | changes


def encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def test_a_real_manifest_is_one() -> None:
    found = parse_manifest(TEMPLATE_TEXT.encode(), "here")
    assert found.run_id == "01a1fe67-f5f4-7bca-943a-a218c4a0b121"
    assert found.created_at.utcoffset() is not None


def test_what_the_first_records_lack_is_there_when_read() -> None:
    first = document()
    assert not {"arm", "cell", "platform", "noise_floor"} & first.keys()
    read = read_document(encoded(first), "here")
    assert {key: read[key] for key in ("arm", "cell", "platform", "noise_floor")} == dict.fromkeys(
        ("arm", "cell", "platform", "noise_floor")
    )
    assert {key: read[key] for key in first} == first


def test_keys_that_it_does_not_know_are_left_alone() -> None:
    later = document(weather="fine")
    later["git"]["branch"] = "main"
    later["metrics"]["inference_s"]["median"] = 1.0
    assert read_document(encoded(later), "here")["weather"] == "fine"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "1"},
        {"repetitions_done": "3"},
        {"repetitions_done": -1},
        {"created_at": "2026-11-21T13:59:48"},
        {"created_at": 5},
        {"state": "fine"},
        {"state": "complete", "reason": "no"},
        {"state": "invalid", "reason": None},
        {"parts": [{"name": "../../x.parquet", "bytes": 1, "sha256": "0" * 64}]},
        {"parts": [{"name": "/etc.parquet", "bytes": 1, "sha256": "0" * 64}]},
        {"parts": [{"name": "pods.parquet", "bytes": 1, "sha256": "0" * 63}]},
        {"parts": [{"name": "pods.parquet", "bytes": 1, "sha256": "0" * 64}] * 2},
        {"metrics": {"a": MEASURED | {"missing": "no_samples"}}},
        {"metrics": {"a": {"missing": ""}}},
        {"metrics": {"a": {}}},
        {"metrics": {"a": MEASURED | {"value": None}}},
        {"metrics": {"a": MEASURED | {"value": float("nan")}}},
        {"metrics": {"a": MEASURED | {"value": "1"}}},
        {"metrics": {"a": MEASURED | {"interval": [1.0]}}},
        {"metrics": {"a": MEASURED | {"n": 0}}},
        {"cell": {"campaign": "c"}},
    ],
    ids=str,
)
def test_what_a_record_must_not_say_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RecordInvalid, match="here is no manifest of schema 1"):
        parse_manifest(encoded(document(**change)), "here")


@pytest.mark.parametrize("key", [key for key in json.loads(TEMPLATE_TEXT) if key not in model.OPTIONAL])
def test_every_key_that_all_records_have_is_required(key: str) -> None:
    lacking = document()
    del lacking[key]
    with pytest.raises(RecordInvalid, match=f": {key}: Field required"):
        parse_manifest(encoded(lacking), "here")


def test_a_later_schema_is_not_guessed_at() -> None:
    with pytest.raises(SchemaTooNew, match=r"here is of schema 2; .* up to schema 1"):
        parse_manifest(encoded(document(schema=2)), "here")


def test_an_older_schema_is_brought_to_the_present_one_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no older one yet; the steps are made up."""
    older = document(schema=-1)
    older["stack_name"] = older.pop("stack")

    def from_minus_one(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "schema": 0, "name_of_stack": old["stack_name"]}

    def from_zero(old: dict[str, Any]) -> dict[str, Any]:
        return {**old, "schema": 1, "stack": old["name_of_stack"]}

    monkeypatch.setattr(model, "UPGRADES", {-1: from_minus_one, 0: from_zero})
    assert parse_manifest(encoded(older), "here").stack == "monolithic"
    assert read_document(encoded(older), "here")["stack"] == "monolithic"


def test_the_schema_in_the_docs_is_current() -> None:
    assert (DOCS / "manifest.schema.json").read_text(encoding="utf-8") == reference.manifest_schema(), "type: make docs"


def test_every_key_of_the_schema_says_what_it_is() -> None:
    definitions = json.loads(reference.manifest_schema())
    for name, entry in {"Manifest": definitions, **definitions["$defs"]}.items():
        for key, field in entry["properties"].items():
            assert field.get("description"), f"{name}.{key}"
