"""The rule file as data: names, severities, runbooks, delays, thresholds."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from components.autoscaling.certificate import VALID_DAYS
from components.dashboards import series
from components.dashboards.alerts import ALERTS_INTERVAL_S, alerts
from components.dashboards.rules import late_ratio, prometheus_rules, recordings
from components.dashboards.thresholds import Thresholds, from_names
from stacks.spec_observability import Alerts

ROOT = Path(__file__).parents[3]
HEADINGS = ("## What it means", "## How to look", "## What to do")
WANTED = {
    "TopicSilent", "TopicNeverHeard", "LatencyObjectiveBurning", "MessagesLost", "RestartStorm", "MachineGone",
    "GpuHot", "GpuThrottled", "PowerBudgetExceeded", "ClockOffset", "DiskFilling", "BackupMissed",
    "CertificateEnding", "ExporterDown",
}  # fmt: skip
EXAMPLE = re.compile(r"```yaml\n(config:.+?)```", re.DOTALL)
SCRAPE_S, GROUP_WAIT_S, DELAY_S = 5, 2, 15


def test_every_alert_is_there() -> None:
    assert {alert.name for alert in alerts(Thresholds())} == WANTED


def test_every_alert_has_a_page_that_says_what_to_do() -> None:
    for alert in alerts(Thresholds()):
        page = (ROOT / alert.runbook).read_text(encoding="utf-8")
        assert page.startswith(f"# {alert.name}\n")
        places = [page.index(heading) for heading in HEADINGS]
        assert places == sorted(places), alert.name
    assert {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} == WANTED | {"README"}


def test_queries_in_runbooks_are_what_the_program_asks() -> None:
    for page in (ROOT / "docs/runbooks").glob("*.md"):
        named = set(re.findall(r"\b(?:ros2bench|kube|node)_[a-z0-9_]+\b", page.read_text(encoding="utf-8")))
        known = set(series.ALL) | {"node_up"}
        assert named <= known, f"{page.name}: {named - known}"


def test_thresholds_in_pages_have_the_names_of_the_stack_file() -> None:
    wrong = {field.name for field in fields(Thresholds)} - {"restarts"}
    for page in [*(ROOT / "docs/runbooks").glob("*.md"), ROOT / "docs/observability.md"]:
        named = set(re.findall(r"`(\w+)`", page.read_text(encoding="utf-8")))
        assert not named & wrong, page.name


def test_the_example_of_thresholds_is_accepted() -> None:
    (example,) = EXAMPLE.findall((ROOT / "docs/observability.md").read_text(encoding="utf-8"))
    section = yaml.safe_load(example)["config"]["ros2bench:spec"]["observability"]
    chosen = Alerts.model_validate(section["alerts"]).chosen_thresholds()
    assert chosen.power_budget_watts == 25
    assert prometheus_rules(chosen)


def test_how_long_certificates_of_the_program_hold_is_told() -> None:
    page = (ROOT / "docs/runbooks/CertificateEnding.md").read_text(encoding="utf-8")
    assert f"{VALID_DAYS} days" in page


def test_an_alert_is_told_within_fifteen_seconds() -> None:
    """Worst case: a scrape, an evaluation, `for` up to the next evaluation, Alertmanager's wait."""
    for alert in alerts(Thresholds()):
        if alert.name == "TopicNeverHeard":
            continue  # its `for` is what discovery may take, so it belongs to the condition
        scrapes = 2 if alert.name in {"ExporterDown", "MachineGone"} else 1
        held = -(-alert.for_s // ALERTS_INTERVAL_S) * ALERTS_INTERVAL_S
        assert scrapes * SCRAPE_S + ALERTS_INTERVAL_S + held + GROUP_WAIT_S <= DELAY_S, alert.name


def test_the_file_is_what_prometheus_reads() -> None:
    groups = prometheus_rules(runbooks="https://example.org/")["groups"]
    assert [group["name"] for group in groups] == ["ros2bench-recordings", "ros2bench-alerts"]
    for rule in groups[1]["rules"]:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["runbook_url"] == f"https://example.org/docs/runbooks/{rule['alert']}.md"


def test_recorded_series_are_in_the_table() -> None:
    assert {rule.name for rule in recordings(Thresholds())} == set(series.RECORDED)


def test_ends_of_certificates_become_series() -> None:
    rules = prometheus_rules(certificates={"adapter": 1_800_000_000.4})["groups"][0]["rules"]
    assert rules[-1] == {
        "record": "ros2bench_certificate_expiration_timestamp_seconds",
        "expr": "vector(1800000000)",
        "labels": {"certificate": "adapter"},
    }


def test_thresholds_are_in_the_expressions() -> None:
    chosen = from_names(
        {"loss_ratio": 0.25, "gpu_celsius": 71, "objective_s": 1.0, "power_budget_watts": 30, "start_s": 90}
    )
    # Of two rules of one name the last one stays: of power that is the budget.
    found = {alert.name: alert.expression for alert in alerts(chosen)}
    assert found["MessagesLost"].endswith("> 0.25")
    assert found["TopicSilent"].endswith("< 90)")
    assert found["GpuHot"].endswith("> 71")
    assert found["PowerBudgetExceeded"].endswith("> 30")
    assert 'le=~"1(\\\\.0)?"' in late_ratio(chosen.objective_s, "5m")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"silence": 3}, "there is no threshold silence; choices: silence_s"),
        ({"silence_s": 0}, "silence_s is 0; choose a number above 0"),
        ({"silence_s": float("nan")}, "silence_s is nan"),
        ({"objective_s": 0.3}, r"objective_s is 0.3, which the histogram does not part; choices: 2e-05"),
        ({"objective_ratio": 1.0}, "every late message would be too many"),
        ({"objective_ratio": 0.9}, "no burn could be that fast"),
    ],
)
def test_thresholds_that_make_no_alert_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_names(values)
