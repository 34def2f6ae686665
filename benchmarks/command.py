"""Commands that a benchmark types for the user."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import typer
from rich.console import Console

PROJECT = Path(__file__).parents[1]
QUIET = ("--yes", "--skip-preview", "--suppress-outputs")
console = Console(stderr=True, highlight=False, soft_wrap=True)


def call(
    *words: str, folder: Path = PROJECT, environment: Mapping[str, str] | None = None, shows_progress: bool = False
) -> str:
    """Run a command and give its standard output.

    Args:
        words: the command.
        folder: where it runs.
        environment: what is set beside the user's own.
        shows_progress: whether what it says on standard error goes on to the user's.

    Raises:
        typer.Exit: it failed; what it said has been printed.
    """
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=None if shows_progress else subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        console.print(
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr or ''}", markup=False
        )
        raise typer.Exit(4)
    return done.stdout


def need(*variables: str) -> None:
    """End with a sentence where the lab's environment, or that of a cluster of one's own, is not set.

    Raises:
        typer.Exit: one of the variables is not set.
    """
    if absent := [name for name in variables if name not in os.environ]:
        console.print(f'Not set: {", ".join(absent)}. Type: eval "$(python -m lab env)"')
        raise typer.Exit(2)
