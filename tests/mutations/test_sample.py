"""A sample of the mutants, the same each time, is killed by the fast tests."""

from __future__ import annotations

import pytest

from tests.mutations import run

SAMPLE = 8
"""As many as three minutes allow beside other tests, with the run that writes down what each test enters."""
WHAT_TO_DO = (
    "No test fails when the code is changed so. Write one, or say in docs/testing.md why none is wanted:"
)


@pytest.mark.slow
def test_the_tests_notice_a_sample_of_mutations() -> None:
    chosen = run.sample(SAMPLE)
    assert len(chosen) == SAMPLE
    survived = [one for one in run.tried(chosen, places=run.NEAR) if not one.killed_by]
    if survived:
        survived = [one for one in run.tried([one.mutant for one in survived]) if not one.killed_by]
    if survived:
        pytest.fail("\n".join([WHAT_TO_DO, *(f"{one.line}\n    {one.again}" for one in survived)]))
