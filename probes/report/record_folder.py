"""A record that lies in a folder of any name, such as examples/records/first-light, read as if it lay in a store."""

import json
from collections.abc import Sequence
from pathlib import Path

from probes.errors import RecordInvalid, StoreUnavailable
from probes.integrity import MANIFEST_FILE, record_prefix


def record_folder(selector: str) -> Path | None:
    """Give the folder of a record that a path names, by itself or by its manifest; None where there is none."""
    path = Path(selector).expanduser()
    if path.name == MANIFEST_FILE:
        path = path.parent
    return path if (path / MANIFEST_FILE).is_file() else None


class RecordFolder:
    """The files of one record under the keys that they have in a store; read only.

    Raises:
        RecordInvalid: Its manifest is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            manifest = json.loads((folder / MANIFEST_FILE).read_bytes())
            self.run_id = str(manifest["run_id"])
            self._prefix = record_prefix(manifest)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordInvalid(
                f"{folder / MANIFEST_FILE} is no manifest of a record ({error}).", next_step="python -m probes.verify"
            ) from None

    def address(self, key: str) -> str:
        """Name a file."""
        return str(self._folder / key.removeprefix(self._prefix))

    def get(self, key: str) -> bytes:
        """Read a file.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        try:
            return Path(self.address(key)).read_bytes()
        except OSError as error:
            raise StoreUnavailable(
                f"{self.address(key)} cannot be read: {error.strerror or error}.",
                next_step="name another record",
            ) from None

    def list(self, prefix: str) -> Sequence[str]:
        """Give the keys that begin with a prefix."""
        keys = (self._prefix + path.name for path in self._folder.iterdir())
        return sorted(key for key in keys if key.startswith(prefix))
