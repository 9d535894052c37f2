"""A sample of the mutants, the same each time, is killed by the fast tests."""

from __future__ import annotations

import os

import pytest

from tests.mutations import run

SAMPLE = 30


@pytest.mark.slow
@pytest.mark.skipif("MUTATIONS" not in os.environ, reason="set MUTATIONS=1 to have it tried")
def test_the_tests_notice_a_sample_of_mutations() -> None:
    known = run.accepted()
    fates = list(run.tried(run.mutants()[:SAMPLE]))
    assert len(fates) == SAMPLE
    survived = [one.line for one in fates if not one.killed_by and one.mutant.key not in known]
    assert not survived, "write a test, or say in docs/testing.md why not:\n" + "\n".join(survived)
    assert sum(bool(one.killed_by) for one in fates) > SAMPLE / 2, (
        "nearly nothing is killed: nothing is tried"
    )
