"""Compacted sets: the same answers as without them, whatever is killed or runs beside it, and nothing unverified."""

import io
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from probes import compact as program
from probes import compacted
from probes.compact import compact
from probes.errors import ProbeError, RecordInvalid
from probes.observations import nothing_observed
from probes.records import find_runs, observations
from probes.run_summary import EVERY_RUN, RunFilter, RunSummary
from probes.store_folder import FolderStore
from tests.probes.stored_records import KilledError, MemoryStore, Recipe, store_record

DAMAGES = ("none", "none", "none", "no manifest", "table changed", "table lost", "manifest torn", "newer schema")
MOST_PUTS = 9


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterable[None]:
    """Copies of compacted files go to a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@st.composite
def recipes(draw: st.DrawFn) -> list[Recipe]:
    numbers = draw(st.lists(st.integers(1, 30), unique=True, min_size=1, max_size=4))
    return [
        Recipe(
            number,
            day=draw(st.integers(1, 2)),
            stack=draw(st.sampled_from(["monolithic", "overlay"])),
            state=draw(st.sampled_from(["complete", "complete", "invalid"])),
            values=tuple(draw(st.lists(st.none() | st.floats(0.1, 10), min_size=1, max_size=2))),
            first_columns=draw(st.booleans()),
            damage=draw(st.sampled_from(DAMAGES)),
        )
        for number in numbers
    ]


def stored(wanted: Iterable[Recipe]) -> MemoryStore:
    store = MemoryStore()
    for recipe in wanted:
        store_record(store, recipe)
    return store


Answers = tuple[tuple[RunSummary, ...], list[str], pl.DataFrame, pl.DataFrame]


def answers(store: MemoryStore, where: RunFilter = EVERY_RUN) -> Answers:
    """Everything that a reader may ask."""
    found = find_runs(store, where)
    problems = sorted(str(problem) for problem in found.problems)
    some = observations(store, found.runs[1:], ("inference_s",)) if len(found.runs) > 1 else pl.DataFrame()
    return found.runs, problems, observations(store, found.runs), some


def assert_same(one: Answers, other: Answers) -> None:
    assert one[:2] == other[:2]
    assert one[2].equals(other[2])
    assert one[3].equals(other[3])


@given(recipes(), st.sampled_from([EVERY_RUN, RunFilter(stacks=("overlay",)), RunFilter(since=date(2027, 3, 2))]))
def test_sets_hold_what_verifies_and_are_read_as_the_records_are(wanted: list[Recipe], where: RunFilter) -> None:
    store = stored(wanted)
    before, expected = dict(store.objects), answers(store, where)
    days = compact(store, EVERY_RUN)
    assert_same(answers(store, where), expected)
    # Originals are kept.
    assert before.items() <= store.objects.items()
    # Only what is committed and verifies is included, and the rest is told.
    held = {run_id for day_set in compacted.best_sets(store) for run_id in day_set.run_ids}
    assert held == {recipe.run_id for recipe in wanted if recipe.damage == "none"}
    told = "\n".join(str(problem) for day in days for problem in day.problems)
    for recipe in wanted:
        assert (recipe.run_id in told) == (recipe.damage not in {"none", "no manifest"})
    # A second time nothing is written.
    puts = store.puts
    again = compact(store, EVERY_RUN)
    assert store.puts == puts
    assert [(day.day, day.runs, day.observations) for day in again] == [(day.day, day.runs, None) for day in days]


@given(recipes(), recipes(), st.integers(1, MOST_PUTS), st.booleans())
def test_killed_anywhere_it_leaves_nothing_that_counts_for_more_than_it_holds(
    wanted: list[Recipe], late: list[Recipe], last_put: int, has_stored: bool
) -> None:
    store = stored(wanted)

    def kill(number: int) -> None:
        if number == last_put:
            raise KilledError

    store.before_put, store.after_put = (lambda _: None, kill) if has_stored else (kill, lambda _: None)
    expected = answers(store)
    try:
        compact(store, EVERY_RUN)
    except KilledError:
        assert_same(answers(store), expected)
    known = {recipe.number for recipe in wanted}
    for recipe in late:
        if recipe.number not in known:
            store_record(store, recipe)
    store.before_put = store.after_put = lambda _: None
    plain = MemoryStore({key: payload for key, payload in store.objects.items() if key.startswith("runs/")})
    compact(store, EVERY_RUN)
    assert_same(answers(store), answers(plain))


@given(recipes(), recipes(), st.integers(1, MOST_PUTS), st.booleans())
def test_two_at_once_agree(wanted: list[Recipe], late: list[Recipe], at_put: int, is_other_version: bool) -> None:
    """The second starts and ends before one of the first's puts; it may see more runs, and write Parquet otherwise."""
    store = stored(wanted)

    def interrupt(number: int) -> None:
        if number != at_put:
            return
        store.before_put = lambda _: None
        known = {recipe.number for recipe in wanted}
        for recipe in late:
            if recipe.number not in known:
                store_record(store, recipe)
        with pytest.MonkeyPatch.context() as patch:
            if is_other_version:
                patch.setattr(program, "encode_frame", uncompressed)
            compact(store, EVERY_RUN)

    store.before_put = interrupt
    compact(store, EVERY_RUN)
    plain = MemoryStore({key: payload for key, payload in store.objects.items() if key.startswith("runs/")})
    assert_same(answers(store), answers(plain))


