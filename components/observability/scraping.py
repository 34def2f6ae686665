"""Which pods are read for metrics, how often, and under which labels: contract 17 in the words of Prometheus.

One table of jobs; it is rendered as `scrape_configs` for a Prometheus of our own and as PodMonitors for an operator's.
Everything here is plain data and fits Prometheus 2.42 as well as 3.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import labels
from components.manifest import MONITORING, Manifest
from components.program import METRICS

NAMESPACES = "ros2bench-"
"""What the names of all namespaces of ours begin with."""
MOST_SAMPLES = 20_000
"""Of one page of metrics; a page that is longer is refused whole, and `up` is 0."""
MOST_SAMPLES_OF_APPLICATION = 5_000

Rule = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One value of the label `job`.

    Attributes:
        name: The label's value.
        component: Component of the pods; None for whatever no other job reads.
        is_ros: Whether it is read as often as recorders are.
        of_any_stack: Whether pods of every stack are read; else the platform's own, as two platforms of one cluster
            would count everything twice.
        speaks_for_others: Whether its series are about other objects, whose names they carry themselves.
        most_samples: Most samples of one page.
    """

    name: str
    component: str | None
    is_ros: bool = False
    of_any_stack: bool = False
    speaks_for_others: bool = False
    most_samples: int = MOST_SAMPLES


JOBS = (
    Job(name="recorder", component="recorder", is_ros=True, of_any_stack=True),
    Job(name="machine-reader", component=labels.MACHINE_READER),
    Job(name="kube-state-metrics", component="kube-state-metrics", speaks_for_others=True, most_samples=200_000),
    Job(name="node-exporter", component="node-exporter"),
    Job(name="application", component="application", of_any_stack=True, most_samples=MOST_SAMPLES_OF_APPLICATION),
    Job(name="platform", component=None),
)


@dataclass(frozen=True, kw_only=True)
class Scraping:
    """How often pods are read, and which namespaces beside ours.

    `stack` is that of the platform, whose series of its own objects carry it.
    """

    stack: str
    interval_s: int
    ros_interval_s: int
    namespaces: tuple[str, ...] = ()


def scrape_configs(scraping: Scraping) -> list[Manifest]:
    """`scrape_configs` of a Prometheus of our own."""
    ours = [
        {
            "job_name": job.name,
            "scrape_interval": f"{_interval_s(job, scraping)}s",
            "honor_labels": job.speaks_for_others,
            "sample_limit": job.most_samples,
            "kubernetes_sd_configs": [_pods_of_ours()],
            "relabel_configs": [*_chosen(job, scraping.stack), *_path(), *_target_labels(job)],
            **({"metric_relabel_configs": told} if (told := _told(job, scraping.stack)) else {}),
        }
        for job in JOBS
    ]
    return [*ours, *_others(scraping)]


def pod_monitors(
    scraping: Scraping, metadata: Mapping[str, Mapping[str, Any]], chosen_by: Mapping[str, str]
) -> dict[str, Manifest]:
    """PodMonitors for an existing operator, by name of the job; it reads its own programs itself.

    Args:
        scraping: How often.
        metadata: Metadata of each, by the same name.
        chosen_by: Labels by which the operator's Prometheus selects them.
    """
    found: dict[str, Manifest] = {}
    for job in JOBS:
        if job.component is None:
            continue
        own = dict(metadata[job.name])
        endpoint = {
            "port": METRICS,
            "interval": f"{_interval_s(job, scraping)}s",
            "honorLabels": job.speaks_for_others,
            "relabelings": [_camel(rule) for rule in [*_marked(), *_path(), *_named(job), *_target_labels(job)]],
            "metricRelabelings": [_camel(rule) for rule in _told(job, scraping.stack)],
        }
        found[job.name] = {
            "apiVersion": MONITORING,
            "kind": "PodMonitor",
            "metadata": {**own, "labels": {**own["labels"], **chosen_by}},
            "spec": {
                "namespaceSelector": {"any": True},
                "selector": {
                    "matchLabels": {
                        "app.kubernetes.io/part-of": labels.PART_OF,
                        labels.COMPONENT: job.component,
                        **({} if job.of_any_stack else {labels.STACK: scraping.stack}),
                    }
                },
                "sampleLimit": job.most_samples,
                "podMetricsEndpoints": [endpoint],
            },
        }
    return found


def monitored() -> tuple[str, ...]:
    """Names of the jobs that an operator's Prometheus reads."""
    return tuple(job.name for job in JOBS if job.component is not None)


def _interval_s(job: Job, scraping: Scraping) -> int:
    return scraping.ros_interval_s if job.is_ros else scraping.interval_s


def _pods_of_ours() -> Manifest:
    """The API server is asked for pods of ours alone, so that a large cluster costs no more than a small one."""
    return {"role": "pod", "selectors": [{"role": "pod", "label": f"app.kubernetes.io/part-of={labels.PART_OF}"}]}


