"""Raw Kubernetes parameters of a user, merged into a rendered pod as the last step before the guardrails.

Mappings are merged key by key, lists of named things item by item, everything else is replaced. A name that is not
there is refused, because it is more often a slip than a wish; `$patch: add` says that it is a wish and
`$patch: delete` takes an item away.
"""

import copy
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import pulumi_kubernetes as kubernetes

from components.manifest import Manifest
from components.refusal import Refusal, choices

DIRECTIVE = "$patch"
ADD, DELETE = "add", "delete"
IDENTITY: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "ports": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
}
"""What tells the items of a list apart. Lists that are not named here are replaced as a whole."""
IRREGULAR = {"hostIpc": "hostIPC", "hostPid": "hostPID", "setHostnameAsFqdn": "setHostnameAsFQDN"}


def merged(pod: str, spec: Manifest, raw: Mapping[str, Any]) -> Manifest:
    """Pod specification with the user's parameters merged into it.

    Args:
        pod: Name of the pod, for messages.
        spec: Specification as rendered; left as it is.
        raw: What the stack file says for this pod.

    Raises:
        Refusal: A field or an item that does not exist; lists those that do.
    """
    where = f"ros2bench:spec.kubernetes.{pod}"
    _check_fields(where, raw, kubernetes.core.v1.PodSpecArgs)
    for kind in ("containers", "initContainers"):
        listed = raw.get(kind)
        for item in cast("list[Any]", listed) if isinstance(listed, list) else ():
            if isinstance(item, dict):
                container = cast("dict[str, Any]", item)
                _check_fields(f"{where}.{kind}[{container.get('name')}]", container, kubernetes.core.v1.ContainerArgs)
    return _mapping(where, spec, raw)


def _mapping(where: str, rendered: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(rendered)
    for key, value in raw.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _value(f"{where}.{key}", key, rendered.get(key), value)
    return found


def _value(where: str, key: str, rendered: Any, raw: Any) -> Any:
    if key in IDENTITY:
        if not isinstance(raw, list):
            raise Refusal(f"{where}: is {raw!r}, a list is expected")
        return _items(where, IDENTITY[key], rendered or [], cast("list[Any]", raw))
    if isinstance(rendered, Mapping) and isinstance(raw, Mapping):
        return _mapping(where, cast("Mapping[str, Any]", rendered), cast("Mapping[str, Any]", raw))
    return copy.deepcopy(raw)


def _items(where: str, identity: str, rendered: list[Manifest], raw: list[Any]) -> list[Manifest]:
    found = {item[identity]: item for item in rendered}
    for item in raw:
        if not isinstance(item, dict) or identity not in item:
            raise Refusal(f"{where}: {item!r} has no {identity}, by which it would be found")
        patch = dict(cast("dict[str, Any]", item))
        name, directive = patch[identity], patch.pop(DIRECTIVE, None)
        if directive not in (None, ADD, DELETE):
            raise Refusal(f"{where}[{name}].{DIRECTIVE}: is {directive!r}. {choices(str(directive), (ADD, DELETE))}")
        if directive == ADD and name in found:
            raise Refusal(f"{where}[{name}]: exists already; leave out {DIRECTIVE}: {ADD} to change it")
        if directive != ADD and name not in found:
            raise Refusal(
                f"{where}[{name}]: there is no item of this {identity}. {choices(str(name), map(str, found))} "
                f"To add one, write {DIRECTIVE}: {ADD} in it"
            )
        if directive == DELETE:
            del found[name]
        else:
            found[name] = _mapping(f"{where}[{name}]", found.get(name, {}), patch)
    return list(found.values())


def _check_fields(where: str, raw: Mapping[str, Any], arguments: type) -> None:
    known = _fields(arguments)
    for key in raw:
        if key != DIRECTIVE and key not in known:
            raise Refusal(f"{where}.{key}: unknown field. {choices(key, known)}")


@cache
def _fields(arguments: type) -> frozenset[str]:
    """Fields of an object as YAML spells them, from the provider's own description of the API."""
    python = [name for name, value in vars(arguments).items() if isinstance(value, property)]
    names = (re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name) for name in python)
    return frozenset(IRREGULAR.get(name, name) for name in names)
