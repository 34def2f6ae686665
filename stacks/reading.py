"""From a stack file to a `StackSpec`, or to a sentence that says what to change. Imports no Pulumi."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components import patterns
from components.refusal import Refusal, choices
from stacks import application, faults, metrics
from stacks.override import Override, merged, read_override
from stacks.spec import StackSpec

PROJECT = "ros2bench"
PROJECT_FOLDER = Path(__file__).parent.parent
KEY = f"{PROJECT}:spec"
SECRETS_KEY = f"{PROJECT}:secrets"
STATE_VARIABLE = "ROS2BENCH_STATE"
VARIABLES = {
    "ROS2BENCH_IMAGES_LOCK": ("images", "lock"),
    "ROS2BENCH_REGISTRY_CA": ("images", "registryCa"),
    "ROS2BENCH_PLATFORM_IMAGES": ("images", "platformLock"),
    "ROS2BENCH_RECORDS_BUCKET": ("records", "bucket"),
    "ROS2BENCH_RECORDS_ENDPOINT": ("records", "endpoint"),
}
"""Defaults from the environment: variable, section, key. What the file says comes first."""
FROM_STACK_NAME = " (the stack's own name, because the file names none)"
STACK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class SpecError(Refusal):
    """A stack file or variable that cannot be used: file, key, value, rule, choices, next step."""


def read_spec(stack: str, settings: Mapping[str, Any], environment: Mapping[str, str]) -> StackSpec:
    """Spec of a stack with every default filled in.

    Args:
        stack: Name of the stack.
        settings: The stack's own configuration: full key (`ros2bench:spec`) to value.
        environment: Variables that replace defaults, ROS2BENCH_SPEC_OVERRIDE and ROS2BENCH_STATE, which override the
            file.

    Raises:
        SpecError: One sentence for everything that is wrong.
    """
    file = f"Pulumi.{stack}.yaml"
    if not STACK_NAME.fullmatch(stack):
        raise SpecError(
            f"stack {stack!r}: the name becomes a namespace, so it is made of a-z, 0-9 and -, at most 40. "
            f"Rename it: pulumi stack rename -s {stack} NEW-NAME"
        )
    known = [KEY, SECRETS_KEY]
    for key in settings:
        if key.startswith(f"{PROJECT}:") and key not in known:
            raise SpecError(f"{file}: config.{key}: unknown key. {choices(key, known)}{_next(file, stack)}")
    value = settings.get(KEY)
    if value is not None and not isinstance(value, dict):
        raise SpecError(f"{file}: config.{KEY}: is {value!r}, a mapping is expected.{_next(file, stack)}")
    written = cast("dict[str, Any]", value or {})
    override = read_override(environment)
    if override is not None:
        written = merged(written, override.values)
    if state := environment.get(STATE_VARIABLE):
        written = written | {"state": state}
    try:
        document = json.dumps(_with_defaults(stack, written, environment))
        spec = StackSpec.model_validate_json(document, by_alias=True, by_name=False)
    except TypeError as error:
        raise SpecError(f"{file}: config.{KEY}: {error}.{_next(file, stack)}") from None
    except ValidationError as error:
        lines = [_sentence(file, fault, written, environment, override) for fault in error.errors()]
        raise SpecError("\n".join(lines) + _next(file, stack)) from None
    _check_names(file, stack, spec, named="pattern" in written)
    return spec


def read_file(path: Path, environment: Mapping[str, str]) -> StackSpec:
    """Spec of a stack file, without Pulumi; the stack's name is in the file's name.

    Raises:
        SpecError: The file cannot be read, or what `read_spec` refuses.
    """
    stack = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from None
    settings: Any = cast("dict[str, Any]", document).get("config") if isinstance(document, dict) else document
    if settings is not None and not isinstance(settings, dict):
        raise SpecError(f"{path}: config: a mapping is expected{_next(path.name, stack)}")
    return read_spec(stack, cast("dict[str, Any]", settings or {}), environment)


def _with_defaults(stack: str, written: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The file's values, with those defaults added that depend on the stack's name or the environment."""
    kind = written.get("kind", stack if stack in ("platform", "dev") else "experiment")
    by_kind = {"platform": None, "dev": "monolithic"}
    document: dict[str, Any] = {"kind": kind, "pattern": by_kind.get(kind, stack)} | dict(written)
    for variable, (section, key) in VARIABLES.items():
        values = document.get(section, {})
        if (found := environment.get(variable)) and isinstance(values, dict):
            document[section] = {key: found} | values
    return document


def _check_names(file: str, stack: str, spec: StackSpec, *, named: bool) -> None:
    """Refuse names of things that do not exist, now rather than after a minute of deployment."""
    where = f"{file}: config.{KEY}."
    if spec.pattern is not None and spec.pattern not in patterns.names():
        derived = "" if named else FROM_STACK_NAME
        raise SpecError(
            f"{where}pattern: no pattern {spec.pattern!r}{derived}. "
            f"{choices(spec.pattern, patterns.names())}{_next(file, stack)}"
        )
    try:
        deployed = application.built(spec.application, application.file_reader(PROJECT_FOLDER))
        metrics.mapped(spec.application.metrics, deployed)
    except Refusal as refusal:
        raise SpecError(f"{file}: config.{refusal}{_next(file, stack)}") from None
    nodes = [node.name for node in deployed.nodes]
    for node in spec.resources.nodes:
        if node not in nodes:
            raise SpecError(
                f"{where}resources.nodes.{node}: the application {spec.application.name} has no such node. "
                f"{choices(node, nodes)}{_next(file, stack)}"
            )


def _sentence(
    file: str,
    fault: ErrorDetails,
    written: Mapping[str, Any],
    environment: Mapping[str, str],
    override: Override | None,
) -> str:
    location = fault["loc"]
    source = f"{file}: config.{'.'.join((KEY, *map(str, location)))}"
    if override is not None and location and override.names(location):
        source = f"{override.source()}: {'.'.join(map(str, location))}"
    if location == ("state",) and environment.get(STATE_VARIABLE):
        source = f"environment variable {STATE_VARIABLE}"
    elif location == ("pattern",) and "pattern" not in written:
        source += FROM_STACK_NAME
    for variable, place in VARIABLES.items():
        if location == place and environment.get(variable) == fault["input"]:
            source = f"environment variable {variable}"
    return f"{source}: {faults.rule(fault)}"


def _next(file: str, stack: str) -> str:
    return f"\nEvery key: docs/configuration.md. Edit {file}, then: pulumi preview -s {stack}"
