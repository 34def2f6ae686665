"""Where a run stands in a campaign: what its record says of it, and how a resumed campaign finds it again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from probes.record import CONTEXT_FILE
from probes.spool import MANIFEST_FILE, RunFolder

Role = Literal["cell", "control", "trial", "summary"]
MEASURED = frozenset({"complete", "invalid"})


@dataclass(frozen=True)
class Cell:
    """One place in a campaign.

    Args:
        campaign: Identifier that all of its records share.
        name: Stack and levels, for people; the same in every repetition.
        repetition: Block of the order.
        role: `control` is the second half of an A/A pair, `trial` a step of a search, `summary` what followed from all.
        levels: Level of each factor.
    """

    campaign: str
    name: str
    repetition: int
    role: Role
    levels: Mapping[str, Any]

    def as_record(self) -> dict[str, Any]:
        """Give the entry of the manifest."""
        return asdict(self)


def records_of(folders: Iterable[RunFolder], campaign: str) -> list[RunFolder]:
    """Give the runs of a campaign, oldest first."""
    return [folder for folder in folders if _cell(folder).get("campaign") == campaign]


def manifests_of(folders: Iterable[RunFolder], campaign: str) -> list[dict[str, Any]]:
    """Give the manifests of a campaign's sealed runs, oldest first."""
    return [folder.read_json(f"sealed/{MANIFEST_FILE}") for folder in records_of(folders, campaign) if folder.is_sealed]


def is_done(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a run was measured to its end. One that failed a gate counts: what it says is not chosen by."""
    return manifest["state"] in MEASURED


def place_in(manifest: Mapping[str, Any]) -> tuple[str, str, int]:
    """Give name, role and repetition of a manifest's cell."""
    cell = manifest["cell"]
    return cell["name"], cell["role"], cell["repetition"]


def _cell(folder: RunFolder) -> Mapping[str, Any]:
    if not (folder.path / CONTEXT_FILE).exists():
        return {}
    return folder.read_json(CONTEXT_FILE).get("cell") or {}
