"""The change that updates are measured with: defined once for an application, in `updates/APPLICATION/update.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field

from probes.errors import UsageError
from probes.provenance import PROJECT_ROOT
from probes.registry import parse_reference
from probes.update_evidence import Change
from stacks.outputs import PlacedComponent, PodPlacement, StackOutputs

FOLDER = "updates"
FILE = "update.yaml"


class Strict(BaseModel):
    """Base of the file's sections: immutable, unknown keys refused, no value converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Patched(Strict):
    """A change of what images are made of: a patch over images/."""

    patch: str = Field(description="Unified diff beside this file; @STAMP@ in it is replaced for every build.")
    overlay: str | None = Field(default=None, description="Overlay that it changes, where the pattern has overlays.")


class ChangedParameter(Strict):
    """A change of one parameter, in the words of the stack file and of the node."""

    name: str = Field(description="Parameter of the node, for a component container.")
    value: bool | int | float | str = Field(description="Its other value.")
    spec: dict[str, Any] = Field(description="The same change as keys of ros2bench:spec, for all other patterns.")


class Definition(Strict):
    """What `update.yaml` may say."""

    node: str = Field(description="The node that is updated.")
    code: Patched | None = Field(default=None, description="One node's code.")
    parameter: ChangedParameter | None = Field(default=None, description="One parameter.")
    model: Patched | None = Field(default=None, description="One model file.")


@dataclass(frozen=True)
class DefinedUpdate:
    """A definition and the folder that holds its patches."""

    folder: Path
    definition: Definition

    def patched(self, change: Change) -> Patched | None:
        """Give the change of images, where it is one and defined."""
        if change == "parameter":
            return None
        return self.definition.code if change == "code" else self.definition.model

    def patch(self, change: Change) -> Path | None:
        """Give the patch of a change, where it has one."""
        patched = self.patched(change)
        return None if patched is None else self.folder / patched.patch


def find_update(application: str, root: Path = PROJECT_ROOT) -> DefinedUpdate | None:
    """Read what is defined for an application; None where nothing is.

    Raises:
        UsageError: The file cannot be used, or names a patch that is not there.
    """
    folder = root / FOLDER / application
    file = folder / FILE
    if not file.exists():
        return None
    try:
        document: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        update = DefinedUpdate(folder, Definition.model_validate(document))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{file} {_problem(error)}", next_step=f"compare it with {FOLDER}/perception/{FILE}") from None
    for change in ("code", "model"):
        patch = update.patch(change)
        if patch is not None and not patch.is_file():
            raise UsageError(f"{file}: {change}.patch: there is no file {patch}.", next_step="correct the name")
    return update


def pods_of(outputs: StackOutputs, node: str) -> list[PodPlacement]:
    """Give the pods that hold a node."""
    pods = outputs.application.pods if outputs.application else []
    return [pod for pod in pods if any(node in process for process in pod.processes)]


def changed_roles(outputs: StackOutputs, update: DefinedUpdate, change: Change) -> list[str]:
    """Name the images that a change makes anew in a pattern: those of the node's pods, or their overlay that it names.

    Raises:
        RegistryProblem: An image is not named by digest.
    """
    patched = update.patched(change)
    roles: list[str] = []
    for pod in pods_of(outputs, update.definition.node):
        overlay = next((item.image for item in pod.overlays if patched and item.name == patched.overlay), None)
        roles.append(parse_reference(overlay or pod.image).repository.rpartition("/")[2])
    return sorted(set(roles))


def placed_component(outputs: StackOutputs, node: str) -> tuple[str, PlacedComponent] | None:
    """Give the component container that obeys signed calls and holds a node, and how it loads that node."""
    for pod in pods_of(outputs, node):
        loader = pod.component_container
        if loader is None or loader.public_key is None:
            continue
        for component in loader.components:
            if component.node == node:
                return loader.name, component
    return None


def _problem(error: Exception) -> str:
    if not isinstance(error, pydantic.ValidationError):
        return f"cannot be read: {error}."
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    return f"is no definition of an update: {where}: {first['msg']} ({error.error_count()} in all)."
