"""Drawn orders of customers, people, an assistant and kills. See :mod:`tests.assistants.proof`."""

from __future__ import annotations

import os

import pytest

from host.core import db
from tests.assistants import proof
from tests.assistants.assisting import Assisted

OPERATIONS = int(os.environ.get("ASSISTANT_OPERATIONS", "10000"))
SEED = int(os.environ.get("ASSISTANT_SEED", "1"))


def test_a_few_orders(assisted: Assisted) -> None:
    found = proof.run(assisted, 600, SEED)
    assert found.counts["-> sent"] > 10
    assert found.wrong == []


@pytest.mark.slow
def test_many_orders(assisted: Assisted) -> None:
    found = proof.run(assisted, OPERATIONS, SEED)
    print(found.counts)
    assert found.counts["-> sent"] > OPERATIONS / 100
    assert found.wrong == []


@pytest.mark.slow
def test_many_at_once(any_assisted: Assisted) -> None:
    threads = 1 if db.current().is_sqlite else 6
    found = proof.run(any_assisted, OPERATIONS // 3, SEED, threads)
    print(found.counts)
    assert found.wrong == []
