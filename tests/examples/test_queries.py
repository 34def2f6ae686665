"""The queries of examples/queries/README.md, as they stand there, over records in a real object store."""

import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from benchmarks.seaweedfs import BUCKET, SeaweedFS, single
from probes.compact import compact
from probes.records import list_runs, observations
from probes.run_summary import EVERY_RUN
from probes.store import S3Store
from tests.probes.stored_records import MemoryStore, Recipe, store_record

pytestmark = pytest.mark.store
PAGE = Path(__file__).parents[2] / "examples" / "queries" / "README.md"
POLARS, DUCKDB, COMPARABLE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
EXTENSIONS = (
    Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "duckdb_ext" / "extensions"
)
# Where they lie here; a user's DuckDB downloads them, and checks the same signatures.
PRELUDE = f"import duckdb; duckdb.sql(\"SET extension_directory = '{EXTENSIONS}'\")\n"
RECIPES = (
    Recipe(1, stack="monolithic", values=(1.0, 2.0), first_columns=True),
    Recipe(2, stack="monolithic", values=(6.0, None), day=2),
    Recipe(3, stack="overlay", values=(4.0, 5.0)),
    Recipe(4, stack="overlay", values=(90.0,), state="invalid"),
)


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Generator[SeaweedFS]:
    with single(tmp_path_factory.mktemp("weed")) as weed:
        yield weed


@pytest.fixture
def store(weed: SeaweedFS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Store:
    """A bucket that holds the recipes' records; credentials in the environment, as a user has them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", weed.operator[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", weed.operator[1])
    monkeypatch.setenv("AWS_ENDPOINT_URL", weed.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = MemoryStore()
    for recipe in RECIPES:
        store_record(made, recipe)
    store = S3Store(BUCKET, "", weed.endpoint, "us-east-1")
    for key, payload in made.objects.items():
        store.put(key, payload)
    return store


def typed(code: str, weed: SeaweedFS) -> str:
    """Run the lines of the page in a Python of their own, over this bucket at this address."""
    own = code.replace("s3://ros2bench/", f"s3://{BUCKET}/").replace("127.0.0.1:8333", weed.endpoint.rpartition("/")[2])
    done = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(table: str) -> set[tuple[str, ...]]:
    """Read the rows of a printed table."""
    rows = [line.strip("│ ").replace("┆", "│").split("│") for line in table.splitlines() if line.startswith("│")]
    return {tuple(cell.strip() for cell in row) for row in rows}


def test_polars_reads_the_bucket(store: S3Store, weed: SeaweedFS) -> None:
    found = cells(typed(POLARS, weed))
    assert {("monolithic", "3", "2.0"), ("overlay", "3", "5.0")} <= found


def test_duckdb_reads_the_bucket(store: S3Store, weed: SeaweedFS) -> None:
    found = cells(typed(PRELUDE + DUCKDB, weed))
    assert {("monolithic", "3", "2.0"), ("overlay", "3", "5.0")} <= found


def test_duckdb_takes_no_unsigned_extension() -> None:
    assert duckdb.sql("SELECT current_setting('allow_unsigned_extensions')").fetchone() == (False,)


def test_comparable_runs_come_from_the_compacted_files(store: S3Store, weed: SeaweedFS) -> None:
    compact(store, EVERY_RUN)
    # Wide enough for every column.
    shown = typed(f"import polars; polars.Config(tbl_cols=-1, tbl_width_chars=900)\n{COMPARABLE}", weed)
    found = {(row[-3], row[-2], row[-1]) for row in cells(shown)}
    assert {("monolithic", "3", "3.0"), ("overlay", "2", "4.5")} <= found


def test_the_program_reads_s3_through_the_sets_as_without_them(store: S3Store) -> None:
    compact(store, EVERY_RUN)
    runs = list_runs(store)
    assert [run.run_id for run in runs] == [recipe.run_id for recipe in sorted(RECIPES, key=lambda one: one.day)]
    found = observations(store, runs, ("inference_s",))
    assert found.group_by("run_id").agg(pl.len())["len"].sum() == sum(len(recipe.values) for recipe in RECIPES)


@pytest.mark.parametrize("code", [POLARS, DUCKDB])
def test_four_lines_are_enough(code: str) -> None:
    assert len(code.strip().splitlines()) == 4
