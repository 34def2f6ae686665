"""What can go wrong for a user of the probes; each error carries the exit code of the command.

ProbeError
├── UsageError            2  a bad option, file or combination of them
│   └── SchemaTooNew      2  a record was written by a later version of the program
├── InvalidMeasurement    3  the run was kept, but a gate failed
├── RecordInvalid         3  what the store holds is no record, or not what its manifest says
├── TargetError           4  the stack, the cluster or the recorder is not as it must be
│   ├── DeployFailed      4  `pulumi up` failed, or a pod cannot start
│   └── NoMessage         4  the application runs, but no valid message arrived in time
├── StoreUnavailable      5  the record is complete on this machine only
├── SpoolFull             6  the disk of the spool is full; what was measured is sealed
├── DiskFailed            6  the disk of the spool fails; what it took before is kept
├── SpoolDamaged          3  files of a run are not what was written; nothing is deleted
└── RecordConflict        7  the store holds other bytes under the run's name

A message says what was read and from where, what was wrong, what the choices are, and what to type next.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command, the same for all."""

    COMMITTED = 0
    USAGE = 2
    INVALID = 3
    TARGET = 4
    STORED_LOCALLY = 5
    ABORTED = 6
    CONFLICT = 7
    INTERRUPTED = 130


class ProbeError(Exception):
    """An error that a user can act on; its text is shown without a traceback.

    Args:
        message: What was read, from where, and what was wrong with it.
        next_step: What to type or change next.
        reason: Short code that the record keeps, for example `no_message`.
    """

    exit_code = ExitCode.USAGE
    default_reason = "usage"

    def __init__(self, message: str, *, next_step: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.reason = reason or self.default_reason

    def __str__(self) -> str:
        """Give the message, then the next step on a line of its own."""
        return f"{self.message}\nNext: {self.next_step}" if self.next_step else self.message


class UsageError(ProbeError):
    """A bad option, file or combination of them."""


class SchemaTooNew(UsageError):  # noqa: N818 - named after the condition
    """A record was written by a later version of the program."""

    default_reason = "schema_too_new"


class RecordInvalid(ProbeError):  # noqa: N818 - named after the condition
    """What the store holds is no record, or not what its manifest says."""

    exit_code = ExitCode.INVALID
    default_reason = "record_invalid"


class InvalidMeasurement(ProbeError):  # noqa: N818 - named after the state that the record carries
    """A gate failed: the run is kept and marked."""

    exit_code = ExitCode.INVALID
    default_reason = "gate_failed"


class TargetError(ProbeError):
    """The stack, the cluster or the recorder is not as it must be."""

    exit_code = ExitCode.TARGET
    default_reason = "target_not_ready"


class DeployFailed(TargetError):  # noqa: N818 - named after the event
    """`pulumi up` failed, or a pod of the application cannot start."""

    default_reason = "deploy_failed"


class NoMessage(TargetError):  # noqa: N818 - named after the event
    """The application runs, but no valid message arrived in time."""

    default_reason = "no_message"


class StoreUnavailable(ProbeError):  # noqa: N818 - named after the condition
    """The store cannot be reached or refuses; the record stays on this machine."""

    exit_code = ExitCode.STORED_LOCALLY
    default_reason = "store_unavailable"


class SpoolFull(ProbeError):  # noqa: N818 - named after the condition
    """The disk that holds the spool is full."""

    exit_code = ExitCode.ABORTED
    default_reason = "spool_full"


class DiskFailed(ProbeError):  # noqa: N818 - named after the event
    """The disk that holds the spool returns errors."""

    exit_code = ExitCode.ABORTED
    default_reason = "disk_failed"


class SpoolDamaged(ProbeError):  # noqa: N818 - named after the condition
    """Files of a run in the spool are not what was once written; they stay where they are."""

    exit_code = ExitCode.INVALID
    default_reason = "spool_damaged"


class RecordConflict(ProbeError):  # noqa: N818 - named after the condition
    """The store holds other bytes under the name of this run; nothing was overwritten."""

    exit_code = ExitCode.CONFLICT
    default_reason = "record_conflict"
