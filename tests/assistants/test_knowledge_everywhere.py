"""What assistants know and learn is the same on each kind of database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from host.assistants.knowledge import cases, entries, extraction, learning, refreshing, retrieval
from host.assistants.knowledge.cases import CaseInput
from host.assistants.knowledge.extraction import ExtractedText
from host.assistants.models import EntryKind, EntryState
from host.core import clock, db
from tests import helpers
from tests.assistants import making
from tests.assistants.test_learning import SINCE, YARD, answered, said
from tests.helpers import do
from tests.inbox import toys


@pytest.mark.slow
def test_it_is_the_same_on_each_database(any_database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = helpers.make_workspace("Sample Pottery")
    account, mia = toys.make_account(workspace), toys.make_user(workspace)
    assistant = making.assistant(workspace)
    shipping = making.entry(
        workspace, assistant, "Versand 🏺", "Nach Österreich: 14 €\fNach Norwegen: 24 €", "Norway?"
    )
    page = making.entry(workspace, assistant, "a.example", kind=EntryKind.PAGE, origin="https://a.example/")
    monkeypatch.setattr(
        extraction, "fetch", lambda _url: ExtractedText("Hours", "Open on Saturday from 10 to 14.")
    )
    assert refreshing.read_due()
    assert not refreshing.read_due()
    row = making.kept(page)
    assert (row.state, row.text) == (EntryState.READY, "Open on Saturday from 10 to 14.")

    turns = []
    for number in range(3):
        message = said(account, "Is there parking at the studio?", f"c{number}")
        source = {"number": 1, "title": "Versand", "entry": shipping}
        turns.append(making.turn(assistant, message, sources=[source]))
        answered(message, YARD.format("you"), mia)
    now = clock.now()
    with db.read() as session:
        (first,) = retrieval.matching(session, assistant, "norwegen")
        assert (first.entry_id, first.place, first.text) == (shipping, "p. 2", "Nach Norwegen: 24 €")
        assert [one.entry for one in retrieval.topics(session, assistant, "open on saturday?")] == [page]
        assert retrieval.used(session, assistant, now - timedelta(days=30)) == {shipping: 3}
        assert entries.counts(session, workspace, assistant, now).entries == 2
        assert [one.id for one in entries.listing(session, workspace, assistant)] == [page, shipping]
        (gap,) = learning.gaps(session, assistant, SINCE, None)
        assert (gap.count, gap.answers, gap.by) == (3, 3, ("Mia R.",))
        (draft,) = learning.past_answers(
            session, workspace, [account.id], since=SINCE, assistant_id=assistant
        )
        assert (draft.times, draft.by) == (3, ("Mia R.",))
    do(cases.from_turn, workspace, assistant, turns[0], now=now)
    do(cases.add, workspace, assistant, CaseInput("Norway?", says=["24"]), now=now)
    tried = cases.try_all(workspace, assistant, 1, lambda _question: ("It is 24 €", False))
    assert sorted(one.passed is True for one in tried) == [False, True]
    conversation = toys.thread()[0].conversation_id
    assert db.write(lambda session: cases.forget(session, [conversation])) == 1
    assert do(entries.delete, workspace, assistant, shipping)
    with db.read() as session:
        assert retrieval.matching(session, assistant, "norwegen") == []
