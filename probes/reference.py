"""`python -m probes.reference`: writes docs/metrics.md from the catalogue, so that the page cannot drift."""

from pathlib import Path

from probes.metrics import METRICS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
HEAD = """# Metrics

<!-- Written by `python -m probes.reference`; edit probes/metrics.py instead. -->

Every metric is in every record, as a value with its interval or as `missing(reason)`. The repetition is the
statistical unit: the value is the mean over repetitions of the number of each repetition, the interval is a 95 % BCa
bootstrap over repetitions (three or more). Times are in seconds, sizes in bytes. *Symbol*: as the literature has it.

| metric | symbol | unit | definition | in this version |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the page's text."""
    rows = [
        f"| `{m.name}` | {m.symbol or '–'} | {m.unit} | {m.meaning} | {'measured' if m.built else 'missing'} |"
        for m in METRICS
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
