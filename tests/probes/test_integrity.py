"""A record is what its manifest says, or it is said what is not."""

import io
import json

import polars as pl
import pytest

from probes.integrity import (
    MANIFEST_FILE,
    Manifest,
    Problem,
    check_record,
    digest,
    part_problem,
    read_manifest,
    schema_problem,
)
from tests.probes.records_at_hand import sample_files, sample_manifest


def kinds(files: dict[str, bytes]) -> list[str]:
    return [problem.kind for problem in check_record(files[MANIFEST_FILE], files.get).problems]


def test_a_real_record_is_whole() -> None:
    files = sample_files()
    checked = check_record(files[MANIFEST_FILE], files.get)
    assert checked.problems == ()
    assert checked.parts == len(files) - 1
    assert checked.size_bytes == sum(map(len, files.values()))


@pytest.mark.parametrize(
    ("name", "last", "kind"),
    [("samples.parquet", b"", "size"), ("samples.parquet", b"!", "sha256"), ("pods.parquet", None, "missing")],
)
def test_a_part_that_is_not_what_was_listed_is_named(name: str, last: bytes | None, kind: str) -> None:
    files = sample_files()
    content = files.pop(name)
    if last is not None:
        files[name] = content[:-1] + last
    [problem] = check_record(files[MANIFEST_FILE], files.get, "base/").problems
    assert (problem.kind, problem.key) == (kind, f"base/{name}")
    assert "manifest lists" in problem.text


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"schema": "1"}', b'{"schema": 1}', b"[" * 100_000])
def test_what_is_no_manifest_is_said(content: bytes) -> None:
    problem = read_manifest(content)
    assert isinstance(problem, Problem)
    assert problem.kind == "manifest"


def test_a_newer_manifest_is_no_damage() -> None:
    problem = read_manifest(json.dumps(sample_manifest() | {"schema": 2}).encode())
    assert isinstance(problem, Problem)
    assert (problem.kind, "newer ros2bench" in problem.text) == ("newer", True)


def test_a_manifest_that_garbles_a_key_that_only_readers_need_is_found() -> None:
    files = sample_files()
    files[MANIFEST_FILE] = json.dumps(sample_manifest() | {"state": "perfect"}).encode()
    assert kinds(files) == ["manifest"]


def test_a_manifest_says_where_its_record_belongs() -> None:
    manifest = read_manifest(sample_files()[MANIFEST_FILE])
    assert isinstance(manifest, Manifest)
    assert manifest.prefix.startswith("runs/schema=1/date=2026-")
    assert manifest.prefix.endswith(f"/run={manifest.run_id}/")


def parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def test_a_table_of_another_schema_is_named_with_what_differs() -> None:
    table = pl.read_parquet(io.BytesIO(sample_files()["pods.parquet"]))
    changed = table.rename({"at_ns": "at_ms"}).with_columns(pl.col("resolution_ns").cast(pl.Float64))
    problem = schema_problem("pods.parquet", parquet(changed), "k")
    assert problem is not None
    assert problem.kind == "schema"
    assert "lacks at_ns" in problem.text
    assert "resolution_ns (Float64)" in problem.text
    assert "at_ms" in problem.text


@pytest.mark.parametrize(
    ("name", "payload"), [("others.parquet", b""), ("samples.csv", b""), ("samples.parquet", b"no table")]
)
def test_what_is_no_table_of_the_schema_is_named(name: str, payload: bytes) -> None:
    problem = schema_problem(name, payload, "k")
    assert problem is not None
    assert problem.kind == "schema"


def test_the_first_records_lack_two_columns_and_are_fine() -> None:
    payload = sample_files()["metrics.parquet"]
    assert "source" not in pl.read_parquet(io.BytesIO(payload)).columns
    assert schema_problem("metrics.parquet", payload, "k") is None


def test_a_table_may_be_whole_and_still_of_another_schema() -> None:
    files = sample_files()
    files["pods.parquet"] = parquet(pl.DataFrame({"a": [1]}))
    manifest = sample_manifest()
    for part in manifest["parts"]:
        if part["name"] == "pods.parquet":
            part |= {"bytes": len(files["pods.parquet"]), "sha256": digest(files["pods.parquet"])}
    files[MANIFEST_FILE] = json.dumps(manifest).encode()
    assert kinds(files) == ["schema"]


def test_a_part_that_is_the_same_is_no_problem() -> None:
    manifest = read_manifest(sample_files()[MANIFEST_FILE])
    assert isinstance(manifest, Manifest)
    assert all(part_problem(part, sample_files()[part.name], part.name) is None for part in manifest.parts)
