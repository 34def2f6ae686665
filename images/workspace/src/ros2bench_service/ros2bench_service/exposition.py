"""Writes the text format of Prometheus, version 0.0.4; pure.

By hand, because prometheus_client makes several objects for every sample: a scrape a second over
many topics would cost more than the counting. The labels of a series are made once, by
`labels_text`, and kept by whoever owns the series.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
from collections.abc import Iterable, Mapping, Sequence

CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
Number = int | float


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as they stand behind a name: `{topic="/a"}`, nothing where there are none."""
    if not labels:
        return ''
    shown = ','.join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f'{{{shown}}}'


def family(name: str, kind: str, meaning: str, samples: Iterable[tuple[str, Number]]) -> list[str]:
    """Lines of one metric, none where it has no samples.

    Args:
        name: of the metric.
        kind: `counter` or `gauge`.
        meaning: one sentence.
        samples: of each series its labels, as `labels_text` gives them, and its value.
    """
    lines = [f'{name}{labels} {number_text(value)}' for labels, value in samples]
    return [*head(name, kind, meaning), *lines] if lines else []


def head(name: str, kind: str, meaning: str) -> tuple[str, str]:
    """The two lines that introduce a metric."""
    escaped = meaning.replace('\\', '\\\\').replace('\n', '\\n')
    return f'# HELP {name} {escaped}', f'# TYPE {name} {kind}'


class HistogramLines:
    """Lines of one series of a histogram. All but the numbers is made once."""

    def __init__(self, name: str, bounds: Sequence[float], labels: Mapping[str, str]) -> None:
        """Prepare them.

        Args:
            name: of the metric.
            bounds: upper bounds in rising order, without infinity.
            labels: of the series, without `le`.
        """
        shown = (*(f'{bound:g}' for bound in bounds), '+Inf')
        self._buckets = [f'{name}_bucket{labels_text({**labels, "le": each})} ' for each in shown]
        self._sum = f'{name}_sum{labels_text(labels)} '
        self._count = f'{name}_count{labels_text(labels)} '

    def lines(self, counts: Sequence[int], total: Number) -> list[str]:
        """The series as of now.

        Args:
            counts: observations in each bucket alone, the last one above all bounds.
            total: sum of what was observed.
        """
        found, below = [], 0
        for bucket, count in zip(self._buckets, counts, strict=True):
            below += count
            found.append(f'{bucket}{below}')
        found += (f'{self._sum}{number_text(total)}', f'{self._count}{below}')
        return found


def number_text(value: Number) -> str:
    """A value as the format wants it."""
    if isinstance(value, float) and not math.isfinite(value):
        return 'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'
    return repr(value)


def document(lines: Iterable[str]) -> bytes:
    """The whole text; what is no UTF-8 is replaced, so that one bad name spoils no other."""
    return '\n'.join((*lines, '')).encode('utf-8', 'replace')


def _escaped(text: str) -> str:
    return text.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n')
