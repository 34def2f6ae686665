"""Correction for the number of comparisons: adjusted p-values that may each be compared with the error rate.

Two families, two methods. Headline metrics: Holm (1979), which keeps the chance of a single wrong word among all of
them at the error rate, whatever the metrics have to do with one another. All other metrics, often hundreds: Benjamini
and Hochberg (1995), which keeps the share of wrong words among those said at the error rate; where nothing differs at
all that is the chance of a single wrong word, too. It holds for metrics that rise together (Benjamini and Yekutieli
2001).
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the family-wise error rate is kept; order as given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the false discovery rate is kept; order as given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    most = 1.0
    for rank in range(len(p_values), 0, -1):
        index = order[rank - 1]
        most = min(most, p_values[index] * len(p_values) / rank)
        adjusted[index] = most
    return adjusted
