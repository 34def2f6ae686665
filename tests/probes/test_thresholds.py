"""Thresholds are read strictly, judged by intervals, and never kept because nothing was measured."""

import pytest

from probes.comparison import Cell, Comparison, Contender, Row, Settings
from probes.errors import UsageError
from probes.thresholds import judge, parse_noise_thresholds, parse_threshold, parse_threshold_file

SETTINGS = Settings((), (), {}, (), 0.95, 0.05, {}, 9999, 1, 0.9)


def comparison(**second: object) -> Comparison:
    contenders = tuple(Contender(name, name, name, (), 5, "", ()) for name in ("first", "second"))
    base = Cell("first", 2.0, (1.9, 2.1), 5)
    cell = Cell("second", 2.2, (2.1, 2.3), 5, ratio=1.1, ratio_interval=(1.05, 1.15))
    row = Row("install_s", "install_s", "s", "lower", "deployment", True, (base, cell), None, 0.02)  # noqa: FBT003
    if second:
        row = Row(*list(vars(row).values())[:6], (base, Cell("second", **second)), None, 0.02)  # type: ignore[arg-type]
    return Comparison("first", contenders, (row,), (), SETTINGS)


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        ("install_s<=1.2", ["kept"]),
        ("install_s <= 115%", ["kept"]),
        ("install_s<1.15", ["undecided"]),
        ("install_s<=1.04", ["broken"]),
        ("install_s>=1.04x", ["kept"]),
        ("install_s>1.2", ["broken"]),
        ("install_s<=2.5s absolute", ["kept", "kept"]),
        ("install_s<=2500 ms absolute", ["kept", "kept"]),
        ("install_s<=2.2 absolute", ["kept", "undecided"]),
        ("second: install_s<=2 s absolute", ["broken"]),
        ("ready_s<=1.1", ["undecided"]),
    ],
)
def test_an_interval_is_within_the_limit_beyond_it_or_across(text: str, outcomes: list[str]) -> None:
    assert [item.outcome for item in judge([parse_threshold(text)], comparison())] == outcomes


def test_what_is_missing_is_undecided_with_its_reason() -> None:
    lost = comparison(estimate=None, interval=None, n=0, missing="no_platform")
    (found,) = judge([parse_threshold("install_s<=9")], lost)
    assert (found.outcome, found.reason) == ("undecided", "missing (no_platform)")
    few = comparison(estimate=2.2, interval=None, n=2, ratio=1.1)
    (found,) = judge([parse_threshold("install_s<=9")], few)
    assert (found.outcome, found.reason) == ("undecided", "2 repetitions carry no interval")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("install_s", "cannot be read"),
        ("install_s=1", "cannot be read"),
        ("install<=1", "no metric install; near ones: install_s"),
        ("install_s<=30s", "has no unit 's'"),
        ("install_s<=1.2.3", "no number"),
    ],
)
def test_a_threshold_that_is_none_says_what_to_write(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_threshold(text)
    assert caught.value.next_step


def test_a_unit_of_another_kind_and_an_unknown_contender_are_refused() -> None:
    with pytest.raises(UsageError, match="install_s is in s"):
        judge([parse_threshold("install_s<=30MB absolute")], comparison())
    with pytest.raises(UsageError, match="contenders: first, second"):
        judge([parse_threshold("third: install_s<=1")], comparison())


def test_a_file_holds_thresholds_and_noise_thresholds() -> None:
    read = parse_threshold_file(
        "thresholds:\n  - install_s <= 1.1\n  - 'second: inference_s <= 30 ms absolute'\n"
        "noiseThresholds: {inference_s: 0.03, install_s: 5%}\n",
        "limits.yaml",
    )
    assert [item.key for item in read.thresholds] == ["install_s", "inference_s"]
    assert read.noise_thresholds == pytest.approx({"inference_s": 0.03, "install_s": 0.05})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- install_s<=1", "must hold the keys"),
        ("threshold: []", "unknown key threshold"),
        ("thresholds: install_s<=1", "must be a list"),
        ("noiseThresholds: [1]", "must map"),
        ("thresholds: [", "no YAML"),
        ("noiseThresholds: {install: 0.1}", "no metric install"),
    ],
)
def test_a_file_that_is_none_is_named(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"limits\.yaml.*{said}"):
        parse_threshold_file(text, "limits.yaml")


def test_noise_thresholds_are_shares() -> None:
    assert parse_noise_thresholds(["3%", "inference_s{statistic=p95}=0.1"]) == pytest.approx(
        {"": 0.03, "inference_s{statistic=p95}": 0.1}
    )
    for text in ("-1", "much", "inference_s=", "nothing=1"):
        with pytest.raises(UsageError):
            parse_noise_thresholds([text])
