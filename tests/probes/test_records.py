"""Records read back: what is listed, what is refused, what earlier records lack."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from probes.errors import RecordInvalid, SchemaTooNew, StoreUnavailable
from probes.integrity import record_prefix
from probes.observations import OBSERVATIONS
from probes.records import find_runs, list_runs, observations, read_manifest, read_table
from probes.run_summary import RunFilter
from probes.store_folder import FolderStore
from probes.tables import TABLES, conform, decode_table
from tests.probes.stored_records import TEMPLATE, MemoryStore, Recipe, store_record


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    for recipe in (
        Recipe(1, day=1, changes={"campaign": "c1"}),
        Recipe(2, day=2, stack="overlay", values=(3.0, None)),
        Recipe(3, day=3, stack="overlay", state="invalid", changes={"campaign": "c1"}),
        Recipe(4, day=3, damage="no manifest"),
    ):
        store_record(store, recipe)
    return store


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        (RunFilter(), [1, 2, 3]),
        (RunFilter(stacks=("overlay",)), [2, 3]),
        (RunFilter(patterns=("monolithic",)), [1]),
        (RunFilter(states=("complete",), stacks=("overlay", "monolithic")), [1, 2]),
        (RunFilter(campaigns=("c1",)), [1, 3]),
        (RunFilter(applications=("perception",)), [1, 2, 3]),
        (RunFilter(applications=("another",)), []),
        (RunFilter(runs=("000000000002",)), [2]),
        (RunFilter(runs=("01a1fe67", "nothing")), [1, 2, 3]),
        (RunFilter(since=date(2027, 3, 2)), [2, 3]),
        (RunFilter(until=date(2027, 3, 2)), [1, 2]),
        (RunFilter(since=date(2027, 3, 2), until=date(2027, 3, 2)), [2]),
    ],
)
def test_committed_runs_are_listed_oldest_first(store: MemoryStore, where: RunFilter, numbers: list[int]) -> None:
    assert [int(run.run_id[-12:]) for run in list_runs(store, where)] == numbers


def test_a_summary_says_what_the_manifest_says(store: MemoryStore) -> None:
    run = list_runs(store, RunFilter(stacks=("overlay",), states=("invalid",)))[0]
    manifest = read_manifest(store, run)
    assert run.prefix == record_prefix(manifest)
    assert (run.stack, run.pattern, run.state, run.reason) == ("overlay", "overlay", "invalid", "a_reason")
    assert (run.application, run.repetitions, run.schema) == ("perception", 2, 1)
    assert (run.commit, run.dirty) == (manifest["git"]["revision"], False)
    assert run.created_at == datetime(2027, 3, 3, 12, tzinfo=UTC)
    assert run.campaign == "c1"


def test_cell_and_noise_floor_come_back_as_they_are() -> None:
    cell = {"campaign": "c", "name": "overlay", "repetition": 1, "role": "control", "levels": {"rate_hz": 10.0}}
    ratio = {"median_ratio": 1.01, "interval": [0.99, 1.02], "confidence": 0.95, "n": 3}
    floor = {"stack": "overlay", "arms": ["A", "A'"], "ratios": {"inference_s": ratio}}
    store = MemoryStore()
    store_record(store, Recipe(1, changes={"cell": cell, "noise_floor": floor, "arm": "A'"}))
    run = list_runs(store)[0]
    assert (run.cell, run.noise_floor, run.arm) == (cell, floor, "A'")


def test_observations_are_one_row_for_each_run_repetition_and_key(store: MemoryStore) -> None:
    found = observations(store, list_runs(store))
    assert found.schema == pl.Schema(OBSERVATIONS)
    assert not found.select("run_id", "repetition", "key").is_duplicated().any()
    # A value or a reason, never both, never neither.
    assert found["value"].is_null().eq(found["missing"].is_not_null()).all()
    runs = {run.run_id: read_manifest(store, run)["metrics"] for run in list_runs(store)}
    for run_id, metrics in runs.items():
        assert set(found.filter(run_id=run_id)["key"]) == set(metrics)
    of_second = found.filter(pl.col("run_id").str.ends_with("2") & (pl.col("key") == "inference_s"))
    assert of_second["value"].to_list() == [3.0, None]
    assert of_second["missing"].to_list() == [None, "too_few_samples"]
    assert of_second["unit"].to_list() == ["s", "s"]
    whole = found.filter(pl.col("run_id").str.ends_with("2") & (pl.col("key") == "power_w"))
    assert whole.select("repetition", "value", "missing", "unit").rows() == [(-1, None, "not_measured", None)]


def test_keys_choose_among_the_observations(store: MemoryStore) -> None:
    runs = list_runs(store)
    keys = ("inference_s{statistic=p95}", "image_bytes_wire")
    assert observations(store, runs, keys).equals(observations(store, runs).filter(pl.col("key").is_in(keys)))
    assert observations(store, runs, ()).is_empty()
    assert observations(store, ()).schema == pl.Schema(OBSERVATIONS)


def test_a_later_schema_is_refused_with_a_sentence(store: MemoryStore) -> None:
    store_record(store, Recipe(5, damage="newer schema"))
    with pytest.raises(
        SchemaTooNew, match=r"manifest.json is of schema 2; this version .* reads up to schema 1"
    ) as caught:
        list_runs(store)
    assert "update the program" in caught.value.next_step
    found = find_runs(store)
    assert (len(found.runs), len(found.problems)) == (3, 1)


def test_a_later_layout_is_refused_before_it_is_read(store: MemoryStore) -> None:
    store.objects["runs/schema=7/date=2030-01-01/pattern=x/run=y/manifest.json"] = b"whatever"
    with pytest.raises(SchemaTooNew, match="schema 7"):
        list_runs(store)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"{", "is no JSON"),
        (b"[]", "holds no JSON object"),
        (b'{"schema": 1}', "is no manifest of schema 1: run_id: Field required (and"),
        (b'{"schema": 0}', "is no manifest of schema 1: schema:"),
    ],
)
def test_what_is_no_manifest_is_named(store: MemoryStore, payload: bytes, said: str) -> None:
    key = next(key for key in store.objects if key.endswith("manifest.json"))
    store.objects[key] = payload
    with pytest.raises(RecordInvalid) as caught:
        list_runs(store)
    assert key in caught.value.message
    assert said in caught.value.message


def test_a_record_in_another_place_is_not_taken_for_another_run(store: MemoryStore) -> None:
    key = next(key for key in store.objects if key.endswith("manifest.json"))
    store.objects[key.replace("000000000001", "000000000009")] = store.objects[key]
    with pytest.raises(RecordInvalid, match="not where it belongs"):
        list_runs(store)


def test_a_table_must_be_what_the_manifest_lists(store: MemoryStore) -> None:
    run = list_runs(store)[0]
    assert read_table(store, run, "metrics").height == 5
    store.objects[run.prefix + "metrics.parquet"] += b"!"
    with pytest.raises(RecordInvalid, match="is not what the manifest of run"):
        read_table(store, run, "metrics")
    with pytest.raises(RecordInvalid, match="is not what the manifest of run"):
        observations(store, [run])
    del store.objects[run.prefix + "metrics.parquet"]
    with pytest.raises(StoreUnavailable):
        read_table(store, run, "metrics")


def test_a_store_that_cannot_be_read_is_not_a_bad_record(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: MemoryStore, _key: str) -> bytes:
        raise StoreUnavailable("no answer", reason="store_unreachable")

    monkeypatch.setattr(MemoryStore, "get", refuse)
    with pytest.raises(StoreUnavailable, match="no answer"):
        find_runs(store)


def test_tables_and_columns_that_earlier_records_lack_are_empty_or_null() -> None:
    store = MemoryStore()
    store_record(store, Recipe(1, first_columns=True))
    run = list_runs(store)[0]
    assert read_table(store, run, "timeline").schema == pl.Schema(TABLES["timeline"])
    metrics = read_table(store, run, "metrics")
    assert metrics.schema == pl.Schema(TABLES["metrics"])
    assert metrics["source"].is_null().all()


def test_a_folder_is_listed_without_its_files_and_gives_the_same(store: MemoryStore, tmp_path: Path) -> None:
    for key, payload in store.objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    (tmp_path / "runs" / "schema=1" / "notes").mkdir()
    assert list_runs(FolderStore(tmp_path)) == list_runs(store)
    assert list_runs(FolderStore(tmp_path / "nothing")) == ()


def test_a_real_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    """examples/records/first-light: no arm, no cell, no timeline, metrics without source."""
    manifest = json.loads((TEMPLATE / "manifest.json").read_bytes())
    place = tmp_path / record_prefix(manifest)
    place.mkdir(parents=True)
    for path in TEMPLATE.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    store = FolderStore(tmp_path)
    run = list_runs(store)[0]
    assert (run.stack, run.repetitions, run.cell, run.arm, run.noise_floor) == ("monolithic", 3, None, None, None)
    found = observations(store, [run])
    assert set(found["key"]) == set(manifest["metrics"])
    latency = found.filter(key="inference_s")
    assert latency["value"].mean() == pytest.approx(manifest["metrics"]["inference_s"]["value"])
    for name in TABLES:
        assert read_table(store, run, name).schema == pl.Schema(TABLES[name])


def test_a_table_of_other_columns_is_refused(store: MemoryStore) -> None:
    metrics = decode_table(store.get(next(key for key in store.objects if key.endswith("metrics.parquet"))))
    assert conform("metrics", metrics.with_columns(added=pl.lit(1))).columns == list(TABLES["metrics"])
    with pytest.raises(ValueError, match="value is missing"):
        conform("metrics", metrics.drop("value"))
    with pytest.raises(ValueError, match="repetition is Int64 instead of Int32"):
        conform("metrics", metrics.cast({"repetition": pl.Int64}))