def uncompressed(frame: pl.DataFrame) -> bytes:
    """The same rows in other bytes."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="uncompressed")
    return buffer.getvalue()


def test_a_set_with_more_runs_replaces_one_with_fewer_and_both_stay() -> None:
    store = stored([Recipe(1), Recipe(2)])
    compact(store, EVERY_RUN)
    store_record(store, Recipe(3))
    assert [day.runs for day in compact(store, EVERY_RUN)] == [3]
    assert len([key for key in store.objects if "included-" in key]) == 2
    assert [len(day_set.run_ids) for day_set in compacted.best_sets(store)] == [3]


def test_days_before_since_are_left_alone() -> None:
    store = stored([Recipe(1, day=1), Recipe(2, day=3)])
    assert [day.day for day in compact(store, RunFilter(since=date(2027, 3, 2)))] == ["2027-03-03"]


@pytest.mark.parametrize("loss", ["gone", "short", "changed"])
def test_a_damaged_set_is_named_and_no_measurement_is_lost(loss: str) -> None:
    store = stored([Recipe(number, values=(float(number),)) for number in range(1, 9)])
    compact(store, EVERY_RUN)
    key = next(key for key in store.objects if "observations-" in key)
    payload = store.objects.pop(key)
    if loss != "gone":
        middle = len(payload) // 2
        changed = payload[:middle] + bytes([payload[middle] ^ 1]) + payload[middle + 1 :]
        store.objects[key] = changed if loss != "short" else payload[:-1]
    with pytest.raises(ProbeError) as caught:
        observations(store, find_runs(store).runs)
    assert key in str(caught.value)
    del store.objects[next(key for key in store.objects if "included-" in key)]
    assert observations(store, find_runs(store).runs, ("inference_s",)).height == 8


def test_rows_of_one_metric_lie_together() -> None:
    """Then the statistics of the groups of rows let a query skip the others."""
    store = stored([Recipe(number) for number in range(1, 4)])
    compact(store, EVERY_RUN)
    frame = pl.read_parquet(next(payload for key, payload in store.objects.items() if "observations-" in key))
    assert frame.select("key", "run_id", "repetition").equals(
        frame.select("key", "run_id", "repetition").sort(pl.all())
    )
    many = pl.concat([frame] * 200).sort("key")
    payload = compacted.encode_frame(many)
    with (tmp := io.BytesIO(payload)):
        assert pl.read_parquet(tmp).equals(many)
    assert b"inference_s" in payload


@pytest.mark.parametrize(("of_a_key", "rows"), [(10, 1024), (3000, 3000), (5000, 2500), (8193, 2731)])
def test_a_group_of_rows_holds_one_metric_where_runs_have_the_same(of_a_key: int, rows: int) -> None:
    keys = [*["a"] * of_a_key, *["b"] * of_a_key, *["seldom"] * 7]
    assert compacted.rows_of_a_group(pl.DataFrame({"key": keys})) == rows


def test_runs_and_nothing_are_grouped_too() -> None:
    assert compacted.rows_of_a_group(pl.DataFrame({"run_id": ["a"]})) == compacted.MOST_ROWS_OF_A_GROUP
    assert compacted.rows_of_a_group(nothing_observed()) == compacted.MOST_ROWS_OF_A_GROUP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = stored([Recipe(1), Recipe(2, day=2), replace(Recipe(3, day=2), damage="table lost")])
    for key, payload in store.objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload)
    return tmp_path


def test_the_command_says_what_it_did_and_what_does_not_verify(folder: Path) -> None:
    done = CliRunner().invoke(program.app, ["--store", f"dir:{folder}"])
    assert done.exit_code == 3
    assert "2027-03-01  1 runs, 56 observations, written" in done.stdout
    assert "2027-03-02  1 runs, 56 observations, written, 1 left out" in done.stdout
    assert "events.parquet is not there" in done.stderr
    assert "probes.verify" in done.stderr
    only = CliRunner().invoke(program.app, ["--store", f"dir:{folder}", "--since", "2027-03-03"])
    assert (only.exit_code, only.stdout) == (0, "There are no committed records in that span of days.\n")


def test_a_folder_is_read_in_place_and_gives_the_same(folder: Path) -> None:
    store = FolderStore(folder)
    runs = find_runs(store).runs
    before = observations(store, runs)
    compact(store, EVERY_RUN)
    assert find_runs(store).runs == runs
    assert observations(store, runs).equals(before)
    for path in (folder / "compacted").rglob("observations-*.parquet"):
        path.write_bytes(path.read_bytes()[:-9] + b"!" * 9)
    with pytest.raises(RecordInvalid, match=r"cannot be read: .* no measurement is lost"):
        observations(store, runs)
    for path in (folder / "compacted").rglob("runs-*.parquet"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordInvalid, match="is not there with"):
        find_runs(store)


@pytest.mark.parametrize("words", [["--store", "ftp:x"], ["--since", "yesterday"], []])
def test_a_mistake_is_a_sentence(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS2BENCH_RECORDS_BUCKET", raising=False)
    done = CliRunner().invoke(program.app, words)
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    assert done.stderr
