"""Deploy a stack, change a value in its file, and see what became of it, from Python.

The same steps as `pulumi up` and `pulumi config set`, through Pulumi's Automation API, for those who build a tool
of their own. Run it in the environment in which `pulumi up` works.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from pulumi import automation
from pulumi.automation.errors import CommandError, ConcurrentUpdateError, StackNotFoundError

ROOT = Path(__file__).resolve().parent.parent
SPEC = "ros2bench:spec"
OUTPUT = "ros2bench"
HELP = f"""{__doc__}
\b
  python examples/deploy_and_update.py deploy -s service
  python examples/deploy_and_update.py update -s service \\
    application.nodes.service_client.parameters.rate_hz.double=20.0
  python examples/deploy_and_update.py status -s service
"""
PROGRAM_ENDED = "program exited with non-zero exit code"
EXIT_REFUSED = 2
EXIT_DEPLOY_FAILED = 4


class Refused(Exception):  # noqa: N818 - an answer to the user, not a fault of the program
    """What cannot be done, why, and what to type next."""


class Stack(Protocol):
    """What is used of `pulumi.automation.Stack`."""

    def up(self, *, color: str, on_event: Callable[[automation.EngineEvent], Any]) -> automation.UpResult:
        """Deploy."""
        ...

    def outputs(self) -> Mapping[str, automation.OutputValue]:
        """What the stack exports."""
        ...

    def history(self, page_size: int) -> list[automation.UpdateSummary]:
        """Updates, the newest first."""
        ...


@dataclass(frozen=True)
class Deployed:
    """What one update did.

    Attributes:
        changes: number of resources by what was done to them.
        seconds: how long it took.
        errors: what the engine reported as errors; none after a success.
    """

    changes: Mapping[str, int]
    seconds: float
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """A new value of one key below `ros2bench:spec` of a stack file."""

    key: str
    value: str
    kind: str


def parse_change(text: str) -> Change:
    """Read `key=value`; the value is a whole number, a number, true, false or text.

    Raises:
        Refused: it is none.
    """
    key, separator, value = text.partition("=")
    if not separator or not key or not value:
        raise Refused(f"{text!r} is no change. Write KEY=VALUE, for example application.load.rateHz=20.0")
    return Change(key=key, value=value, kind=kind_of(value))


def kind_of(value: str) -> str:
    """Type of a value in the words of `pulumi config set --type`."""
    if value in ("true", "false"):
        return "bool"
    for kind, parse in (("int", int), ("float", float)):
        try:
            parse(value)
        except ValueError:
            continue
        return kind
    return "string"


def up(stack: Stack, say: Callable[[str], None]) -> Deployed:
    """Deploy a stack as its file describes it; every finished step is told.

    Raises:
        Refused: somebody else is updating the stack.
    """
    errors: list[str] = []

    def on_event(event: automation.EngineEvent) -> None:
        diagnostic, done = event.diagnostic_event, event.res_outputs_event
        if diagnostic and diagnostic.severity == "error" and not diagnostic.ephemeral:
            errors.append(diagnostic.message.strip())
        elif done and done.metadata.op.value != "same":
            say(f"  {done.metadata.op.value:8} {done.metadata.type.rpartition(':')[2]:24} {name_in(done.metadata.urn)}")

    began_s = time.monotonic()
    try:
        result = stack.up(color="never", on_event=on_event)
    except ConcurrentUpdateError as error:
        raise Refused("somebody else is updating this stack. Wait for it; if it was killed: pulumi cancel") from error
    except CommandError as error:
        said = tuple(dict.fromkeys(message for message in errors if PROGRAM_ENDED not in message))
        return Deployed({}, time.monotonic() - began_s, said or (str(error).strip(),))
    changes = {str(kind): count for kind, count in (result.summary.resource_changes or {}).items()}
    return Deployed(changes, time.monotonic() - began_s)


def name_in(urn: str) -> str:
    """Name of a resource in its URN."""
    return urn.rpartition("::")[2]


def update(
    stack: Stack, file: Path, change: Callable[[], None], say: Callable[[str], None], *, roll_back: bool
) -> Deployed:
    """Change a stack file and deploy; put the file back and deploy again if that fails.

    Args:
        stack: what is deployed.
        file: its stack file, restored byte by byte.
        change: changes it.
        say: tells what happens.
        roll_back: whether a failure is undone.
    """
    before = file.read_bytes()
    try:
        change()
    except CommandError:
        file.write_bytes(before)
        raise
    deployed = up(stack, say)
    if deployed.errors and roll_back:
        say("The update failed; going back to what ran before.")
        file.write_bytes(before)
        back = up(stack, say)
        return Deployed(
            back.changes, deployed.seconds + back.seconds, tuple(dict.fromkeys((*deployed.errors, *back.errors)))
        )
    return deployed


def status(stack: Stack) -> list[str]:
    """Lines that say what runs and how the last update ended.

    Raises:
        Refused: the stack has never been deployed.
    """
    exported = stack.outputs().get(OUTPUT)
    if exported is None:
        raise Refused("the stack is not deployed. Type: python examples/deploy_and_update.py deploy")
    contract: dict[str, Any] = exported.value
    lines = [f"{contract['pattern']}, {contract['state']}, namespace {contract['namespace']}"]
    for pod in contract["application"]["pods"] if contract["application"] else []:
        nodes = ", ".join(node for process in pod["processes"] for node in process)
        lines.append(f"  pod {pod['name']}: {nodes} from {pod['image']}")
    if last := next(iter(stack.history(1)), None):
        changes = ", ".join(f"{kind} {count}" for kind, count in sorted((last.resource_changes or {}).items()))
        lines.append(f"last {last.kind}: {last.result} at {last.start_time:%Y-%m-%d %H:%M:%S} ({changes})")
    lines.append(f"pods now: kubectl get pods -n {contract['namespace']}")
    return lines


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=HELP, rich_markup_mode=None)
StackName = Annotated[str, typer.Option("-s", "--stack", help="Name of the stack; its file is Pulumi.NAME.yaml.")]


@app.command("deploy")
def deploy_command(stack: StackName) -> None:
    """Deploy a stack, made anew if it does not exist."""
    _report(lambda: up(automation.create_or_select_stack(stack, work_dir=str(ROOT)), typer.echo))


@app.command("update")
def update_command(
    stack: StackName,
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE…", help=f"Values below {SPEC} in the stack file.")],
    *,
    roll_back: Annotated[bool, typer.Option(help="Undo the change if the update fails.")] = True,
) -> None:
    """Change values in the stack file and deploy; undo both if that fails."""

    def run() -> Deployed:
        wanted = [parse_change(text) for text in changes]
        chosen = automation.select_stack(stack, work_dir=str(ROOT))

        def change() -> None:
            for each in wanted:
                _set(chosen.workspace, stack, each)

        return update(chosen, ROOT / f"Pulumi.{stack}.yaml", change, typer.echo, roll_back=roll_back)

    _report(run)


@app.command("status")
def status_command(stack: StackName) -> None:
    """Show what runs and how the last update ended."""

    def run() -> None:
        for line in status(automation.select_stack(stack, work_dir=str(ROOT))):
            typer.echo(line)

    _report(run)


def _set(workspace: automation.Workspace, stack: str, change: Change) -> None:
    """Write one value; `Stack.set_config` knows no types, so this is the command that it would run."""
    words = ["config", "set", "--path", "--type", change.kind]
    key = f"{SPEC}.{change.key}"
    workspace.pulumi_command.run([*words, "--stack", stack, key, "--", change.value], str(ROOT), {})


def _report(run: Callable[[], Deployed | None]) -> None:
    """Run a command; tell its result, or what is wrong without a traceback."""
    try:
        deployed = run()
    except (Refused, StackNotFoundError) as error:
        name = "no such stack" if isinstance(error, StackNotFoundError) else str(error)
        typer.echo(f"Not done: {name}. Stacks: pulumi stack ls", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except (CommandError, FileNotFoundError, subprocess.CalledProcessError) as error:
        typer.echo(f'Pulumi cannot be used: {error}\nTry: pulumi whoami (or: eval "$(python -m lab env)")', err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    if deployed is None:
        return
    for message in deployed.errors:
        typer.echo(f"error: {message}", err=True)
    if deployed.errors:
        typer.echo("Failed. What the cluster says: kubectl get events -A --sort-by=.lastTimestamp", err=True)
        raise typer.Exit(EXIT_DEPLOY_FAILED)
    changes = ", ".join(f"{kind} {count}" for kind, count in sorted(deployed.changes.items()))
    typer.echo(f"Done in {deployed.seconds:.1f} s: {changes or 'no change'}.")


if __name__ == "__main__":
    app()
