"""Every metric of the catalogue has a rule, and rules are about nothing else."""

from probes.catalogue import catalogue
from probes.comparison_rules import GROUPS, HEADLINE, PRACTICAL, RULES, TAIL, place_of, rule_of


def test_the_table_is_the_catalogue_in_its_order() -> None:
    assert list(RULES) == list(catalogue())


def test_headline_metrics_are_known_and_judged() -> None:
    for key in HEADLINE:
        name, _, labels = key.partition("{")
        assert rule_of(key).better != "neither"
        for label in filter(None, labels.rstrip("}").split(",")):
            declared = catalogue()[name].labels
            assert label in declared or label.partition("=")[0] in declared, key


def test_counts_and_content_are_exact_and_times_are_not() -> None:
    exact = {name for name, rule in RULES.items() if rule.is_exact}
    assert {"image_bytes_wire", "config_lines_changed"} <= exact
    assert not any(name.endswith("_s") for name in exact)


def test_tails_scatter_more_than_medians() -> None:
    assert rule_of("inference_s").practical_threshold == PRACTICAL
    assert rule_of("inference_s{statistic=p95}").practical_threshold == TAIL


def test_an_unknown_metric_is_neither_good_nor_bad_and_comes_last() -> None:
    assert rule_of("of_my_own{pod=a}").better == "neither"
    keys = ["of_my_own", "power_w", "inference_s{part=app}", "inference_s", "install_s"]
    assert sorted(keys, key=place_of) == ["inference_s", "inference_s{part=app}", "install_s", "power_w", "of_my_own"]
    assert {rule.group for rule in RULES.values()} <= set(GROUPS)
