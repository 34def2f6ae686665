"""Which pods are read under which labels: rules evaluated here as Prometheus evaluates them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from components import labels
from components.observability import kube_state_metrics, node_exporter
from components.observability.scraping import JOBS, Scraping, monitored, pod_monitors, scrape_configs
from components.program import scrape_annotations

SCRAPING = Scraping(stack="platform", interval_s=5, ros_interval_s=1)
Rule = Mapping[str, Any]


def relabelled(rules: Sequence[Rule], found: Mapping[str, str]) -> dict[str, str] | None:
    """Labels after the rules; None where the target or series is dropped (prometheus.io, relabel_config)."""
    result = dict(found)
    for rule in rules:
        joined = ";".join(result.get(name, "") for name in rule.get("source_labels", []))
        matched = re.fullmatch(rule.get("regex", "(.*)"), joined, re.DOTALL)
        match rule.get("action", "replace"):
            case "keep" if matched is None:
                return None
            case "drop" if matched is not None:
                return None
            case "replace" if matched is not None:
                result[rule["target_label"]] = matched.expand(rule.get("replacement", "$1").replace("$", "\\"))
            case _:
                pass
    return result


def pod(
    component: str,
    *,
    port: str = "metrics",
    phase: str = "Running",
    scraped: bool = True,
    stack: str | None = None,
) -> dict[str, str]:
    """Labels of one port of a pod as Prometheus discovers it; of an experiment or else of the platform itself."""
    is_measured = component in {"recorder", "application"}
    own = labels.labels(
        stack or ("microservices" if is_measured else "platform"), name="camera", component=component
    ) | {labels.PATTERN: "microservices"}
    found = {f"__meta_kubernetes_pod_label_{re.sub('[^A-Za-z0-9_]', '_', key)}": text for key, text in own.items()}
    annotations = scrape_annotations(8080, "/own/metrics") if scraped else {}
    found |= {
        f"__meta_kubernetes_pod_annotation_{re.sub('[^A-Za-z0-9_]', '_', key)}": text
        for key, text in annotations.items()
    }
    return found | {
        "__address__": "10.0.0.7:8080",
        "__meta_kubernetes_namespace": "ros2bench-microservices",
        "__meta_kubernetes_pod_name": "camera-1",
        "__meta_kubernetes_pod_node_name": "edge",
        "__meta_kubernetes_pod_phase": phase,
        "__meta_kubernetes_pod_container_port_name": port,
    }


def target_rules(job: str) -> list[Rule]:
    """Rules for the targets of a job."""
    return next(each["relabel_configs"] for each in scrape_configs(SCRAPING) if each["job_name"] == job)


def takers(found: Mapping[str, str]) -> list[str]:
    """Jobs that read a port."""
    return [job.name for job in JOBS if relabelled(target_rules(job.name), found) is not None]


@pytest.mark.parametrize(
    ("component", "job"),
    [
        ("recorder", "recorder"),
        ("machine-reader", "machine-reader"),
        ("kube-state-metrics", "kube-state-metrics"),
        ("node-exporter", "node-exporter"),
        ("application", "application"),
        ("prometheus", "platform"),
        ("alertmanager", "platform"),
        ("jaeger", "platform"),
    ],
)
def test_each_pod_is_read_by_exactly_one_job(component: str, job: str) -> None:
    assert takers(pod(component)) == [job]


def test_another_platforms_programs_are_not_read_and_every_stacks_recorder_is() -> None:
    assert takers(pod("machine-reader", stack="other")) == []
    assert takers(pod("prometheus", stack="other")) == []
    assert takers(pod("recorder", stack="other")) == ["recorder"]
    chosen = {
        name: monitor["spec"]["selector"]["matchLabels"].get(labels.STACK)
        for name, monitor in pod_monitors(SCRAPING, {job: {"labels": {}} for job in monitored()}, {}).items()
    }
    assert chosen["recorder"] is chosen["application"] is None
    assert chosen["machine-reader"] == chosen["kube-state-metrics"] == "platform"


def test_what_serves_no_metrics_is_not_read() -> None:
    assert takers(pod("application", scraped=False)) == []
    assert takers(pod("application", port="health")) == []
    assert takers(pod("recorder", phase="Failed")) == []
    assert takers(pod("recorder", phase="Pending")) == []


def test_series_say_whose_they_are() -> None:
    found = relabelled(target_rules("recorder"), pod("recorder"))
    assert found is not None
    shown = {name: found[name] for name in ("namespace", "pod", "machine", "stack", "pattern")}
    assert shown == {
        "namespace": "ros2bench-microservices",
        "pod": "camera-1",
        "machine": "edge",
        "stack": "microservices",
        "pattern": "microservices",
    }
    assert found["__metrics_path__"] == "/own/metrics"


def test_what_speaks_for_others_hides_no_name_of_theirs() -> None:
    found = relabelled(target_rules("kube-state-metrics"), pod("kube-state-metrics"))
    assert found is not None
    assert not {"namespace", "pod", "machine", "stack", "pattern"} & found.keys()


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"namespace": "ros2bench-microservices", "pod": "a"}, {"stack": "microservices"}),
        ({"namespace": "ros2bench-platform", "pod": "a"}, {"stack": "platform"}),
        ({"namespace": "ros2bench-platform-machines", "pod": "a"}, {"stack": "platform"}),
        ({"namespace": "ros2bench-platform-logs", "pod": "a"}, {"stack": "platform"}),
        ({"namespace": "ros2bench-other-machines", "pod": "a"}, {"stack": "other-machines"}),
        ({"namespace": "ros2bench-microservices", "node": "edge"}, {"stack": "microservices", "machine": "edge"}),
        ({"node": "edge"}, {"machine": "edge"}),
        ({"namespace": "kube-system", "pod": "a"}, None),
        ({"namespace": "default"}, None),
    ],
)
def test_series_about_others_belong_to_the_stack_of_their_namespace(
    series: dict[str, str], expected: dict[str, str] | None
) -> None:
    rules = next(
        each["metric_relabel_configs"] for each in scrape_configs(SCRAPING) if each["job_name"] == "kube-state-metrics"
    )
    found = relabelled(rules, series)
    assert found == (None if expected is None else series | expected)


def test_recorders_are_read_more_often_than_the_rest() -> None:
    intervals = {each["job_name"]: each["scrape_interval"] for each in scrape_configs(SCRAPING)}
    assert intervals.pop("recorder") == "1s"
    assert set(intervals.values()) == {"5s"}


def test_an_operator_reads_the_same_with_the_same_labels() -> None:
    metadata = {job: {"labels": labels.common("platform")} for job in monitored()}
    for name, monitor in pod_monitors(SCRAPING, metadata, {"release": "x"}).items():
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        own = {rule["targetLabel"]: rule for rule in endpoint["relabelings"] if "targetLabel" in rule}
        assert own["job"]["replacement"] == name
        builtin = {rule["target_label"] for rule in target_rules(name) if "target_label" in rule}
        assert own.keys() - {"job"} == builtin
        assert monitor["metadata"]["labels"]["release"] == "x"
        assert monitor["spec"]["namespaceSelector"] == {"any": True}


def test_only_the_disk_on_which_pods_live_is_told() -> None:
    hidden = re.compile(node_exporter.OTHER_MOUNTS)
    assert not hidden.search(node_exporter.DISK)
    others = ("/", "/etc/hosts", "/dev/shm", "/proc/kcore", "/sys/fs/cgroup", "/run/secrets", "/mnt/x", "/tmp")  # noqa: S108
    assert all(hidden.search(mount) for mount in others)


def test_series_and_roles_of_kube_state_metrics_fit_each_other() -> None:
    (asked,) = [arg for arg in kube_state_metrics.program("x").args if arg.startswith("--resources=")]
    given = {kind for rule in kube_state_metrics.role_rules() for kind in rule["resources"]}
    assert set(asked.partition("=")[2].split(",")) == given
    assert not given & {"secrets", "configmaps"}
    singular = {kind.removesuffix("s") for kind in given}
    kinds = {re.match(r"kube_([a-z]+)", pattern)[1] for pattern in kube_state_metrics.SERIES}  # type: ignore[index]
    assert kinds <= singular


def test_every_series_of_the_queries_is_given() -> None:
    from components.dashboards import series  # noqa: PLC0415 - loads every query

    wanted = {
        name
        for table in vars(series).values()
        if isinstance(table, Mapping)
        for name in table  # pyright: ignore[reportUnknownVariableType]
        if isinstance(name, str) and name.startswith("kube_")
    }
    assert wanted
    given = [re.compile(pattern) for pattern in kube_state_metrics.SERIES]
    assert [name for name in sorted(wanted) if not any(pattern.fullmatch(name) for pattern in given)] == []
