"""Which contender costs least in a situation, and how sure that is. Pure; the page's script computes the same.

A criterion's cost is compared by its ratio, so that milliseconds and megabytes need no exchange rate: the weighted
geometric mean of the ratios (weighted product model; Bridgman 1922, Triantaphyllou 2000), which does not depend on what
the ratios are taken to. It is computed for each draw of the resampled repetitions; the share of draws in which a
contender has the least is how probably it is the best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from probes.report.draws import LEAST_REPETITIONS, Evidence, FloatArray, draw_means, known
from probes.report.situations import CRITERIA, Criterion, keys_needed

ALIKE = 1e-12
OUTSIDE = 0.025


@dataclass(frozen=True)
class Left:
    """A criterion that is left out although it counts, and why."""

    criterion: str
    why: str


@dataclass(frozen=True)
class Standing:
    """One contender in a ranking.

    Args:
        name: Contender.
        probability: That it costs least; None where repetitions are too few to tell.
        relative: Its cost over that of the leader, weighted geometric mean of the ratios; 1 for the leader.
        interval: Of `relative`, 95 %; None where repetitions are too few.
        ratios: By criterion that can be compared, counting or not: its cost over the least of all contenders.
    """

    name: str
    probability: float | None
    relative: float
    interval: tuple[float, float] | None
    ratios: Mapping[str, float]


@dataclass(frozen=True)
class Ranking:
    """The answer for one situation and its weights.

    Args:
        leader: Contender that costs least; None where nothing can be compared.
        standings: In the order of the contenders.
        left: Criteria that count but cannot be compared.
        turns: By criterion: who would lead if it counted nothing, where that is another one.
        used: Criteria that decide.
        few: Contenders and criteria that rest on fewer than three repetitions; no probability is given then.
    """

    leader: str | None
    standings: tuple[Standing, ...]
    left: tuple[Left, ...]
    turns: Mapping[str, str]
    used: tuple[str, ...]
    few: bool


class Decision:
    """The contenders of a comparison, ready to be ranked for any situation."""

    def __init__(self, contenders: Sequence[Evidence], exact: frozenset[str]) -> None:
        """Draw once.

        Args:
            contenders: At least two.
            exact: Metric keys that one repetition decides.
        """
        self.contenders = tuple(contenders)
        self.exact = exact
        self.keys = keys_needed()
        self._draws = [draw_means(item, place, self.keys) for place, item in enumerate(self.contenders)]
        self._means = [
            np.array([[np.mean(known(item.values[key])) if key in item.values else np.nan for key in self.keys]])
            for item in self.contenders
        ]

    def rank(self, setting: Mapping[str, float], weights: Mapping[str, float]) -> Ranking:
        """Rank the contenders.

        Args:
            setting: Numbers of the situation, by name.
            weights: By criterion.
        """
        counting = [criterion for criterion in CRITERIA if weights.get(criterion.name, 0) > 0]
        left = [Left(item.name, why) for item in counting if (why := self._why_not(item, setting)) is not None]
        out = {item.criterion for item in left}
        used = [criterion for criterion in counting if criterion.name not in out]
        if not used:
            return Ranking(None, (), tuple(left), {}, (), few=False)
        point = self._costs(self._means, used, setting)
        ratios = self._ratios(setting)
        shares = np.array([weights[item.name] for item in used], dtype=np.float64)
        scores = (point[:, 0, :] * shares).sum(axis=1) / shares.sum()
        leader = int(np.argmin(scores))
        few = any(self._is_thin(item, setting) for item in used)
        drawn = (self._costs(self._draws, used, setting) * shares).sum(axis=2) / shares.sum()
        standings = tuple(
            Standing(
                item.name,
                None if few else _share_of_least(drawn, place),
                float(np.exp(scores[place] - scores[leader])),
                None if few else _interval(drawn[place] - drawn[leader]),
                {name: float(found[place]) for name, found in ratios.items()},
            )
            for place, item in enumerate(self.contenders)
        )
        turns: dict[str, str] = {}
        for column, criterion in enumerate(used):
            rest = np.delete(shares, column)
            if rest.size:
                other = int(np.argmin((np.delete(point[:, 0, :], column, axis=1) * rest).sum(axis=1)))
                if other != leader:
                    turns[criterion.name] = self.contenders[other].name
        names = tuple(item.name for item in used)
        return Ranking(self.contenders[leader].name, standings, tuple(left), turns, names, few)

    def _why_not(self, criterion: Criterion, setting: Mapping[str, float]) -> str | None:
        """Say why a criterion cannot be compared: nothing of it happens, or it is missing somewhere."""
        terms = [term for term in criterion.terms if term.factor(setting) != 0]
        if not terms:
            return "nothing of it happens in this situation"
        for item in self.contenders:
            for term in terms:
                if term.key not in item.values:
                    return f"{term.key} of {item.name} is missing ({item.missing.get(term.key, 'not_in_record')})"
        return None

    def _ratios(self, setting: Mapping[str, float]) -> Mapping[str, FloatArray]:
        """Give each criterion's costs over their least."""
        found: dict[str, FloatArray] = {}
        for criterion in CRITERIA:
            if self._why_not(criterion, setting) is None:
                costs = self._costs(self._means, [criterion], setting)[:, 0, 0]
                found[criterion.name] = np.exp(costs - costs.min())
        return found

    def _is_thin(self, criterion: Criterion, setting: Mapping[str, float]) -> bool:
        return any(
            term.key not in self.exact and len(known(item.values[term.key])) < LEAST_REPETITIONS
            for term in criterion.terms
            if term.factor(setting) != 0
            for item in self.contenders
        )

    def _costs(
        self, means: Sequence[FloatArray], used: Sequence[Criterion], setting: Mapping[str, float]
    ) -> FloatArray:
        """Give the logarithm of each cost: contenders, draws, criteria."""
        return np.array(
            [[self._cost(table, criterion, setting) for criterion in used] for table in means], dtype=np.float64
        ).transpose(0, 2, 1)

    def _cost(self, table: FloatArray, criterion: Criterion, setting: Mapping[str, float]) -> FloatArray:
        total = np.full(table.shape[0], criterion.offset)
        for term in criterion.terms:
            if (factor := term.factor(setting)) != 0:
                total = total + factor * table[:, self.keys.index(term.key)]
        return np.log(np.maximum(total, criterion.floor))


def _share_of_least(scores: FloatArray, place: int) -> float:
    """Give the share of draws that a contender wins; who are alike share a draw."""
    winners = scores <= scores.min(axis=0) + ALIKE
    return float((winners[place] / winners.sum(axis=0)).mean())


def _interval(differences: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(differences, (OUTSIDE, 1 - OUTSIDE))
    return float(np.exp(low)), float(np.exp(high))
