"""What the container does not do, and why. Needs no ROS."""


class Refusal(Exception):  # noqa: N818 (named after what its reader is told)
    """A call or a component that is refused.

    Args:
        reason: short code for the audit, for example `unlisted`.
        sentence: what was asked, what is wrong, what is possible instead.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class ModuleRefused(ImportError):  # noqa: N818 (see Refusal)
    """A module below a listed package that may not be imported; a package may catch it as usual."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
