"""From resources as the Pulumi engine shows them to the sentences of the guardrails. Needs no policy SDK."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from components import guardrails

KUBERNETES = "kubernetes:"

Resource = tuple[str, Mapping[str, Any]]
"""Type of a resource, for example `kubernetes:apps/v1:Deployment`, and its properties."""


def of_resource(kind: str, properties: Mapping[str, Any]) -> tuple[str, ...]:
    """Violations of one resource; none where it is no object of Kubernetes.

    Args:
        kind: Type of the resource.
        properties: Its inputs.
    """
    manifest = as_manifest(kind, properties)
    return guardrails.violations(manifest) if manifest else ()


def of_stack(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Violations that no resource of a stack shows alone."""
    return guardrails.violations_together([manifest for one in resources if (manifest := as_manifest(*one))])


def as_manifest(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The object as YAML would hold it; empty for what is no object of Kubernetes.

    The engine leaves out `kind` and `apiVersion` where the program did: they are in the resource's type.
    """
    if not kind.startswith(KUBERNETES) or kind.count(":") != 2:
        return {}
    _, api_version, name = kind.split(":")
    group = api_version.removeprefix("core/")
    return {"apiVersion": group, "kind": name} | dict(_known(properties))


def _known(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Properties of the object itself, without those of the engine."""
    return ((key, _whole(value)) for key, value in properties.items() if not key.startswith("__"))


def _whole(value: Any) -> Any:
    """The same value with whole numbers as such: the engine's protocol has no other numbers than floating ones."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(each) for key, each in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_whole(each) for each in cast("Sequence[Any]", value)]
    return value
