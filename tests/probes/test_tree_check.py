"""A store is walked: what does not belong, what is cut, what lies elsewhere than it says, what is there twice."""

import hashlib
import json
from pathlib import Path

import pytest

from probes.errors import StoreUnavailable
from probes.integrity import MANIFEST_FILE
from probes.store_folder import FolderStore
from probes.tree_check import check_tree
from tests.probes.records_at_hand import sample_files, stored, varied

ONE, OTHER = "01990000-0000-7000-8000-000000000001", "01990000-0000-7000-8000-000000000002"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def found(root: Path) -> list[tuple[str, str]]:
    return [(problem.kind, problem.key) for problem in check_tree(FolderStore(root)).all_problems]


def test_a_store_of_whole_records_is_fine(root: Path) -> None:
    store = FolderStore(root)
    store.check()
    assert check_tree(store).keys == 0
    stored(store, varied(ONE))
    stored(store, varied(OTHER, pattern="overlay"))
    tree = check_tree(store)
    assert tree.all_problems == ()
    assert {record.run_id for record in tree.records} == {ONE, OTHER}
    assert tree.keys == 2 * len(sample_files())


def test_a_file_that_nobody_wrote_is_named(root: Path) -> None:
    prefix = stored(FolderStore(root), varied(ONE))
    (root / "notes.txt").write_text("mine")
    (root / prefix / "extra.parquet").write_bytes(b"")
    assert found(root) == [("unknown", f"{prefix}extra.parquet"), ("unknown", "notes.txt")]


def test_a_record_without_a_manifest_is_an_upload_that_was_cut(root: Path) -> None:
    prefix = stored(FolderStore(root), varied(ONE))
    (root / prefix / MANIFEST_FILE).unlink()
    assert found(root) == [("unfinished", prefix)]


def test_a_manifest_without_a_part_is_damage(root: Path) -> None:
    prefix = stored(FolderStore(root), varied(ONE))
    (root / prefix / "pods.parquet").unlink()
    assert found(root) == [("missing", f"{prefix}pods.parquet")]


@pytest.mark.parametrize(("told", "found_at"), [("monolithic", "overlay"), ("date=2026", "date=2025")])
def test_a_record_at_another_place_than_it_says_is_named(root: Path, told: str, found_at: str) -> None:
    prefix = stored(FolderStore(root), varied(ONE))
    moved = prefix.replace(told, found_at)
    (root / moved).parent.mkdir(parents=True, exist_ok=True)
    (root / prefix).rename(root / moved)
    assert found(root) == [("place", moved)]


def test_a_run_that_is_there_twice_is_named(root: Path) -> None:
    store = FolderStore(root)
    stored(store, varied(ONE))
    second = stored(store, varied(ONE, pattern="overlay"))
    assert found(root) == [("twice", second)]


def test_compacted_files_are_checked_too(root: Path) -> None:
    store = FolderStore(root)
    stored(store, varied(ONE))
    name = "a" * 64
    folder = "compacted/schema=1/date=2026-11-21/"
    content = b"a table"
    parts = [{"name": f"runs-{name}.parquet", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}]
    store.put(f"{folder}runs-{name}.parquet", content)
    included = {"contract": 1, "runs": [ONE], "parts": parts}
    store.put(f"{folder}included-{name}.json", json.dumps(included).encode())
    assert found(root) == []
    store.put(f"{folder}observations-{name}.parquet", content)
    assert found(root) == [("unfinished", f"{folder}observations-{name}.parquet")]
    (root / folder / f"runs-{name}.parquet").write_bytes(b"a tablE")
    (root / folder / f"included-{name}.json").write_text(json.dumps(included | {"runs": [ONE, OTHER]}))
    assert [kind for kind, _ in found(root)] == ["sha256", "missing", "unfinished"]
    (root / folder / f"included-{name}.json").write_text("{}")
    assert found(root)[0] == ("manifest", f"{folder}included-{name}.json")


def test_a_store_that_cannot_tell_is_not_called_damaged(root: Path) -> None:
    prefix = stored(FolderStore(root), varied(ONE))

    class Flaky(FolderStore):
        def get(self, key: str) -> bytes:
            if key.endswith("pods.parquet"):
                raise StoreUnavailable("no answer", next_step="again")
            return super().get(key)

    with pytest.raises(StoreUnavailable, match="no answer"):
        check_tree(Flaky(root))
    assert prefix
