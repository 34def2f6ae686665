"""The t distribution on the standard library is the one that scipy computes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from probes.student import quantile, two_sided_p

DEGREES = st.floats(0.5, 1e5)


@given(st.floats(-60, 60), DEGREES)
def test_the_tail_is_scipys(t: float, degrees: float) -> None:
    assert two_sided_p(t, degrees) == pytest.approx(2 * special.stdtr(degrees, -abs(t)), rel=1e-7, abs=1e-300)


@given(st.floats(0.5, 0.99999), DEGREES)
def test_the_quantile_is_scipys(probability: float, degrees: float) -> None:
    assert quantile(probability, degrees) == pytest.approx(special.stdtrit(degrees, probability), rel=1e-7, abs=1e-9)


def test_what_is_infinitely_far_has_no_probability() -> None:
    assert two_sided_p(math.inf, 4) == 0
    assert two_sided_p(0, 4) == 1
