"""All that people see: progress on the error stream, results on the output stream, plain lines off a terminal.

Colours follow NO_COLOR. Bars move once a second, because what draws them may share its cores with what is measured.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from probes.errors import ProbeError
from probes.gate_text import passed_text

if TYPE_CHECKING:
    # For its type alone: importing it takes longer than most commands that only read.
    from probes.preconditions import Finding

TICK_S = 1.0
PLACE_LABELS = ("pod", "container", "process", "machine", "rail", "gpu")
MOST_NAME_COLUMNS = 70
VALUE_COLUMNS = 10
N_COLUMNS = 4
PIPE_COLUMNS = 400
MEGABYTE_BYTES = 1e6


class Screen:
    """Shows the course and the result of a command.

    Args:
        as_json: Print the result as one JSON object instead of text.
        progress: Where the course of the run goes; standard error by default.
        result: Where the result goes; standard output by default.
    """

    def __init__(
        self, *, as_json: bool = False, progress: Console | None = None, result: Console | None = None
    ) -> None:
        self.as_json = as_json
        self._progress = progress or Console(stderr=True, highlight=False)
        self._result = result or Console(highlight=False)
        self._started_s = time.monotonic()

    def step(self, text: str) -> None:
        """Say what is done now, with the time since the start."""
        elapsed_s = time.monotonic() - self._started_s
        self._progress.print(f"[dim]{elapsed_s:7.1f} s[/dim]  {escape(text)}", soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something that the user should know but need not act on."""
        self._progress.print(f"[yellow]note[/yellow]  {escape(text)}", soft_wrap=True)

    def finding(self, finding: "Finding") -> None:
        """Show a precondition that is not as it should be."""
        self._progress.print(f"[yellow]warning[/yellow]  {finding.check}: {escape(finding.message)}", soft_wrap=True)

    def error(self, error: ProbeError) -> None:
        """Show an error without a traceback."""
        self._progress.print(f"[red]error[/red]  {escape(error.message)}", soft_wrap=True)
        if error.next_step:
            self._progress.print(f"next   {escape(error.next_step)}", soft_wrap=True)

    async def wait(self, text: str, seconds: float) -> None:
        """Wait for a phase of known length, with a bar on a terminal."""
        # Imported here because commands that read records wait for nothing, and its import takes a while.
        import asyncio  # noqa: PLC0415

        if not self._progress.is_terminal or seconds < 2 * TICK_S:
            if seconds > 0:
                self.step(f"{text}: {seconds:g} s")
            await asyncio.sleep(seconds)
            return
        end_s = time.monotonic() + seconds
        columns = (TextColumn("           {task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._progress, transient=True, auto_refresh=False) as progress:
            task = progress.add_task(escape(text), total=seconds)
            while (left_s := end_s - time.monotonic()) > 0:
                progress.update(task, completed=seconds - left_s, refresh=True)
                await asyncio.sleep(min(TICK_S, left_s))
        self.step(f"{text}: {seconds:g} s done")

    def result(self, manifest: Mapping[str, Any], record: str, next_steps: Sequence[str]) -> None:
        """Show what a run found: one sentence, the values, the gates, where the record is, what to do next.

        Of a visit of a campaign or a trial of a search, of which there are many, the values are left to the summary.
        """
        if self.as_json:
            document = {key: manifest[key] for key in ("run_id", "stack", "pattern", "state", "reason", "metrics")}
            sys.stdout.write(json.dumps(document | {"record": record}, sort_keys=True) + "\n")
            return
        self._result.print(f"\n[bold]{escape(sentence(manifest))}[/bold]\n", soft_wrap=True)
        if not is_one_of_many(manifest):
            self._values(manifest)
        self._gates(manifest["gates"])
        self._result.print(f"record: {escape(record)}", soft_wrap=True)
        for line in next_steps:
            self._result.print(f"next:   {escape(line)}", soft_wrap=True)

    def _values(self, manifest: Mapping[str, Any]) -> None:
        measured = {key: entry for key, entry in manifest["metrics"].items() if "missing" not in entry}
        shown = {key: entry for key, entry in measured.items() if not places(key)}
        if shown:
            self._result.print(metrics_table(shown))
        if hidden := measured.keys() - shown.keys():
            kinds = {label for key in hidden for label in places(key)}
            named = ", ".join(label for label in PLACE_LABELS if label in kinds)
            self._result.print(
                f"{len(hidden)} more by {named}: python -m probes.report {escape(manifest['run_id'])}", soft_wrap=True
            )
        missing = reasons(manifest["metrics"])
        for reason, names in missing.items():
            self._result.print(f"missing ({reason}): {escape(', '.join(names))}", soft_wrap=True)

    def _gates(self, gates: Sequence[Mapping[str, Any]]) -> None:
        failed = [gate for gate in gates if not gate["passed"]]
        for gate in failed:
            self._result.print(
                f"[red]gate {gate['name']} failed[/red] in repetition {gate['repetition']}: {escape(gate['detail'])}",
                soft_wrap=True,
            )
        if gates and not failed:
            self._result.print(f"gates: {escape(passed_text(gates))}", soft_wrap=True)

    def table(self, table: Table) -> None:
        """Show a table of a result; off a terminal its lines are as long as they need to be."""
        wide = self._result if self._result.is_terminal else Console(file=self._result.file, width=PIPE_COLUMNS)
        wide.print(table)

    def line(self, text: str) -> None:
        """Show one line of a result."""
        self._result.print(escape(text), soft_wrap=True)


def is_one_of_many(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a run is a visit of a campaign or a trial of a search, whose values a summary tells."""
    cell = manifest.get("cell")
    return cell is not None and cell["role"] != "summary"


def sentence(manifest: Mapping[str, Any]) -> str:
    """Say in one sentence what a run found, or why it found nothing."""
    metrics = manifest["metrics"]
    done, planned = manifest["repetitions_done"], manifest["plan"]["repetitions"]
    # A record that sums up others, or swaps, has no repetitions of its own.
    head = f"{manifest['stack']}: {done} of {planned} repetitions" if planned else str(manifest["stack"])
    latency, delivered, intended = (
        metrics.get(name, {}) for name in ("inference_s", "frames_delivered", "frames_intended")
    )
    parts: list[str] = []
    if "value" in latency:
        interval = latency["interval"]
        spread = f" (95 % interval {_span(interval, 's')})" if interval else ""
        parts.append(f"the result arrives {quantity(latency['value'], 's')} after its frame was due{spread}")
    if "value" in delivered and "value" in intended:
        parts.append(f"{delivered['value']:.0f} of {intended['value']:.0f} frames delivered")
    if manifest["state"] != "complete":
        parts.append(f"{manifest['state']} ({manifest['reason']})")
    measured = sum("value" in entry for entry in metrics.values())
    nothing = f"{measured} values" if measured and not planned else "nothing measured"
    return f"{head}: {', '.join(parts) or nothing}."


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out the measured values; what is too long for the screen goes on in the next line, the interval first."""
    table = Table(box=None, pad_edge=False)
    longest = max((len(name) for name in metrics), default=0)
    table.add_column("metric", overflow="fold", min_width=min(longest, MOST_NAME_COLUMNS))
    table.add_column("value", justify="right", overflow="fold", min_width=VALUE_COLUMNS)
    table.add_column("95 % interval", justify="right", overflow="fold")
    table.add_column("n", justify="right", overflow="fold", min_width=N_COLUMNS)
    for name, entry in metrics.items():
        if "missing" not in entry:
            interval = _span(entry["interval"], entry["unit"]) if entry["interval"] else "-"
            table.add_row(escape(name), quantity(entry["value"], entry["unit"]), interval, str(entry["n"]))
    return table


def places(key: str) -> tuple[str, ...]:
    """Give the labels of a metric's key that name a single place, such as a pod or a machine."""
    labels = {label.partition("=")[0] for label in key.rstrip("}").partition("{")[2].split(",")}
    return tuple(label for label in PLACE_LABELS if label in labels)


def reasons(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Group the missing metrics by their reason."""
    groups: dict[str, list[str]] = {}
    for name, entry in metrics.items():
        if "missing" in entry:
            groups.setdefault(entry["missing"], []).append(name)
    return groups


def quantity(value: float, unit: str) -> str:
    """Write a value for people: four digits, a handy multiple of its unit."""
    if unit == "s" and abs(value) < 1:
        return f"{value * 1e3:.4g} ms"
    if unit == "B" and abs(value) < MEGABYTE_BYTES:
        return f"{value:,.0f} B" if abs(value) < MEGABYTE_BYTES / 100 else f"{value / 1e3:,.1f} kB"
    if unit == "B":
        return f"{value / 1e6:,.1f} MB"
    if unit == "1":
        return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
    return f"{value:.4g} {unit}"


def _span(interval: Sequence[float], unit: str) -> str:
    return f"{quantity(interval[0], unit)} to {quantity(interval[1], unit)}"
