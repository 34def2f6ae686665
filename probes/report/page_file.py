"""The file of a page."""

from pathlib import Path

from probes.errors import UsageError


def write_page(output: Path, page: str) -> None:
    """Write a page for its reader.

    Raises:
        UsageError: The file cannot be written.
    """
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The page cannot be written to {output}: {error.strerror or error}.",
            next_step="name another file with -o",
        ) from None
