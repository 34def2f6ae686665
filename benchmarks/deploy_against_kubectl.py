"""`pulumi up` against `kubectl apply --server-side` and a wait, on the same objects.

    python -m benchmarks.deploy_against_kubectl [-s microservices] [--pairs 10]

Images are present on the machines; what is timed ends when every Deployment is available. Removal is not timed.
The control deploys twice with kubectl.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.command import QUIET, call, console, need
from benchmarks.paired import LEAST_PAIRS, compare, run_pairs, show

WAIT_S = 300
LIMIT = 1.5


def timed(*words: str) -> float:
    """Run a command; gives its seconds.

    Raises:
        typer.Exit: it failed; what it said has been printed.
    """
    began_s = time.monotonic()
    call(*words)
    return time.monotonic() - began_s


def by_pulumi(stack: str) -> float:
    """Seconds of `pulumi up`, which returns when every Deployment is available; removes what it made."""
    taken_s = timed("pulumi", "up", "-s", stack, *QUIET, "--parallel", "32")
    call("pulumi", "destroy", "-s", stack, *QUIET)
    return taken_s


def by_kubectl(stack: str, manifests: Path) -> float:
    """Seconds of `kubectl apply --server-side` and the wait for every Deployment; removes what it made."""
    namespace = f"ros2bench-{stack}"
    taken_s = timed("kubectl", "apply", "--server-side", "-f", str(manifests))
    wait = ("kubectl", "wait", "-n", namespace, "--for=condition=Available", "deployments", "--all")
    taken_s += timed(*wait, f"--timeout={WAIT_S}s")
    call("kubectl", "delete", "namespace", namespace, "--wait")
    return taken_s


def main(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Stack that is deployed.")] = "microservices",
    pairs: Annotated[int, typer.Option(min=3, help="Pairs of each comparison.")] = LEAST_PAIRS,
    seed: Annotated[int, typer.Option(help="Seed of the order within the pairs.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare the two ways, after a control of one way against itself."""
    need("KUBECONFIG")
    with tempfile.TemporaryDirectory() as folder:
        manifests = Path(folder)
        call("python", "-m", "stacks.render", "-s", stack, "-o", folder)
        # The first deployment pulls images and fills caches.
        by_kubectl(stack, manifests)
        by_pulumi(stack)
        again, other = run_pairs(
            lambda: by_kubectl(stack, manifests),
            lambda: by_kubectl(stack, manifests),
            pairs=pairs,
            seed=seed,
            tell=console.print,
        )
        control = compare(f"control: kubectl / kubectl, {stack}", again, other, seed=seed)
        first, second = run_pairs(
            lambda: by_pulumi(stack), lambda: by_kubectl(stack, manifests), pairs=pairs, seed=seed, tell=console.print
        )
    found = compare(f"pulumi up / kubectl apply, {stack}", first, second, seed=seed, limit=LIMIT)
    show("deploy_against_kubectl", [control, found], keep)
    if not control.holds_one:
        console.print("The control does not hold 1: this machine was too restless, measure again.")
        raise typer.Exit(3)


if __name__ == "__main__":
    typer.run(main)
