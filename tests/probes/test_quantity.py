"""Quantities of Kubernetes."""

import pytest

from probes.quantity import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2.0),
        (2, 2.0),
        ("0.5", 0.5),
        ("512Mi", 536_870_912.0),
        ("1k", 1000.0),
        ("1e3", 1000.0),
        ("2E", 2e18),
    ],
)
def test_quantities_are_read_in_their_base_unit(text: object, value: float) -> None:
    assert parse_quantity(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "m", "-1", "1 Gi", "1mi", "nan", None, "1e"])
def test_what_is_none_is_none(text: object) -> None:
    assert parse_quantity(text) is None
