"""The one exception for what the user can put right: shown as a sentence, never as a traceback."""

import difflib
from collections.abc import Iterable


class Refusal(Exception):  # noqa: N818 - it is an answer to the user, not a fault of the program
    """What was read, where, what is wrong with it, what the choices are, and what to type next."""


def choices(wanted: str, known: Iterable[str]) -> str:
    """Sentence that lists what could have been meant, the nearest first.

    Args:
        wanted: What the user wrote.
        known: What would have been accepted.

    Returns:
        For example ``Did you mean monolithic? Choices: composition, monolithic.``
    """
    names = sorted(known)
    near = difflib.get_close_matches(wanted, names, n=1)
    listed = f"Choices: {', '.join(names) or 'none'}."
    return f"Did you mean {near[0]}? {listed}" if near else listed
