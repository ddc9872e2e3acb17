"""What is asked, in the words of the column table, and what the tool says to it."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense import schema
from cuesense.rating import questions
from cuesense.rating.questions import RESPONDS, STANCE

M, R, D, CANNOT = range(4)
YES, NO, UNKNOWN = range(3)


def test_the_answers_are_the_tools_words_and_one_more() -> None:
    assert STANCE.answers == (*schema.MODES, "cannot tell")
    assert RESPONDS.answers == ("yes", "no", "cannot tell")
    assert (STANCE.decided, RESPONDS.decided) == (3, 2)


def test_a_stance_is_the_likeliest_where_it_is_likely_enough() -> None:
    p = np.array([[0.8, 0.15, 0.05], [0.05, 0.05, 0.9], [0.79, 0.11, 0.1], [np.nan] * 3])
    assert questions.stances(p, 0.8).tolist() == [M, D, CANNOT, CANNOT]
    assert questions.stances(p, 0.85).tolist() == [CANNOT, D, CANNOT, CANNOT]


def test_a_response_is_claimed_from_its_bound_on() -> None:
    contingency = np.array([0.8, 0.8 - 1e-9, 0.0, np.nan])
    assert questions.responses(contingency, 0.8).tolist() == [YES, NO, NO, UNKNOWN]
    assert questions.responses(contingency, 0.7).tolist() == [YES, YES, NO, UNKNOWN]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([M, M, M, R, R], M),
        ([M, M, R, R], CANNOT),
        ([CANNOT, CANNOT, CANNOT, R, R], CANNOT),
        ([CANNOT, CANNOT, R, R, R], R),
        ([], CANNOT),
    ],
)
def test_a_bout_has_its_most_frequent_answer(said: list[int], answer: int) -> None:
    everything = np.array([D, *said, D], np.intp)
    found = questions.most_frequent(everything, [slice(1, 1 + len(said))], STANCE)
    assert found.tolist() == [answer]
