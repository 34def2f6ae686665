"""HorizontalPodAutoscaler of one pod of the placement: the number of its copies follows signals."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.autoscaling.signals import (
    LATENCY_SERIES,
    Autoscaling,
    Latency,
    Pace,
    Resource,
    Series,
    Signal,
    external_metric,
    pod_metric,
    topic_value,
)

Manifest = dict[str, Any]


def hpa_manifest(metadata: Mapping[str, Any], deployment: pulumi.Input[str], autoscaling: Autoscaling) -> Manifest:
    """The object for a Deployment.

    Args:
        metadata: Its metadata.
        deployment: Name of the Deployment in the cluster, which then states no number of copies itself.
        autoscaling: What the stack file says.
    """
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": dict(metadata),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": autoscaling.min_replicas,
            "maxReplicas": autoscaling.max_replicas,
            "metrics": [metric(signal) for signal in autoscaling.signals],
            "behavior": {"scaleUp": behaviour(autoscaling.scale_up), "scaleDown": behaviour(autoscaling.scale_down)},
        },
    }


def metric(signal: Signal) -> Manifest:
    """One entry of `metrics`."""
    if isinstance(signal, Resource):
        target = {"type": "Utilization", "averageUtilization": round(signal.ratio * 100)}
        return {"type": "Resource", "resource": {"name": signal.name, "target": target}}
    if isinstance(signal, Latency):
        name = {
            "name": external_metric(LATENCY_SERIES, "p95"),
            "selector": {"matchLabels": {"topic": topic_value(signal.topic)}},
        }
        return {"type": "External", "external": {"metric": name, "target": _value(signal.target_s)}}
    if isinstance(signal, Series):
        name = {"name": external_metric(signal.name, signal.aggregate)}
        target = _average(signal.target) if signal.per_replica else _value(signal.target)
        return {"type": "External", "external": {"metric": name, "target": target}}
    return {"type": "Pods", "pods": {"metric": {"name": pod_metric(signal.name)}, "target": _average(signal.target)}}


def behaviour(pace: Pace) -> Manifest:
    """How fast copies come or go."""
    return {
        "stabilizationWindowSeconds": pace.stabilization_s,
        "policies": [{"type": "Percent", "value": pace.percent, "periodSeconds": pace.period_s}],
    }


def quantity(value: float) -> str:
    """A number as Kubernetes writes it, in thousandths: finer it does not compare."""
    thousandths = round(value * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def _value(target: float) -> Manifest:
    return {"type": "Value", "value": quantity(target)}


def _average(target: float) -> Manifest:
    return {"type": "AverageValue", "averageValue": quantity(target)}
