"""The catalogue: the sum of the metrics that the files of `probes/measurements/` declare.

A record names every metric of it: measured, or missing with a reason.
"""

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from types import ModuleType

from probes import measurements
from probes.errors import UsageError
from probes.metrics import SHARED_REASONS, Metric

SYMBOLS = (
    "S_img", "T_install", "T_ready", "T_inf", "f_FPS", "J_inf", "U_CPU", "U_GPU", "L_IO", "P_avg", "E_inf", "L_net",
    "T_sched", "C_cfg", "T_CI",
)  # fmt: skip
"""The fifteen metrics of the literature, in its order; everything else follows by file."""


def modules() -> tuple[ModuleType, ...]:
    """Import every file of `probes/measurements/`, in order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(measurements.__path__))
    return tuple(importlib.import_module(f"{measurements.__name__}.{name}") for name in names)


def metrics_of(module: ModuleType) -> tuple[Metric, ...]:
    """Give the metrics that a file declares.

    Raises:
        TypeError: It declares none, or something else.
    """
    declared: object = getattr(module, "METRICS", None)
    if not isinstance(declared, tuple) or not all(isinstance(metric, Metric) for metric in declared):
        raise TypeError(f"{module.__name__}: METRICS must be a tuple of probes.metrics.Metric, it is {declared!r}")
    return declared


@functools.cache
def catalogue() -> Mapping[str, Metric]:
    """Every metric by its name: the fifteen first, then the others by file.

    Raises:
        ValueError: Two files declare one name.
    """
    found: dict[str, Metric] = {}
    for module in modules():
        for metric in metrics_of(module):
            if metric.name in found:
                raise ValueError(f"{module.__name__}: metric {metric.name} is declared by another file too")
            found[metric.name] = metric
    return {metric.name: metric for metric in sorted(found.values(), key=_rank)}


def _rank(metric: Metric) -> int:
    return SYMBOLS.index(metric.symbol) if metric.symbol in SYMBOLS else len(SYMBOLS)


def meaning_of(key: str) -> str:
    """Explain a key of a manifest's metrics for people; empty for one that this version does not know."""
    name, _, inside = key.rstrip("}").partition("{")
    metric = catalogue().get(name)
    if metric is None:
        return ""
    labels = [label for label in inside.split(",") if label]
    said = [metric.labels.get(label) or metric.labels.get(label.partition("=")[0], "") for label in labels]
    return "; ".join(part for part in said if part) or metric.definition


def place_of(key: str) -> tuple[int, str]:
    """Give the place of a key in the order of the catalogue; what is unknown comes last."""
    names = list(catalogue())
    name = key.partition("{")[0]
    return (names.index(name) if name in names else len(names)), key


def find_metric(name: str) -> Metric:
    """Give a metric by its name, its key with labels, or its symbol where only one metric has that.

    Raises:
        UsageError: There is none of that name; names those that are spelled alike.
    """
    known = catalogue()
    bare = name.partition("{")[0].strip()
    with_symbol = [metric for metric in known.values() if metric.symbol and metric.symbol.lower() == bare.lower()]
    if bare in known:
        return known[bare]
    if len(with_symbol) == 1:
        return with_symbol[0]
    near = [metric.name for metric in with_symbol] or _near(bare, known)
    raise UsageError(
        f"--explain {name!r}: there is no metric of that name; "
        + (f"near ones: {', '.join(near)}." if near else f"those that exist: {', '.join(known)}."),
        next_step=f"python -m probes.run --explain {(near or list(known))[0]}",
    )


def _near(name: str, known: Iterable[str]) -> list[str]:
    names = list(known)
    spelled = difflib.get_close_matches(name.lower(), names, n=5, cutoff=0.5)
    holding = [other for other in names if len(name) > 2 and name.lower() in other]
    return list(dict.fromkeys([*holding, *spelled]))[:6]


def explain(metric: Metric) -> str:
    """Say all that is known of a metric, as plain text."""
    symbol = f"  ({metric.symbol})" if metric.symbol else ""
    lines = [
        f"{metric.name}{symbol}, in {metric.unit}",
        "",
        f"definition   {metric.definition}",
        f"source       {metric.source}",
        f"resolution   {metric.resolution}",
        f"error bound  {metric.error_bound}",
        f"run's value  {AGGREGATES[metric.aggregate]}",
    ]
    lines += _listed("labels", metric.labels)
    lines += _listed("missing, for reasons of its own", metric.missing)
    lines += _listed("missing, for reasons that any metric may have", SHARED_REASONS)
    return "\n".join(lines)


AGGREGATES: Mapping[str, str] = {
    "mean": "mean over repetitions, with a 95 % interval from three repetitions on",
    "sum": "sum over repetitions",
    "max": "largest of all repetitions",
}


def _listed(title: str, entries: Mapping[str, str]) -> list[str]:
    if not entries:
        return []
    width = max(len(name) for name in entries)
    return ["", f"{title}:", *(f"  {name:<{width}}  {sentence}" for name, sentence in entries.items())]
