"""Write the manifests of a stack as YAML, without a cluster: `python -m stacks.render -s STACK [-o FOLDER]`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from components.manifest import Manifest
from components.refusal import Refusal
from stacks import rendering
from stacks.application import file_reader
from stacks.platform import namespace_name
from stacks.reading import PROJECT_FOLDER, read_file

USAGE_ERROR = 2
app = typer.Typer(add_completion=False)


@app.command()
def render(
    stack: Annotated[str, typer.Option("-s", "--stack", help="Stack whose file Pulumi.STACK.yaml is read.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for one file per object; none means standard output.")
    ] = None,
) -> None:
    """Write the objects of a stack in the order in which `kubectl apply -f` can take them."""
    try:
        spec = read_file(PROJECT_FOLDER / f"Pulumi.{stack}.yaml", os.environ)
        manifests = rendering.manifests(stack, spec)
        keys = rendering.secret_keys(spec, file_reader(PROJECT_FOLDER))
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        raise typer.Exit(USAGE_ERROR) from None
    if output is None:
        sys.stdout.write("---\n".join(_text(manifest) for manifest in manifests))
    else:
        write(output, manifests)
    if keys:
        values = " ".join(f"--from-literal={key}=…" for key in keys)
        sys.stderr.write(
            "The Secret is left out, its values are encrypted. Make it before the application starts: "
            f"kubectl -n {namespace_name(stack)} create secret generic secrets {values}\n"
        )


def write(folder: Path, manifests: list[Manifest]) -> None:
    """Write one file per object and remove the files of objects that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {f"{number:02}-{_slug(manifest)}.yaml": manifest for number, manifest in enumerate(manifests)}
    for known in folder.glob("[0-9][0-9]-*.yaml"):
        if known.name not in names:
            known.unlink()
    for name, manifest in names.items():
        (folder / name).write_text(_text(manifest), encoding="utf-8")
        sys.stdout.write(f"wrote {folder / name}\n")


def _slug(manifest: Manifest) -> str:
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _represented(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represented)


def _text(manifest: Manifest) -> str:
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False)


if __name__ == "__main__":
    app()
