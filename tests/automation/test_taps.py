"""Taps on ice breakers and menu items: answered once, in time, and never where a person stands against it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.automation import buttons, facts, settings
from host.automation.buttons import PERSON_PAYLOAD, AnswerError, TapCount
from host.automation.deciding import (
    Answer,
    ConversationFacts,
    Sent,
    Settings,
    TapDecision,
    answer_tap,
    decide,
)
from host.channels.button_payloads import digest
from host.core import clock, db
from host.inbox.conversation_actions import set_fields
from host.inbox.teams import teams
from host.models.automation import AccountAutomation, ButtonAnswer
from host.models.inbox import Contact, ConversationStatus, Handler, Message, Origin
from host.sdk.messages import MessageKind
from tests.automation.automated import Automated, shut
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import open_desk

SHIPS = Answer(text='Yes, {{contact.first_name || "there"}}, within the EU.')
QUESTION = "Do you ship abroad?"


@pytest.fixture
def rich(database: db.Database, data: Path) -> Automated:
    """A desk whose channel has quick replies and link buttons."""
    return Automated(open_desk(data, toys.RICH))


def keep(desk: Automated, answers: dict[str, Answer], name: str = "ice_breakers") -> None:
    do(buttons.keep, desk.desk.workspace, desk.desk.account.id, name, list(answers), answers)


def tap(desk: Automated, payload: str = QUESTION, contact: str = "ana", **values: Any) -> None:
    content = {"payload": payload}
    desk.said(contact, text=payload, kind=MessageKind.POSTBACK, content=content, **values)


def counts(desk: Automated, name: str = "ice_breakers") -> dict[str, TapCount]:
    with db.read() as session:
        since = clock.now() - timedelta(days=28)
        return buttons.counted(session, desk.desk.account.id, name, since)


def sent(desk: Automated) -> list[Message]:
    with db.read() as session:
        query = sa.select(Message).where(Message.origin == Origin.SYSTEM).order_by(Message.id)
        return list(session.scalars(query))


# ---- deciding ------------------------------------------------------------------------------------------

NOW = clock.now()
TALK = ConversationFacts(now=NOW, wrote_at=NOW, sent=Sent.TAP)


@pytest.mark.parametrize(
    ("answer", "given", "decision"),
    [
        (Answer("Yes."), {}, TapDecision("tap", says=True)),
        (Answer("Yes.", hands_over=True, team_id=7), {}, TapDecision("tap", says=True, team_id=7)),
        (Answer(hands_over=True, team_id=7), {}, TapDecision("tap", team_id=7)),
        (Answer("Yes.", hands_over=True), {}, TapDecision("no_team", says=True)),
        (Answer(hands_over=True), {}, TapDecision("no_team")),
        (Answer(), {}, TapDecision("no_answer")),
        (None, {}, TapDecision("button_gone")),
        (Answer("Yes."), {"is_persons": True}, TapDecision("person")),
        (Answer("Yes."), {"person_at": NOW - timedelta(hours=1)}, TapDecision("person")),
        (Answer("Yes."), {"person_at": NOW - timedelta(hours=3)}, TapDecision("tap", says=True)),
        (Answer("Yes."), {"wrote_at": NOW - timedelta(hours=2)}, TapDecision("late")),
        (Answer("Yes."), {"hindrance": "automation"}, TapDecision("tap", says=True)),
        (Answer("Yes."), {"hindrance": "window_closed"}, TapDecision("window_closed")),
        # A customer who wants no automatic message still gets to the team.
        (
            Answer("Yes.", hands_over=True, team_id=7),
            {"hindrance": "opted_out"},
            TapDecision("opted_out", team_id=7),
        ),
        (Answer("Yes.", hands_over=True, team_id=7), {"hindrance": "spam"}, TapDecision("spam")),
        (Answer("Yes.", hands_over=True, team_id=7), {"is_persons": True}, TapDecision("person")),
        (Answer("Yes."), {"unanswered": 5}, TapDecision("budget")),
    ],
)
def test_what_a_tap_does(answer: Answer | None, given: dict[str, Any], decision: TapDecision) -> None:
    values = {name: getattr(TALK, name) for name in TALK.__struct_fields__} | given
    assert answer_tap(answer, ConversationFacts(**values)) == decision


def test_an_answer_needs_no_away_message_unless_a_team_has_to_come(automated: Automated) -> None:
    its = automated.settings
    values = {name: getattr(its, name) for name in its.__struct_fields__}
    away = type(its)(**{**values, "tells_away": True, "away": "Away."})
    shut_talk = {name: getattr(TALK, name) for name in TALK.__struct_fields__} | {"is_open": False}
    assert decide(away, ConversationFacts(**shut_talk)).says == "away"
    told = decide(away, ConversationFacts(**{**shut_talk, "is_answered": True}))
    assert (told.says, told.reason) == ("", "tap_answered")


# ---- answering -----------------------------------------------------------------------------------------


def test_a_tap_is_answered_once_however_often_it_is_read(any_desk: Automated) -> None:
    desk = any_desk
    keep(desk, {QUESTION: SHIPS, "Open?": Answer()})
    tap(desk, external_id="tap-1")
    tap(desk, external_id="tap-1")  # delivered twice
    desk.run()
    desk.read(again=True)
    desk.run()
    assert desk.automatic() == ["Yes, Ana, within the EU."]
    assert desk.runs() == [("tap", "done", "answer", "tap")]
    talk = desk.talk()
    assert talk.waiting_since is None, "the answer answers"
    assert talk.handled_by == Handler.NOBODY, "an assistant or a rule may answer what they write next"
    tap(desk, "Open?")
    desk.run()
    assert len(desk.automatic()) == 1
    assert desk.talk().waiting_since is not None
    assert desk.runs()[1:] == [("tap", "skipped", None, "no_answer")]
    assert counts(desk) == {digest(QUESTION): TapCount(1, 1), digest("Open?"): TapCount(1, 0)}


def test_somebody_who_wrote_before_they_tapped_still_waits(automated: Automated) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS, "Open?": Answer("From 9 to 18.")})
    desk.said(text="The mug arrived broken.")
    tap(desk, "Open?")
    desk.run()
    talk = desk.talk()
    assert desk.automatic() == ["From 9 to 18."]
    assert talk.waiting_since is not None
    assert talk.unread_count == 2
    # Who only taps doesn't, even if they tap again before the first answer.
    tap(desk, "Open?", "bo")
    tap(desk, QUESTION, "bo")
    desk.run()
    assert len(desk.automatic("bo")) == 2
    assert desk.talk("bo").waiting_since is None


def test_answers_are_replaced_kept_and_forgotten(any_desk: Automated) -> None:
    desk = any_desk
    team = desk.team(desk.person("Lea K."))
    account = desk.desk.account.id
    full = Answer("Look.", ("Prices", "Größen"), hands_over=True, team_id=team)
    keep(desk, {QUESTION: SHIPS, "Set?": full})
    keep(desk, {"Set?": Answer("From the menu.")}, "menu")
    with db.read() as session:
        kept = buttons.of_list(session, account, "ice_breakers")
    assert kept == {digest(QUESTION): SHIPS, digest("Set?"): full}
    assert desk.settings.has_buttons
    # What a program sets by the API keeps the answers of the questions it keeps.
    do(buttons.keep, desk.desk.workspace, account, "ice_breakers", ["Set?", "New?"])
    with db.read() as session:
        assert buttons.of_list(session, account, "ice_breakers") == {
            digest("Set?"): full,
            digest("New?"): Answer(),
        }
        assert buttons.of_list(session, account, "menu") == {digest("Set?"): Answer("From the menu.")}
    do(teams.delete, desk.desk.workspace, team)
    with db.read() as session:
        gone = buttons.of_list(session, account, "ice_breakers")[digest("Set?")]
    assert (gone.text, gone.hands_over, gone.team_id) == ("Look.", True, None)
    keep(desk, {})
    keep(desk, {}, "menu")
    assert not desk.settings.has_buttons
    with db.read() as session:
        assert session.scalars(sa.select(ButtonAnswer)).all() == []


def test_an_account_with_buttons_keeps_its_other_settings(rich: Automated) -> None:
    """Its row begins with what an account without one has, and saving the same changes nothing."""
    desk, account, workspace = rich, rich.desk.account.id, rich.desk.workspace
    keep(desk, {QUESTION: SHIPS})
    assert desk.settings == Settings(account, workspace, has_buttons=True)
    same = Settings(account, workspace)
    do(settings.save, workspace, same, limit=None)
    assert desk.settings == Settings(account, workspace, has_buttons=True), "no version of its own"


def test_answers_go_with_their_account(any_desk: Automated) -> None:
    desk = any_desk
    keep(desk, {QUESTION: SHIPS})

    def use_case(session: Any) -> None:
        session.execute(sa.text("DELETE FROM workspaces WHERE id = :id"), {"id": desk.desk.workspace})

    db.write(use_case)
    with db.read() as session:
        assert session.scalars(sa.select(ButtonAnswer)).all() == []
        assert session.scalars(sa.select(AccountAutomation)).all() == []


def test_a_question_that_was_changed_meanwhile_waits_for_the_team(automated: Automated) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS})
    tap(desk)
    desk.read()
    keep(desk, {"Do you ship to Norway?": Answer("Yes, for 18 €.")})
    desk.run()
    tap(desk)  # an old chat still shows the old question
    desk.run()
    assert desk.automatic() == []
    assert desk.runs() == [("tap", "skipped", None, "button_gone")]
    assert desk.talk().waiting_since is not None


def test_the_answer_is_the_one_of_when_it_is_sent(automated: Automated) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS})
    tap(desk)
    desk.read()
    keep(desk, {QUESTION: Answer("Not any more.")})
    desk.run()
    assert desk.automatic() == ["Not any more."]


def test_counts_begin_anew_with_another_question(automated: Automated) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS})
    tap(desk)
    desk.run()
    keep(desk, {})
    keep(desk, {"Other?": SHIPS})
    assert counts(desk) == {}


@pytest.mark.parametrize("stop", ["person", "handled", "opted_out", "closed", "spam", "window"])
def test_nothing_is_sent_where_somebody_or_something_stands_against_it(
    automated: Automated, stop: str
) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS})
    desk.said(text="Hello")
    if stop == "handled":
        desk.scene.reply("ana", "I am on it", clock.now())
    tap(desk)
    desk.read()
    later = timedelta()
    if stop == "person":
        desk.scene.reply("ana", "I am on it", clock.now())
    elif stop == "opted_out":
        _opt_out()
    elif stop in {"closed", "spam"}:
        changes: Any = {"status": ConversationStatus.CLOSED} if stop == "closed" else {"spam": True}
        do(set_fields, desk.desk.workspace, desk.scene.conversation("ana"), changes, actor=desk.desk.mia.id)
    elif stop == "window":
        later = timedelta(hours=25)
    with clock.travel(later):
        desk.run()
    assert desk.automatic() == []
    assert desk.runs()[-1][1] == "skipped"


def _opt_out() -> None:
    def use_case(session: Any) -> None:
        session.scalars(sa.select(Contact)).one().opted_out_at = clock.now()

    db.write(use_case)


def test_a_greeting_goes_out_first_and_no_away_message(automated: Automated) -> None:
    desk = automated
    keep(desk, {QUESTION: SHIPS})
    desk.set(greets=True, greeting="Hello.", tells_away=True, away="We are away.")
    tap(desk)
    desk.run()
    assert desk.automatic() == ["Hello.", "Yes, Ana, within the EU."]
    with shut(clock.now() + timedelta(hours=9)):
        tap(desk, contact="bo")
        desk.run()
        assert "We are away." not in desk.automatic("bo")
        assert "Yes, Bo, within the EU." in desk.automatic("bo")
        desk.said("bo", text="And to Norway?")
        desk.run()
    assert desk.automatic("bo")[-1] == "We are away."


def test_an_account_without_buttons_costs_nothing_more(automated: Automated) -> None:
    tap(automated, "ELSEWHERE")
    automated.run()
    assert automated.runs() == []


# ---- handing over --------------------------------------------------------------------------------------


def test_a_team_gets_the_conversation_and_the_customer_waits(any_desk: Automated) -> None:
    desk = any_desk
    lea = desk.person("Lea K.")
    shop = desk.team(desk.person("Per N."))
    wholesale = desk.team(lea, name="Wholesale")
    desk.set(routes=True, team_id=shop)
    keep(desk, {"Can I order a set?": Answer("How many?", hands_over=True, team_id=wholesale)})
    tap(desk, "Can I order a set?")
    desk.run()
    talk = desk.talk()
    assert desk.automatic() == ["How many?"]
    assert (talk.team_id, talk.assignee_id) == (wholesale, lea)
    assert talk.waiting_since is not None
    assert [line[1] for line in desk.lines() if line[2] == "tapped"] == ["Wholesale"]
    with db.read() as session:
        # Its id is that of the account, which routed nothing.
        assert facts.counted(session, desk.desk.account.id, clock.now() - timedelta(days=7)) == {}


def test_of_a_deleted_team_the_customer_still_gets_the_text(automated: Automated) -> None:
    desk = automated
    team = desk.team(desk.person("Lea K."))
    keep(desk, {QUESTION: Answer("How many?", hands_over=True, team_id=team)})
    do(teams.delete, desk.desk.workspace, team)
    tap(desk)
    desk.run()
    assert desk.automatic() == ["How many?"]
    assert desk.runs() == [("tap", "done", "answer", "no_team")]
    assert desk.talk().waiting_since is not None, "somebody has to come"


# ---- what is sent --------------------------------------------------------------------------------------


def test_quick_replies_end_with_talk_to_a_person(rich: Automated) -> None:
    keep(rich, {QUESTION: Answer("Yes.", ("Prices", "Other country"))})
    tap(rich)
    rich.run()
    (message,) = sent(rich)
    assert message.content["quick_replies"] == [
        {"title": "Prices", "payload": "Prices"},
        {"title": "Other country", "payload": "Other country"},
        {"title": "Talk to a person", "payload": PERSON_PAYLOAD},
    ]


def test_a_link_is_a_button(rich: Automated) -> None:
    keep(rich, {QUESTION: Answer("See the prices.", link_title="Prices", link="https://example.com/p")})
    tap(rich)
    rich.run()
    (message,) = sent(rich)
    assert message.kind == MessageKind.TEMPLATE
    assert message.content["template"] == {
        "text": "See the prices.",
        "buttons": [
            {"title": "Prices", "url": "https://example.com/p"},
            {"title": "Talk to a person", "payload": PERSON_PAYLOAD},
        ],
    }


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (Answer("Hello {{contact.first_name}}"), "text"),
        (Answer("x" * 1001), "text"),
        (Answer("", ("Prices",)), "quick_replies"),
        (Answer("Yes.", ("x" * 21,)), "quick_replies"),
        (Answer("Yes.", ("a", "a")), "quick_replies"),
        (Answer("Yes.", tuple(f"n{number}" for number in range(13))), "quick_replies"),
        (Answer("Yes.", link="https://example.com"), "link_title"),
        (Answer("Yes.", link_title="Shop", link="http://example.com"), "link"),
        (Answer("Yes.", ("Prices",), link_title="Shop", link="https://example.com"), "link"),
        (Answer("", link_title="Shop", link="https://example.com"), "link"),
        (Answer("x" * 61, link_title="Shop", link="https://example.com"), "text"),
        (Answer("Yes.", hands_over=True, team_id=4711), "team_id"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_refused(rich: Automated, answer: Answer, field: str) -> None:
    with db.read() as session, pytest.raises(AnswerError) as refused:
        buttons.checked(session, rich.desk.workspace, answer, toys.RICH.capabilities)
    assert refused.value.field == field
