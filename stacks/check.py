"""`python -m stacks.check -s STACK [OVERRIDE …]`: whether a stack file can be read, as it is and with each override."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from components.refusal import Refusal
from stacks.override import SEPARATOR, VARIABLE
from stacks.reading import PROJECT_FOLDER, read_file

USAGE_ERROR = 2
app = typer.Typer(add_completion=False)


@app.command()
def check(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Stack whose file Pulumi.STACK.yaml is read.")],
    overrides: Annotated[
        list[Path] | None, typer.Argument(metavar="[OVERRIDE]...", help="Files with keys of the spec, each for itself.")
    ] = None,
) -> None:
    """Read a stack file without deploying anything; says what is wrong with the first that cannot be read."""
    inherited = os.environ.get(VARIABLE)
    for override in overrides or [None]:
        parts = [part for part in (inherited, str(override) if override else None) if part]
        environment = {**os.environ, VARIABLE: SEPARATOR.join(parts)}
        try:
            read_file(PROJECT_FOLDER / f"Pulumi.{stack}.yaml", environment)
        except Refusal as refusal:
            sys.stderr.write(f"{refusal}\n")
            raise typer.Exit(USAGE_ERROR) from None


if __name__ == "__main__":
    app()
