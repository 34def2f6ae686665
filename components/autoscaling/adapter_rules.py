"""Which series prometheus-adapter turns into which metrics: its configuration file, as plain data.

Source: kubernetes-sigs/prometheus-adapter `docs/config.md` and `docs/externalmetrics.md`, v0.12.
"""

from typing import Any

from components.autoscaling.signals import LATENCY_SERIES, WINDOW_S

Rule = dict[str, Any]

NO_GAUGE = ".+_(bucket|total)|up|scrape_.+"
LARGEST = "1e15"
"""The adapter counts in thousandths in 64 bits: what is larger, or no number at all, would come out as another one."""
MATCHERS = "<<.Series>>{<<.LabelMatchers>>}"
GROUPED = "<<.GroupBy>>"
NAMESPACE = {"namespace": {"resource": "namespace"}}
GAUGES = {"max": "max", "mean": "avg", "sum": "sum"}


def configuration() -> dict[str, list[Rule]]:
    """Contents of the configuration file: `rules` for custom metrics, `externalRules` for external ones."""
    return {"rules": pod_rules(), "externalRules": recorder_rules()}


def recorder_rules() -> list[Rule]:
    """Series of recorders, one number for the whole experiment: its namespace is always matched."""
    gauges = f'{{job="recorder",namespace!="",__name__!~"{NO_GAUGE}"}}'
    counters = '{job="recorder",namespace!="",__name__=~".+_total"}'
    histograms = f'{{job="recorder",namespace!="",__name__=~".+_bucket",__name__!="{LATENCY_SERIES}_bucket"}}'
    latency = f'{{job="recorder",namespace!="",__name__="{LATENCY_SERIES}_bucket"}}'
    # A label selector knows no slash: `topic_value` writes a dot for each, which matches it here.
    of_topic = (
        '<<.Series>>{namespace="<<index .LabelValuesByName "namespace">>",'
        'topic=~"/<<index .LabelValuesByName "topic">>"}'
    )
    return [
        *(
            _rule(gauges, "^(.+)$", f"${{1}}_{name}", f"{function}({MATCHERS})", NAMESPACE)
            for name, function in GAUGES.items()
        ),
        _rule(counters, "^(.+)$", "${1}_rate", f"sum(rate({MATCHERS}[{WINDOW_S}s]))", NAMESPACE),
        _rule(histograms, "^(.+)_bucket$", "${1}_p95", _p95(MATCHERS), NAMESPACE),
        _rule(latency, "^(.+)_bucket$", "${1}_p95", _p95(of_topic), NAMESPACE),
    ]


def pod_rules() -> list[Rule]:
    """Series that pods of applications serve themselves, one number per pod."""
    resources = NAMESPACE | {"pod": {"resource": "pod"}}
    gauges = f'{{job="application",namespace!="",pod!="",__name__!~"{NO_GAUGE}"}}'
    counters = '{job="application",namespace!="",pod!="",__name__=~".+_total"}'
    growth = f"sum by ({GROUPED}) (rate({MATCHERS}[{WINDOW_S}s]))"
    return [
        _rule(gauges, "^(.+)$", "${1}", f"sum by ({GROUPED}) ({MATCHERS})", resources),
        _rule(counters, "^(.+)_total$", "${1}_per_second", growth, resources),
    ]


def _p95(matched: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) (rate({matched}[{WINDOW_S}s])))"


def _rule(series: str, matches: str, name: str, query: str, resources: dict[str, Any]) -> Rule:
    # Without a message in the window a quantile is no number: then there is no value, and nothing is scaled.
    return {
        "seriesQuery": series,
        "name": {"matches": matches, "as": name},
        "resources": {"overrides": resources},
        "metricsQuery": f"({query}) and abs({query}) < {LARGEST}",
    }
