"""Greetings and away messages: once, in time, and never where a person or a wish stands against it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa

from host.automation import running, texts
from host.core import clock, db
from host.core.errors import InvalidError
from host.delivery.worker import drain
from host.events import reading
from host.events.reading import BEGINNING
from host.inbox.contacts import consent
from host.inbox.conversation_actions import set_fields
from host.models.automation import AutomationRun
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import (
    Contact,
    Conversation,
    ConversationStatus,
    DeliveryState,
    Handler,
    Message,
    Origin,
)
from host.models.users import Workspace
from host.sdk.messages import MessageKind
from tests.automation.automated import AWAY, GREETING, Automated, shut
from tests.helpers import do
from tests.inbox import toys

NOW, HOUR, DAY = timedelta(), timedelta(hours=1), timedelta(days=1)


def test_somebody_new_is_greeted_once(any_desk: Automated) -> None:
    desk = any_desk
    desk.set(greets=True, greeting=GREETING)
    for text in ("Hello", "Is it in stock?", "The blue one"):
        desk.said(text=text)
    desk.run()
    desk.said(text="Anybody?")
    desk.run()
    desk.read(again=True)
    desk.run()
    assert desk.automatic() == ["Hello Ana, we answer soon."]
    assert [run[:3] for run in desk.runs()] == [("words", "done", "greeting")]


def test_a_greeting_is_no_answer(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting=GREETING)
    desk.said(text="Is it in stock?")
    before = desk.talk()
    desk.run()
    after = desk.talk()
    assert desk.automatic()
    for name in ("waiting_since", "unread_count", "read_count", "last_preview", "last_direction"):
        assert getattr(after, name) == getattr(before, name), name
    # Whoever answers is not told that somebody else did.
    with db.read() as session:
        seen = session.scalar(sa.select(sa.func.min(Message.id)))
    assert seen is not None
    desk.scene.reply("ana", "It is.", clock.now())
    assert desk.talk().waiting_since is None


def test_somebody_silent_for_long_is_greeted_again(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting=GREETING, silence_days=30)
    desk.said()
    desk.run()
    for later, greeted in ((29 * DAY, 1), (2 * DAY, 1), (31 * DAY, 2), (HOUR, 2)):
        with clock.travel(later):
            desk.said()
            desk.run()
            assert len(desk.automatic()) == greeted
            # What follows goes on from here.
            desk.scene.now = clock.now()
        _shift(later)


def _shift(by: timedelta) -> None:
    """Let everything that is in the desk have been so much earlier."""

    def use_case(session: Any) -> None:
        for row in session.scalars(sa.select(Message)):
            row.sent_at -= by
            row.created_at -= by
        for talk in session.scalars(sa.select(Conversation)):
            talk.last_message_at -= by
            talk.last_inbound_at -= by
        for run in session.scalars(sa.select(AutomationRun)):
            run.done_at -= by

    db.write(use_case)


@pytest.mark.parametrize(
    ("kind", "on", "greeted"),
    [
        (MessageKind.TEXT, None, True),
        (MessageKind.IMAGE, None, True),
        (MessageKind.STORY_REPLY, None, True),
        (MessageKind.POSTBACK, None, True),
        (MessageKind.STORY_MENTION, None, False),
        (MessageKind.REFERRAL, None, False),
        (MessageKind.OPT_IN, None, False),
        (MessageKind.FEEDBACK, None, False),
        (MessageKind.CALL, None, False),
        (MessageKind.STORY_MENTION, {"mention"}, True),
        (MessageKind.TEXT, {"tap"}, False),
    ],
)
def test_what_a_greeting_answers(
    automated: Automated, kind: MessageKind, on: set[str] | None, greeted: bool
) -> None:
    desk = automated
    chosen = {} if on is None else {"greets_on": frozenset(on)}
    desk.set(greets=True, greeting="Hello.", **chosen)
    desk.said(text="", kind=kind)
    desk.run()
    assert desk.automatic() == (["Hello."] if greeted else [])


def test_a_mention_does_not_use_the_greeting_up(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello.")
    desk.said(text="", kind=MessageKind.STORY_MENTION)
    desk.run()
    assert desk.automatic() == []
    desk.said(text="Did you see my story?")
    desk.run()
    assert desk.automatic() == ["Hello."]


def test_who_is_away_says_so_once(any_desk: Automated) -> None:
    desk = any_desk
    desk.set(greets=True, greeting=GREETING, tells_away=True, away=AWAY)
    with shut(clock.now() + 5 * HOUR):
        for text in ("Hello", "Anybody?", "It is urgent"):
            desk.said(text=text)
            desk.run()
    (said,) = desk.automatic()
    assert said.startswith("We are away until to")
    with shut(clock.now() + 20 * HOUR):  # another absence
        desk.said()
        desk.run()
    assert len(desk.automatic()) == 2
    desk.said(text="Good morning")
    desk.run()
    assert len(desk.automatic()) == 2, "they have been here all along"


def test_nothing_is_said_in_the_middle_of_a_talk(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting=GREETING, tells_away=True, away=AWAY)
    desk.said("ana", at=clock.now() - 3 * HOUR)
    desk.scene.reply("ana", "One moment.", clock.now() - HOUR)
    desk.said("jon", at=clock.now() - 3 * HOUR)
    desk.scene.echo("jon", "From the app.", clock.now() - HOUR)
    desk.said("kit", at=clock.now() - 5 * HOUR)
    desk.scene.reply("kit", "Tomorrow.", clock.now() - 4 * HOUR)
    desk.read()
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Message)) == 6
    with shut(clock.now() + HOUR):
        for contact in ("ana", "jon", "kit"):
            desk.said(contact)
        desk.run()
    assert desk.automatic("ana") == desk.automatic("jon") == []
    assert len(desk.automatic("kit")) == 1


def _spam(desk: Automated) -> None:
    _set(desk, {"spam": True})


def _closed(desk: Automated) -> None:
    _set(desk, {"status": ConversationStatus.CLOSED})


def _set(desk: Automated, changes: Any) -> None:
    do(set_fields, desk.desk.workspace, desk.scene.conversation("ana"), changes, actor=desk.desk.mia.id)


def _opted_out(desk: Automated) -> None:
    do(consent.opt_out, desk.desk.workspace, desk.talk().contact_id, "")


def _change(model: Any, **values: Any) -> Callable[[Automated], None]:
    def change(_desk: Automated) -> None:
        now = {
            name: clock.now() - value if isinstance(value, timedelta) else value
            for name, value in values.items()
        }
        db.write(lambda session: session.execute(sa.update(model).values(**now)))

    return change


def _answered(desk: Automated) -> None:
    desk.scene.reply("ana", "Here I am.", clock.now())


def _off(desk: Automated) -> None:
    desk.set(greets=False)


AGAINST: dict[str, tuple[Callable[[Automated], None], str]] = {
    "spam": (_spam, "spam"),
    "closed": (_closed, "closed_by_team"),
    "opted out": (_opted_out, "opted_out"),
    "blocked": (_change(Contact, blocked_at=NOW), "opted_out"),
    "archived": (_change(Workspace, archived_at=NOW), "archived"),
    "disconnected": (_change(ChannelAccount, state=AccountState.DISCONNECTED), "account_stopped"),
    "needs a sign-in": (_change(ChannelAccount, state=AccountState.NEEDS_RECONNECT), "account_stopped"),
    "answered": (_answered, "person"),
    "a program answers": (_change(Conversation, handled_by=Handler.AUTOMATION), "automation"),
    "turned off": (_off, "off"),
    "taken back": (_change(Message, unsent_at=NOW), "taken_back"),
    "imported": (_change(Message, imported_at=NOW), "imported"),
    "for people only": (
        _change(Conversation, last_inbound_at=25 * HOUR),
        "people_only",
    ),
    "window closed": (
        _change(Conversation, last_inbound_at=8 * DAY),
        "window_closed",
    ),
    "late": (_change(Message, sent_at=2 * HOUR), "late"),
}


@pytest.mark.parametrize("name", AGAINST)
def test_what_stands_against_it_is_looked_at_when_it_goes_out(automated: Automated, name: str) -> None:
    desk, (happens, reason) = automated, AGAINST[name]
    desk.set(greets=True, greeting="Hello.")
    desk.said()
    desk.read()
    happens(desk)
    desk.run()
    assert desk.automatic() == []
    assert desk.runs() == [("words", "skipped", None, reason)]


def test_a_person_who_has_the_conversation_does_not_keep_the_away_message_back(automated: Automated) -> None:
    """It is theirs, and they are away as well; what waits to be sent is not taken back either."""
    desk = automated
    desk.set(tells_away=True, away="Nobody is here.")
    desk.said()
    toys.change_row(Conversation, desk.talk().id, handled_by=Handler.PERSON)
    with shut(clock.now() + HOUR):
        desk.run()
    assert desk.automatic() == ["Nobody is here."]
    drain(desk.desk.generation, direction="out")
    with db.read() as session:
        (state,) = session.scalars(sa.select(Message.state).where(Message.origin == Origin.SYSTEM))
        assert state not in {None, DeliveryState.CANCELLED}
        assert session.get_one(Conversation, desk.talk().id).handled_by == Handler.PERSON


def test_a_message_of_the_past_makes_nothing(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello.")
    desk.said(at=clock.now() - 2 * HOUR)
    desk.run()
    assert (desk.automatic(), desk.runs()) == ([], [])


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_worker_that_dies_says_nothing_twice(any_desk: Automated, dies: str) -> None:
    desk = any_desk
    desk.set(greets=True, greeting="Hello.")
    desk.said()
    desk.read()
    with db.read() as session:
        ((run, _since),) = running.due(session, clock.now())

    def killed(session: Any) -> None:
        if dies == "after":
            running.do(session, run, desk.desk.generation.directory, clock.now())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.write(killed)
    assert desk.automatic() == []
    for _again in range(3):
        db.write(running.do, run, desk.desk.generation.directory, clock.now())
        desk.read(again=True)
        desk.run()
    assert desk.automatic() == ["Hello."]


def test_a_run_that_fails_is_tried_again_and_then_given_up(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello.")
    desk.said()
    desk.read()
    with mock.patch.object(texts, "filled", side_effect=RuntimeError("broken")):
        for later in (0, 6, 40, 180):
            with clock.travel(timedelta(seconds=later)):
                desk.run()
        assert [run[1] for run in desk.runs()] == ["due"]
        with clock.travel(timedelta(seconds=800)):
            desk.run()
    assert desk.runs() == [("words", "failed", None, "error")]
    assert desk.automatic() == []


def test_the_desk_s_own_doing_begins_nothing(automated: Automated) -> None:
    desk = automated
    desk.set(greets=True, greeting="Hello.", tells_away=True, away="Away.")
    desk.said()
    desk.run()
    desk.run()
    assert len(desk.runs()) == 1
    with db.read() as session:
        (sent,) = session.scalars(sa.select(Message).where(Message.origin == Origin.SYSTEM))
        assert sent.author_id is None


BAD = {
    "Hello {{contact.first_name}}": "automation_text",
    "Hello {{agent.name}}": "variable",
    "Hello {{nobody}}": "variable",
    "Your number {{ask: order number}}": "automation_text",
    "   ": "automation_text",
    "x" * 1001: "automation_text",
}


@pytest.mark.parametrize("text", BAD)
def test_a_text_that_cannot_go_out_is_refused_when_it_is_saved(automated: Automated, text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        automated.set(greets=True, greeting=text)
    assert refused.value.code == BAD[text]
    assert str(refused.value.sentence)
    assert refused.value.field == "greeting"
    assert automated.settings.version == 0


def test_nobody_who_set_nothing_pays_more_than_one_look(automated: Automated) -> None:
    desk = automated
    for number in range(20):
        desk.said(f"c{number}")
    statements: list[str] = []
    engine = db.current().write_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    with db.read() as session:
        batch = reading.after(session, BEGINNING, 200)
    assert len(batch.events) == 40
    db.write(automated.consumer.consume, [])
    statements.clear()
    db.write(automated.consumer.consume, batch.events)
    assert len([one for one in statements if "account_automations" in one]) == 1
    assert len([one for one in statements if "rules" in one]) == 1
    assert len([one for one in statements if "assistant_accounts" in one]) == 1
    assert len([one for one in statements if "sequences" in one]) == 1
    assert len([one for one in statements if one.startswith(("SELECT", "INSERT", "UPDATE"))]) == 4
