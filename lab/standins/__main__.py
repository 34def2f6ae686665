"""python -m lab.standins PATH: write a stand-in of tegrastats, for `machineReaders.power.tegrastats` of a platform."""

from pathlib import Path
from typing import Annotated

import typer

from lab.console import Steps, show_error
from lab.errors import LabError
from lab.standins.boards import BOARDS, scenario, write_program


def main(
    path: Annotated[Path, typer.Argument(help="File to write, absolute; the lab's machines must see it.")],
    board: Annotated[str, typer.Option(help=f"Which: {', '.join(sorted(BOARDS))}.")] = "orin-nano",
) -> None:
    """Write a program that prints recorded lines of a board. What it prints is no measurement."""
    try:
        write_program(path, scenario(board))
    except LabError as error:
        show_error(error)
        raise typer.Exit(error.exit_code) from None
    Steps().console.print(f"{path} replays a {board}. Next: machineReaders.power.tegrastats: {path}")


if __name__ == "__main__":
    typer.run(main)
