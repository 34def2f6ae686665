"""What every store says where the name of a record is taken, and the command that tries again."""

from probes.errors import RecordConflict

RESUME = "python -m probes.resume"


def conflict(address: str) -> RecordConflict:
    """Say that the name of a record is taken by other bytes."""
    return RecordConflict(
        f"{address} exists with other bytes. Nothing was overwritten; both are kept.",
        next_step="compare the two with: python -m probes.verify --store own",
    )
