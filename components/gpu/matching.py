"""Which machines have a GPU with enough memory and a new enough architecture, by their labels; pure.

The labels are those of NVIDIA's GPU Feature Discovery (`NAME.memory` in MiB, `NAME.compute.major`, `NAME.compute.minor`
with NAME `nvidia.com/gpu`); where it does not run somebody sets them by hand. A machine without them matches nothing
that asks for more than a GPU: what is not known is not enough.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

NVIDIA = "nvidia.com/gpu"
MEMORY_LABEL = f"{NVIDIA}.memory"
MAJOR_LABEL = f"{NVIDIA}.compute.major"
MINOR_LABEL = f"{NVIDIA}.compute.minor"
SHARING_LABEL = f"{NVIDIA}.sharing-strategy"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
WHOLE_NUMBER = re.compile(r"\d{1,18}")

Term = Mapping[str, Any]
"""A `nodeSelectorTerm` of Kubernetes: all of its expressions hold."""


@dataclass(frozen=True, kw_only=True, order=True)
class Capability:
    """Compute capability of a GPU, for example 8.7 of an Orin."""

    major: int
    minor: int

    def __str__(self) -> str:
        """Write it as NVIDIA does."""
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, kw_only=True)
class GpuNeed:
    """What the GPUs of a machine have to be; nothing by default."""

    memory_mebibytes: int = 0
    capability: Capability | None = None

    def together(self, other: "GpuNeed") -> "GpuNeed":
        """What satisfies both: the larger of each."""
        stated = [each for each in (self.capability, other.capability) if each is not None]
        return GpuNeed(
            memory_mebibytes=max(self.memory_mebibytes, other.memory_mebibytes),
            capability=max(stated, default=None),
        )

    def terms(self) -> tuple[Term, ...]:
        """The need in the words of Kubernetes: one of these terms has to hold; none where nothing is needed."""
        memory = [_above(MEMORY_LABEL, self.memory_mebibytes)] if self.memory_mebibytes else []
        if self.capability is None:
            return ({"matchExpressions": memory},) if memory else ()
        newer = [_above(MAJOR_LABEL, self.capability.major + 1)]
        as_new = [
            {"key": MAJOR_LABEL, "operator": "In", "values": [str(self.capability.major)]},
            _above(MINOR_LABEL, self.capability.minor),
        ]
        return tuple({"matchExpressions": [*memory, *each]} for each in (as_new, newer))

    def unmet(self, labels: Mapping[str, str]) -> str | None:
        """Why a machine with these labels does not do; none if it does."""
        if self.memory_mebibytes:
            memory = _number(labels, MEMORY_LABEL)
            if memory is None:
                return f"has no label {MEMORY_LABEL}"
            if memory < self.memory_mebibytes:
                return f"has GPUs of {memory} MiB ({MEMORY_LABEL})"
        if self.capability is not None:
            major, minor = _number(labels, MAJOR_LABEL), _number(labels, MINOR_LABEL)
            if major is None or minor is None:
                return f"has no labels {MAJOR_LABEL} and {MINOR_LABEL}"
            found = Capability(major=major, minor=minor)
            if found < self.capability:
                return f"has GPUs of compute capability {found} ({MAJOR_LABEL}, {MINOR_LABEL})"
        return None

    def __str__(self) -> str:
        """Say it in a sentence; empty where nothing is needed."""
        memory = f"at least {self.memory_mebibytes} MiB" if self.memory_mebibytes else ""
        capability = f"compute capability {self.capability} or newer" if self.capability else ""
        return " and ".join(each for each in (memory, capability) if each)


NO_NEED = GpuNeed()


def with_terms(affinity: Mapping[str, Any], terms: Sequence[Term]) -> dict[str, Any]:
    """Affinity of a pod that demands one of these terms beside whatever it demands already.

    Kubernetes takes a machine for which one term holds, so each term of the pod is joined with each of these.
    """
    if not terms:
        return dict(affinity)
    of_node = dict(cast("Mapping[str, Any]", affinity.get("nodeAffinity") or {}))
    required = cast("Mapping[str, Any]", of_node.get(REQUIRED) or {})
    known: Sequence[Term] = required.get("nodeSelectorTerms") or ({},)
    of_node[REQUIRED] = {"nodeSelectorTerms": [_joined(one, other) for one in known for other in terms]}
    return {**affinity, "nodeAffinity": of_node}


def has_labels(labels: Mapping[str, str], sets: Sequence[Mapping[str, str]]) -> bool:
    """Whether a machine has all labels of one of some sets."""
    return any(wanted.items() <= labels.items() for wanted in sets)


def set_terms(sets: Sequence[Mapping[str, str]]) -> tuple[Term, ...]:
    """The same in the words of Kubernetes."""
    return tuple(
        {"matchExpressions": [{"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()]}
        for wanted in sets
    )


def _above(label: str, least: int) -> dict[str, Any]:
    # Gt is the only order that Kubernetes knows, and its one value is a whole number as text.
    return {"key": label, "operator": "Gt", "values": [str(least - 1)]}


def _joined(one: Term, other: Term) -> dict[str, Any]:
    keys = ("matchExpressions", "matchFields")
    joined = {key: [*(one.get(key) or ()), *(other.get(key) or ())] for key in keys}
    return {key: expressions for key, expressions in joined.items() if expressions}


def _number(labels: Mapping[str, str], label: str) -> int | None:
    text = labels.get(label, "")
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None
