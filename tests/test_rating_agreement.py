"""Agreement beyond chance: the papers' own examples, bounds, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.rating import agreement

FLEISS = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
"""200 diagnoses (Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72, table 1)."""


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        # Fleiss, Cohen & Everitt 1969: .429.
        (FLEISS, 0.4286),
        # Feinstein & Cicchetti 1990: both agree on 85 %, κ is .70 and .32.
        ([[40, 9], [6, 45]], 0.70),
        ([[80, 10], [5, 5]], 0.32),
        # Fleiss 1981, Statistical Methods for Rates and Proportions, table 13.1.
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.676),
        ([[5, 0], [0, 5]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
        ([[4, 4], [4, 4]], 0.0),
    ],
)
def test_kappa_is_that_of_the_literature(table: list[list[int]], kappa: float) -> None:
    assert float(agreement.kappa(np.array(table))) == pytest.approx(kappa, abs=0.005)


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[7, 0], [0, 0]]])
def test_kappa_is_not_defined_without_units_or_choice(table: list[list[int]]) -> None:
    assert np.isnan(agreement.kappa(np.array(table)))


def test_kappa_is_that_of_a_peer() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.integers(0, 5, size=(2, 60))
        b = np.where(rng.random(60) < 0.4, a, b)
        ours = agreement.kappa(agreement.confusion(a, b, 5))
        assert float(ours) == pytest.approx(metrics.cohen_kappa_score(a, b), abs=1e-12)


def test_many_tables_at_once_are_one_after_the_other() -> None:
    stack = np.stack([FLEISS, FLEISS.T, np.eye(3) * 4])
    each = [float(agreement.kappa(table)) for table in stack]
    assert agreement.kappa(stack) == pytest.approx(each)


def test_missing_answers_are_left_out() -> None:
    a = np.array([0, 1, 1, -1, 0])
    b = np.array([0, 1, 0, 1, -1])
    table = agreement.confusion(a, b, 2)
    assert table.tolist() == [[1, 0], [1, 1]]
    assert float(agreement.agreed(table)) == pytest.approx(2 / 3)


def test_agreement_on_each_answer() -> None:
    # Cicchetti & Feinstein 1990 on [[80, 10], [5, 5]]: positive .91, negative .40.
    share = agreement.per_answer(np.array([[80, 10, 0], [5, 5, 0], [0, 0, 0]]))
    assert share[:2] == pytest.approx([0.914, 0.4], abs=0.001)
    assert np.isnan(share[2])


def delta_method_se(table: np.ndarray) -> float:
    """Large-sample standard error of κ (Fleiss, Cohen & Everitt 1969, formula 13)."""
    n = table.sum()
    p = table / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    po, pe = np.trace(p), float(rows @ columns)
    total = sum(p[i, i] * ((1 - pe) - (columns[i] + rows[i]) * (1 - po)) ** 2 for i in range(3))
    total += (1 - po) ** 2 * sum(
        p[i, j] * (columns[i] + rows[j]) ** 2 for i in range(3) for j in range(3) if i != j
    )
    total -= (po * pe - 2 * pe + po) ** 2
    return float(np.sqrt(total / n) / (1 - pe) ** 2)


def test_the_interval_over_units_is_as_wide_as_the_large_sample_one() -> None:
    low, high = agreement.interval([FLEISS.astype(float)], np.random.default_rng(0))
    se = delta_method_se(FLEISS)
    assert (high - low) / (2 * 1.96) == pytest.approx(se, rel=0.08)
    assert (low + high) / 2 == pytest.approx(0.4286, abs=0.01)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = np.array([[0.3, 0.05, 0.05], [0.05, 0.25, 0.05], [0.05, 0.05, 0.15]])
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        table = rng.multinomial(80, truth.ravel()).reshape(3, 3).astype(float)
        low, high = agreement.interval([table], rng)
        covered += low <= float(agreement.kappa(truth)) <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_sessions_that_differ_make_the_interval_wider_than_their_units_do() -> None:
    good, bad = np.array([[10.0, 0], [0, 10]]), np.array([[5.0, 5], [5, 5]])
    sessions = [good, bad] * 3
    low, high = agreement.interval(sessions, np.random.default_rng(0))
    as_one = agreement.interval([np.sum(sessions, axis=0)], np.random.default_rng(0))
    assert high - low > 1.5 * (as_one[1] - as_one[0])


def test_too_little_for_an_interval_has_none() -> None:
    whole = np.diag([20.0, 20.0])  # they never disagreed: no resample can
    one = np.array([[1.0, 0], [0, 0]])
    for table in (np.zeros((2, 2)), one, 30 * one, whole):
        assert np.isnan(agreement.interval([table], np.random.default_rng(0))).all()


def krippendorff(*rows: str) -> np.ndarray:
    """One row per observer, one sign per unit; a dot is missing."""
    return np.array([[-1 if c == "." else int(c) - 1 for c in row] for row in rows])


@pytest.mark.parametrize(
    ("answers", "alpha"),
    [
        # Krippendorff 2011, examples A (binary), B (nominal) and C (four observers, missing data).
        (krippendorff("1211111121", "2221121111"), 0.095),
        (krippendorff("112243335441", "212223335444"), 0.692),
        (krippendorff("123321412...", "1233224125.3", ".3332342251.", "12332441251."), 0.743),
    ],
)
def test_alpha_is_that_of_the_paper(answers: np.ndarray, alpha: float) -> None:
    assert agreement.alpha(answers, 5) == pytest.approx(alpha, abs=0.0015)


def test_alpha_is_one_with_full_agreement_and_missing_without_choice() -> None:
    assert agreement.alpha(krippendorff("1213", "12.3", ".213"), 3) == 1.0
    assert np.isnan(agreement.alpha(krippendorff("111", "111"), 3))
    assert np.isnan(agreement.alpha(krippendorff("12..", "..12"), 3))
