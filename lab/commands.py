"""Run a program and turn its failure into a sentence that names it and shows its last words."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import LabError

TAIL_LINES = 12


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    """Return the last lines of a program's output, indented for a message."""
    return "\n".join("    " + line for line in text.strip().splitlines()[-count:])


def run(
    command: Sequence[str | Path],
    *,
    doing: str,
    advice: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    text_in: str | None = None,
    timeout_s: float = 600,
    log: Path | None = None,
) -> str:
    """Run `command` to its end and return its standard output.

    Args:
        command: Program and arguments; never a shell string.
        doing: What this is for, in words that complete "Failed: …".
        advice: What to type next when it fails.
        environment: The program's whole environment; the caller's by default.
        folder: Working folder.
        text_in: What the program reads on standard input.
        timeout_s: Longest time allowed.
        log: File that receives the whole output too.

    Raises:
        LabError: the program is missing, fails or takes too long.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=text_in,
            stdin=subprocess.DEVNULL if text_in is None else None,
            capture_output=True,
            text=True,
            check=False,
            env=dict(environment) if environment is not None else None,
            cwd=folder,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise LabError(f"{doing}: program {words[0]!r} is not on this machine.", advice=advice) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{doing}: {words[0]} did not end within {timeout_s:.0f} s.", advice=advice) from error
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"$ {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        said = last_lines(done.stderr or done.stdout)
        where = f"\n  whole output: {log}" if log else ""
        raise LabError(f"{doing}: {words[0]} ended with status {done.returncode}:\n{said}{where}", advice=advice)
    return done.stdout
