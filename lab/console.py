"""What the lab says while it works: one line per step with its time; moving on a terminal, plain elsewhere."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from lab.errors import LabError

PLAIN_INTERVAL_S = 20.0


@dataclass
class Steps:
    """Shows steps as they happen and remembers how long each took."""

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @contextmanager
    def step(self, title: str) -> Generator[Callable[[str], None]]:
        """Show one step; yields a function that says what it is doing right now."""
        began = time.monotonic()
        try:
            if self.console.is_terminal:
                with self.console.status(escape(title)) as status:
                    yield lambda text: status.update(f"{escape(title)}  [dim]{escape(text)}[/dim]")
            else:
                last = [began]

                def say(text: str) -> None:
                    if time.monotonic() - last[0] >= PLAIN_INTERVAL_S:
                        last[0] = time.monotonic()
                        self.console.print(f"  … {escape(text)}")

                self.console.print(f"- {escape(title)}")
                yield say
        except BaseException:
            self.console.print(f"[red]✗[/red] {escape(title)} [dim]{time.monotonic() - began:.1f} s[/dim]")
            raise
        self.seconds[title] = time.monotonic() - began
        self.console.print(f"[green]✓[/green] {escape(title)} [dim]{self.seconds[title]:.1f} s[/dim]")


def show_error(error: LabError) -> None:
    """Print a failure and what to do about it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[red]error:[/red] {escape(str(error))}")
    if error.advice:
        console.print(f"[bold]next:[/bold]  {escape(error.advice)}")
    sys.stderr.flush()
