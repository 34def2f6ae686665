"""Real records for tests that read: the committed sample, at its place in a folder, in a spool, or changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from probes.integrity import MANIFEST_FILE, digest, record_prefix
from probes.journal import Journal
from probes.spool import RunFolder, Spool
from probes.store_folder import FolderStore

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "records" / "first-light"


def sample_files() -> dict[str, bytes]:
    """Give the files of the sample record by name."""
    return {path.name: path.read_bytes() for path in SAMPLE.iterdir()}


def sample_manifest() -> dict[str, Any]:
    """Give its manifest."""
    return json.loads((SAMPLE / MANIFEST_FILE).read_bytes())


def varied(run_id: str, **changes: Any) -> dict[str, bytes]:
    """Give the sample record under another identifier, with other values in its manifest."""
    files = sample_files()
    manifest = sample_manifest() | {"run_id": run_id} | changes
    return files | {MANIFEST_FILE: json.dumps(manifest).encode()}


def stored(store: FolderStore, files: Mapping[str, bytes]) -> str:
    """Put a record into a store, at its place; gives its prefix."""
    prefix = record_prefix(json.loads(files[MANIFEST_FILE]))
    for name, payload in files.items():
        store.put(prefix + name, payload)
    return prefix


def sealed(spool: Spool, files: Mapping[str, bytes], option: str | None = None) -> RunFolder:
    """Put a record into a spool, sealed and not stored."""
    manifest = json.loads(files[MANIFEST_FILE])
    folder = spool.create(manifest["run_id"])
    folder.release()
    with Journal(folder.path) as journal:
        journal.append("planned", stack=manifest["stack"], store=option)
        folder.write_json("context.json", manifest)
        for name, payload in files.items():
            folder.write(f"sealed/{name}", payload)
        journal.append("sealed", manifest_sha256=digest(files[MANIFEST_FILE]))
    return folder
