"""Closing many at once asks nobody before its undo is over, and says before whom it would ask."""

from __future__ import annotations

from datetime import timedelta

from host.channels.directory import Directory
from host.core import clock, db
from host.events.kinds.conversations import CONVERSATION_CLOSED, CONVERSATION_LABELLED
from host.inbox.bulk import actions
from host.inbox.bulk.actions import UNDO, BulkChange
from host.inbox.foreseen import counting
from host.inbox.queries import ConversationFilter
from host.sdk.events import Listener
from tests.helpers import acting
from tests.satisfaction.conftest import Survey

QUESTION = "How did we do?\n\nYou can also answer with a number: 1 is bad, 5 is very good."
LATER = UNDO + timedelta(minutes=1)


def close_all(survey: Survey) -> int:
    return actions.start(acting(survey.desk.workspace), BulkChange("close"), ConversationFilter()).id


def undo(survey: Survey, bulk_id: int) -> None:
    actions.undo(acting(survey.desk.workspace), bulk_id)


def ask(survey: Survey) -> None:
    survey.asking.ask_later()
    survey.send()


def outcomes(survey: Survey) -> list[str]:
    return [outcome for outcome, _score, _comment in survey.rows()]


def test_nobody_is_asked_before_the_time_of_the_undo_is_over(any_survey: Survey) -> None:
    survey = any_survey
    survey.said("ana")
    close_all(survey)
    survey.hear()
    ask(survey)
    assert (survey.automatic(), outcomes(survey)) == ([], ["waiting"])
    with clock.travel(LATER):
        ask(survey)
        ask(survey)
        assert (survey.automatic(), outcomes(survey)) == ([QUESTION], ["asked"])
        survey.tap(5)
        survey.hear()
        assert survey.rows() == [("asked", 5, None)]


def test_an_undo_leaves_nobody_to_be_asked(survey: Survey) -> None:
    survey.said("ana")
    bulk_id = close_all(survey)
    survey.hear()
    undo(survey, bulk_id)
    survey.hear()
    with clock.travel(LATER):
        ask(survey)
        assert (survey.automatic(), outcomes(survey)) == ([], ["reopened"])


def test_turning_it_off_meanwhile_asks_nobody(survey: Survey) -> None:
    survey.said("ana")
    close_all(survey)
    survey.hear()
    survey.fill_in(survey.desk.workspace, enabled=False)
    with clock.travel(LATER):
        ask(survey)
        assert (survey.automatic(), outcomes(survey)) == ([], ["off"])


def test_a_closing_by_hand_asks_at_once_even_after_an_undo(survey: Survey) -> None:
    survey.said("ana")
    undo(survey, close_all(survey))
    survey.close("ana")
    survey.hear()
    assert survey.automatic() == [QUESTION]


def foreseen_of(survey: Survey, kind: str, *contacts: str) -> dict[str, int]:
    asking = survey.asking
    listener = Listener("satisfaction.asking", asking.EVENTS, asking.handle, writes_to=asking.writes_to)
    directory = Directory(survey.desk.generation.directory.adapters, listeners=[listener])
    ids = [survey.talk(one).id for one in contacts]
    with db.read() as session:
        found = counting.messages_after(
            session, survey.desk.workspace, {kind}, ids, directory, clock.now(), len(ids)
        )
    return dict(found[kind].by) if kind in found else {}


def test_it_says_before_whom_it_would_ask(any_survey: Survey) -> None:
    survey = any_survey
    for contact in ("ana", "bo", "kit", "lou"):
        survey.said(contact)
    survey.talked("bo")  # asked, and closed
    survey.close("kit")
    everybody = ("ana", "bo", "kit", "lou")
    assert foreseen_of(survey, CONVERSATION_CLOSED, *everybody) == {"satisfaction": 2}
    assert foreseen_of(survey, CONVERSATION_LABELLED, *everybody) == {}
    survey.reopen("bo")
    assert foreseen_of(survey, CONVERSATION_CLOSED, *everybody) == {"satisfaction": 2}, "asked lately"
    survey.fill_in(survey.desk.workspace, enabled=False)
    assert foreseen_of(survey, CONVERSATION_CLOSED, *everybody) == {}