def _chosen(job: Job, stack: str) -> list[Rule]:
    """Which pods a job reads, and on which of their ports."""
    component = _label(labels.COMPONENT)
    taken = "|".join(each.component for each in JOBS if each.component is not None)
    which = {"source_labels": [component], "action": "keep", "regex": job.component}
    if job.component is None:
        which = {"source_labels": [component], "action": "drop", "regex": taken}
    port = {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "action": "keep", "regex": METRICS}
    gone = {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "drop", "regex": "Pending|Succeeded|Failed"}
    own = {"source_labels": [_label(labels.STACK)], "action": "keep", "regex": re.escape(stack)}
    return [which, *([] if job.of_any_stack else [own]), *_marked(), port, gone]


def _marked() -> list[Rule]:
    return [{"source_labels": [_annotation("scrape")], "action": "keep", "regex": "true"}]


def _path() -> list[Rule]:
    return [{"source_labels": [_annotation("path")], "regex": "(.+)", "target_label": "__metrics_path__"}]


def _named(job: Job) -> list[Rule]:
    """An operator makes labels of its own: the job's name, and where its pod runs."""
    dropped = "container|endpoint" + ("|namespace|pod" if job.speaks_for_others else "")
    return [{"target_label": "job", "replacement": job.name}, {"action": "labeldrop", "regex": dropped}]


def _target_labels(job: Job) -> list[Rule]:
    """Labels of every series of a pod; not of one that speaks for others, whose names they would hide."""
    instance = {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "instance"}
    if job.speaks_for_others:
        return [instance]
    named = {
        "namespace": "__meta_kubernetes_namespace",
        "pod": "__meta_kubernetes_pod_name",
        "machine": "__meta_kubernetes_pod_node_name",
        "stack": _label(labels.STACK),
        "pattern": _label(labels.PATTERN),
    }
    return [instance, *({"source_labels": [source], "target_label": name} for name, source in named.items())]


def _told(job: Job, stack: str) -> list[Rule]:
    """What is kept of series about other objects: those of our namespaces and of machines, by `stack` and `machine`."""
    if not job.speaks_for_others:
        return []
    own = f"{NAMESPACES}{stack}(-platform|-machines|-gpu|-logs)"
    return [
        {"source_labels": ["namespace"], "action": "keep", "regex": f"({NAMESPACES}.+)?"},
        {"source_labels": ["namespace"], "regex": f"{NAMESPACES}(.+)", "target_label": "stack", "replacement": "$1"},
        {"source_labels": ["namespace"], "regex": own, "target_label": "stack", "replacement": stack},
        {"source_labels": ["node"], "regex": "(.+)", "target_label": "machine", "replacement": "$1"},
    ]


def _others(scraping: Scraping) -> list[Manifest]:
    """Pods and Services of namespaces that are not ours, where the stack file names them and they ask for it."""
    if not scraping.namespaces:
        return []
    where = {"namespaces": {"names": list(scraping.namespaces)}}
    found: list[Manifest] = []
    for name, role, kind in (("other-pods", "pod", "pod"), ("other-endpoints", "endpointslice", "service")):
        rules = [
            {"source_labels": [_annotation("scrape", kind)], "action": "keep", "regex": "true"},
            {"source_labels": [_annotation("path", kind)], "regex": "(.+)", "target_label": "__metrics_path__"},
            {"source_labels": [_annotation("scheme", kind)], "regex": "(https?)", "target_label": "__scheme__"},
            {
                "source_labels": ["__address__", _annotation("port", kind)],
                "regex": r"(.+?)(?::\d+)?;(\d+)",
                "target_label": "__address__",
                "replacement": "$1:$2",
            },
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
            {"source_labels": ["__meta_kubernetes_pod_node_name"], "target_label": "machine"},
        ]
        found.append(
            {
                "job_name": name,
                "scrape_interval": f"{scraping.interval_s}s",
                "sample_limit": MOST_SAMPLES,
                "kubernetes_sd_configs": [{"role": role, **where}],
                "relabel_configs": rules,
            }
        )
    return found


def _label(name: str) -> str:
    return f"__meta_kubernetes_pod_label_{_safe(name)}"


def _annotation(name: str, kind: str = "pod") -> str:
    return f"__meta_kubernetes_{kind}_annotation_prometheus_io_{name}"


def _safe(name: str) -> str:
    """Name of a label of Kubernetes as Prometheus writes it."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _camel(rule: Rule) -> Rule:
    """A relabelling rule as the operator's objects write it."""
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), key): value for key, value in rule.items()}


def names(jobs: Sequence[Job] = JOBS) -> tuple[str, ...]:
    """Values of the label `job` of what is ours."""
    return tuple(job.name for job in jobs)
