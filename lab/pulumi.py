"""Pulumi's home, backend, passphrase and stacks in the lab. A backend belongs to one cluster, by UID."""

import json
import os
import re
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from lab.certificates import write_private
from lab.commands import run
from lab.errors import LabError
from lab.folders import PROJECT, LabFolders
from lab.network import LabNetwork
from lab.services import BUCKET, registry_address, store_endpoint
from lab.third_party_images import read_lock
from lab.toolchain.pins import Tool

SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)


def backend_folder(folders: LabFolders, uid: str) -> Path:
    """Where the state of this cluster's stacks is kept."""
    return folders.root / "pulumi" / uid


def environment(folders: LabFolders, network: LabNetwork, uid: str, tool_folders: Mapping[str, Path]) -> dict[str, str]:
    """Return what `python -m lab env` exports (docs/contracts.md, section 6). Paths only: no secret is in it."""
    first = [
        Path(sys.prefix) / "bin",
        tool_folders["pulumi"],
        tool_folders["pulumi-language-python"],
        tool_folders["kubernetes"],
    ]
    platform = str(folders.platform_images_lock) if read_lock(folders, network) else None
    rest = [p for p in os.environ["PATH"].split(":") if p and Path(p) not in first]
    return {
        "KUBECONFIG": str(folders.kubeconfig),
        "PULUMI_HOME": str(folders.root / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{backend_folder(folders, uid)}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folders.passphrase),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(folders.keys / "s3-credentials"),
        "AWS_CONFIG_FILE": str(folders.keys / "aws-config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "ROS2BENCH_IMAGES_LOCK": str(folders.images_lock),
        **({"ROS2BENCH_PLATFORM_IMAGES": platform} if platform else {}),
        "ROS2BENCH_REGISTRY": registry_address(network),
        "ROS2BENCH_REGISTRY_CA": str(folders.keys / "ca.crt"),
        "ROS2BENCH_RECORDS_ENDPOINT": store_endpoint(network),
        "ROS2BENCH_RECORDS_BUCKET": BUCKET,
        "PATH": ":".join(dict.fromkeys([*map(str, first), *rest])),
    }


def shell_exports(variables: Mapping[str, str]) -> str:
    """Return the variables as lines for a shell to evaluate."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def install_provider(folders: LabFolders, provider: Tool, binary: Path) -> None:
    """Put the provider where the engine looks for plugins: $PULUMI_HOME/plugins/resource-kubernetes-vVERSION/."""
    home = folders.root / "pulumi-home" / "plugins" / f"resource-kubernetes-v{provider.version}"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "pulumi-resource-kubernetes"
    if not link.exists() or link.resolve() != binary.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(binary)


def put_host_beside_engine(engine: Path, host: Path) -> None:
    """Put the language host where the engine looks first, its own folder; found on PATH it comes with a warning."""
    for name in ("pulumi-language-python", "pulumi-language-python-exec"):
        link = engine / name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(host / name)


def make_passphrase(folders: LabFolders) -> None:
    """Make the passphrase, once."""
    if not folders.passphrase.exists():
        write_private(folders.passphrase, secrets.token_urlsafe(24))


def stack_names(project: Path = PROJECT) -> list[str]:
    """Return the stacks that the project has a file for."""
    return sorted(p.name.split(".")[1] for p in project.glob("Pulumi.*.yaml"))


def forget_foreign_salt(file: Path) -> bool:
    """Drop an `encryptionsalt` made with another passphrase when nothing in the stack file is encrypted with it."""
    text = file.read_text()
    if not SALT.search(text) or "secure:" in text:
        return False
    file.write_text(SALT.sub("", text))
    return True


def initialise_stacks(folders: LabFolders, variables: Mapping[str, str], pulumi: Path, uid: str) -> list[str]:
    """Make every stack of the project in this cluster's backend, once; return the names of those made."""
    backend = backend_folder(folders, uid)
    backend.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, **variables}
    listed = run([pulumi, "stack", "ls", "--json"], doing="Listing the stacks", environment=env, folder=PROJECT)
    have = {stack["name"] for stack in json.loads(listed)}
    made: list[str] = []
    for name in stack_names():
        if name in have:
            continue
        command = [pulumi, "stack", "init", "--non-interactive", "--no-select", name]
        try:
            run(command, doing=f"Making stack {name}", environment=env, folder=PROJECT)
        except LabError as error:
            if "passphrase" not in str(error) or not forget_foreign_salt(PROJECT / f"Pulumi.{name}.yaml"):
                raise
            run(command, doing=f"Making stack {name}", environment=env, folder=PROJECT)
        made.append(name)
    return made
