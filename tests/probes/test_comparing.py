"""From observations to verdicts: pairing, missing values, noise floor, families, and the reasons for each word."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks import verdict_errors
from probes.comparing import compare_selection
from probes.comparison import Comparison
from probes.selection import select
from tests.probes.compared_runs import Observations, run, visit

QUIET = (1.0, 1.01, 0.99, 1.005, 0.995)
DRIFT = (1.0, 2.0, 4.0, 3.0, 1.5)
KEY = "inference_s"
Values = Mapping[str, Sequence[float | None]]


def compared(values: Mapping[int, Values], *, is_common: bool = True, **options: Any) -> Comparison:
    runs = [run(1), run(2, "overlay", campaign="c1" if is_common else "c2")]
    observed = Observations({one.run_id: values[number] for number, one in enumerate(runs, 1)})
    return compare_selection(select(("monolithic", "overlay"), runs), observed, **options)


def test_a_drift_that_both_share_cancels_in_pairs_and_hides_the_difference_without_them() -> None:
    slower = [1.1 * drift * quiet for drift, quiet in zip(DRIFT, QUIET, strict=True)]
    paired = compared({1: {KEY: DRIFT}, 2: {KEY: slower}}).row(KEY).cell("overlay")
    assert (paired.method, paired.verdict) == ("paired", "worse")
    assert paired.ratio == pytest.approx(1.1, rel=0.01)
    apart = compared({1: {KEY: DRIFT}, 2: {KEY: slower}}, is_common=False).row(KEY).cell("overlay")
    assert (apart.method, apart.verdict) == ("unpaired", "not enough data")


def test_what_is_open_says_how_many_repetitions_would_decide() -> None:
    cell = compared({1: {KEY: QUIET}, 2: {KEY: (1.0, 1.1, 1.2, 1.05, 1.15)}}).row(KEY).cell("overlay")
    assert cell.verdict == "not enough data"
    assert cell.needs_repetitions in range(1, 10)
    few = compared({1: {KEY: QUIET[:2]}, 2: {KEY: QUIET[:2]}}).row(KEY).cell("overlay")
    assert (few.ratio_interval, few.verdict, few.needs_repetitions) == (None, "not enough data", 1)


def test_a_repetition_without_a_value_leaves_its_pair_out() -> None:
    cell = compared({1: {KEY: (*DRIFT[:4], None)}, 2: {KEY: DRIFT}}).row(KEY).cell("overlay")
    assert (cell.n, cell.ratio, cell.missing) == (5, pytest.approx(1.0), None)


def test_a_missing_metric_keeps_its_reason_and_has_no_number() -> None:
    row = compared({1: {KEY: QUIET, "power_w": [None] * 5}, 2: {KEY: QUIET, "power_w": QUIET}}).row("power_w")
    base, cell = row.cells
    assert (base.estimate, base.missing, base.verdict) == (None, "no_platform", None)
    assert (cell.estimate, cell.ratio, cell.verdict) == (pytest.approx(1.0), None, "not enough data")
    other = compared({1: {KEY: QUIET, "swap_s": QUIET}, 2: {KEY: QUIET}}).row("swap_s").cell("overlay")
    assert (other.missing, other.verdict) == ("not_in_record", "not enough data")


def test_equal_things_are_within_noise_and_the_baseline_has_no_word() -> None:
    row = compared({1: {KEY: QUIET}, 2: {KEY: QUIET}}).row(KEY)
    assert row.cells[0].verdict is None
    assert row.cells[1].verdict == "within noise"
    assert [cell.multiple_of_best for cell in row.cells] == [1.0, 1.0]


def test_the_control_widens_what_counts_as_noise() -> None:
    restless = (1.0, 1.2, 0.9, 1.1, 1.3)
    faster = [0.94 * value for value in QUIET]
    runs = [run(1, arm="A"), run(2, arm="A'"), run(3, "overlay")]
    for control, word in ((QUIET, "better"), (restless, "within noise")):
        observed = Observations(
            {runs[0].run_id: {KEY: QUIET}, runs[1].run_id: {KEY: control}, runs[2].run_id: {KEY: faster}}
        )
        row = compare_selection(select(("monolithic", "overlay"), runs), observed).row(KEY)
        assert row.noise_floor is not None
        assert row.noise_floor.stack == "monolithic"
        assert row.cell("overlay").verdict == word
    assert row.noise_threshold == row.noise_floor.reach


def test_a_noise_floor_that_only_the_manifest_tells_counts() -> None:
    ratios = {KEY: {"median_ratio": 1.01, "interval": [0.93, 1.02], "confidence": 0.95, "n": 5}}
    floor = {"stack": "monolithic", "arms": ["A", "A'"], "ratios": ratios}
    runs = [run(1, noise_floor=floor), run(2, "overlay", noise_floor=floor)]
    faster = [0.95 * value for value in QUIET]
    observed = Observations({runs[0].run_id: {KEY: QUIET}, runs[1].run_id: {KEY: faster}})
    row = compare_selection(select(("monolithic", "overlay"), runs), observed).row(KEY)
    assert row.noise_threshold == pytest.approx(1 / 0.93 - 1)
    assert row.cell("overlay").verdict == "within noise"


def test_visits_are_paired_by_their_block_whatever_their_order() -> None:
    runs = [visit(2 * block, "monolithic", block) for block in range(5)]
    runs += [visit(2 * block + 1, "overlay", block) for block in range(5)]
    values = {
        one.run_id: {KEY: [DRIFT[number % 5] * (1.0 if number < 5 else 1.1 * QUIET[number % 5])]}
        for number, one in enumerate(runs)
    }
    shuffled = sorted(runs, key=lambda one: one.created_at)
    cell = compare_selection(select(("monolithic", "overlay"), shuffled), Observations(values)).row(KEY).cell("overlay")
    assert (cell.method, cell.n, cell.verdict) == ("paired", 5, "worse")


def test_sizes_of_images_are_decided_by_one_repetition() -> None:
    key = "image_bytes_wire"
    cell = compared({1: {key: [100.0]}, 2: {key: [150.0]}}).row(key).cell("overlay")
    assert (cell.method, cell.verdict, cell.ratio) == ("exact", "worse", 1.5)


def test_a_metric_that_is_neither_good_nor_bad_has_no_word() -> None:
    key = "deployment_overhead_ratio"
    cell = compared({1: {key: QUIET}, 2: {key: DRIFT}}).row(key).cell("overlay")
    assert cell.verdict is None
    assert cell.ratio is not None


def test_many_comparisons_ask_for_stronger_proof() -> None:
    slower = [1.02, 1.15, 1.06, 1.105, 1.083]
    alone = compared({1: {KEY: QUIET}, 2: {KEY: slower}}).row(KEY).cell("overlay")
    keys = ("install_s", "ready_s", "jitter_s", "cpu_cores", "memory_bytes", "frames_hz", "power_w", "swap_s")
    noise = dict.fromkeys(keys, (1.0, 1.1, 0.9, 1.2, 0.8))
    other = dict.fromkeys(keys, (1.1, 0.9, 1.0, 0.8, 1.2))
    among = compared({1: {KEY: QUIET} | noise, 2: {KEY: slower} | other}).row(KEY).cell("overlay")
    assert alone.p_value == among.p_value
    assert alone.p_adjusted is not None
    assert among.p_adjusted == pytest.approx(9 * alone.p_adjusted)
    assert (alone.verdict, among.verdict) == ("worse", "not enough data")


def test_what_is_shown_does_not_change_a_word() -> None:
    chance = np.random.default_rng(2)
    keys = (KEY, "install_s", "ready_s", "pod_phase_s{phase=ready}", "io_read_bytes_per_s")
    values = {number: {key: list(chance.lognormal(number / 20, 0.03, 6)) for key in keys} for number in (1, 2)}
    every, some = compared(values), compared(values, keys=["ready_s"])
    assert {row.key for row in some.rows} == {KEY, "install_s", "ready_s"}
    assert all(row == every.row(row.key) for row in some.rows)


def test_a_practical_threshold_may_be_chosen() -> None:
    slower = [1.06 * value for value in QUIET]
    for chosen, word in (({}, "worse"), ({"": 0.1}, "within noise"), ({KEY: 0.1, "": 0.0}, "within noise")):
        row = compared({1: {KEY: QUIET}, 2: {KEY: slower}}, noise_thresholds=chosen).row(KEY)
        assert row.cell("overlay").verdict == word


def test_the_same_comparison_gives_the_same_json() -> None:
    chance = np.random.default_rng(3)
    values = {number: {KEY: list(chance.lognormal(0, 0.1, 12))} for number in (1, 2)}
    texts = {json.dumps(compared(values).as_record(), allow_nan=False) for _ in range(2)}
    assert len(texts) == 1


def test_equal_contenders_are_seldom_told_apart() -> None:
    """A reduced form of benchmarks/verdict_errors.py: of 20 comparisons 5 % would be 5 in 1 of 400 cases."""
    for size, contenders, is_paired in ((3, 3, True), (5, 2, True), (10, 2, False)):
        found = verdict_errors.false_alarms(size, contenders, is_paired=is_paired, trials=20, seed=1)
        assert found.count < 5, found


def test_a_shift_of_five_percent_is_found_at_the_stated_number_of_repetitions() -> None:
    found = verdict_errors.detections("lognormal", 8, 0.01, is_paired=True, trials=20, seed=1)
    assert found.count >= 18, found
    small = verdict_errors.detections("lognormal", 3, 0.03, is_paired=True, trials=20, seed=1)
    assert small.count < 5, small
