"""What can go wrong in the lab, as one sentence and the command that helps.

LabError                  a user can act on it; printed without a traceback, exit code 4
+-- MachineUnfitError          this computer lacks something (root, memory, a kernel feature); exit code 4
+-- UsageError            a name or an option that cannot be used; exit code 2
"""


class LabError(Exception):
    """A failure with a next step. `advice` is what to type or change."""

    exit_code = 4

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keep the sentence and the advice apart so that the console can set them apart."""
        super().__init__(message)
        self.advice = advice


class MachineUnfitError(LabError):
    """This computer lacks something that the lab needs."""


class UsageError(LabError):
    """A name or an option that cannot be used."""

    exit_code = 2
