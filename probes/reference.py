"""`python -m probes.reference`: writes what docs/ says of metrics and manifests from the code, so that it cannot drift.

docs/metrics.md comes from the catalogue, docs/manifest.schema.json from the model of the manifest.
"""

import json
from pathlib import Path

from probes.catalogue import AGGREGATES, catalogue
from probes.manifest import Manifest
from probes.metrics import SHARED_REASONS, Metric

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "metrics.md"
SCHEMA_FILE = DOCS / "manifest.schema.json"
HEAD = """# Metrics

<!-- Written by `python -m probes.reference` from the METRICS of the files in probes/measurements/; edit those. -->

Every metric is in every record, as a value with its interval or as `missing(reason)`. The repetition is the
statistical unit: the value is the mean over repetitions of the number of each repetition, the interval is that of the
mean at 95 % (three repetitions or more; Student's t, from eight on widened to the BCa bootstrap:
[comparing.md](comparing.md)); counts are summed. Times are in seconds, sizes in bytes. *Symbol*: as the literature has
it. `python -m probes.run --explain METRIC` prints one entry; [add-a-measurement.md](add-a-measurement.md) shows how to
add one.

| metric | symbol | unit | definition |
|---|---|---|---|
"""


def page() -> str:
    """Return the page's text."""
    metrics = catalogue().values()
    rows = [f"| [`{m.name}`](#{m.name}) | {m.symbol or '–'} | {m.unit} | {_cell(m.definition)} |" for m in metrics]
    proofs = [
        "",
        "## Where each number comes from, and how far it can be trusted",
        "",
        *(line for metric in metrics for line in _entry(metric)),
        "## Reasons that any metric may be missing for",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{reason}` | {_cell(said)} |" for reason, said in SHARED_REASONS.items()),
    ]
    return HEAD + "\n".join([*rows, *proofs]) + "\n"


def manifest_schema() -> str:
    """Return the JSON Schema of a record's manifest."""
    document = Manifest.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema"} | document, indent=2) + "\n"


def _entry(metric: Metric) -> list[str]:
    symbol = f", {metric.symbol}" if metric.symbol else ""
    rows = [
        ("definition", metric.definition),
        ("source", metric.source),
        ("resolution", metric.resolution),
        ("error bound", metric.error_bound),
        ("value of a run", AGGREGATES[metric.aggregate]),
        *((f"`{label}`", said) for label, said in metric.labels.items()),
        *((f"missing: `{reason}`", said) for reason, said in metric.missing.items()),
    ]
    head = [f"### {metric.name}", "", f"In {metric.unit}{symbol}.", "", "| | |", "|---|---|"]
    return [*head, *(f"| {name} | {_cell(said)} |" for name, said in rows), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA_FILE.write_text(manifest_schema())
