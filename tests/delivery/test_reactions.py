"""The team's reactions: asked for once or often, told in the end, shown as what they are meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.core.errors import LobbyError
from host.delivery.message_acts import send_due
from host.inbox.reacting import react
from host.models.channels import AccountState
from host.models.inbox import Message, Reaction
from host.queue import policy
from host.queue.outbox import resume_account
from host.sdk.channel import (
    Capabilities,
    Held,
    NotSent,
    ReactRequest,
    Rejected,
    SendLimit,
    SendResult,
    Sent,
    Unknown,
)
from tests import helpers
from tests.delivery.desk import PROBLEM, Desk, ToyAdapter
from tests.helpers import do

Travel = Callable[[timedelta], None]
HEART, THUMB = "\u2764\ufe0f", "👍"


class Provider:
    """What the toy's provider answers, and what it was told."""

    def __init__(self) -> None:
        self.script: list[SendResult | Exception | None] = []
        self.told: list[ReactRequest] = []
        self.meanwhile: Callable[[], None] | None = None

    def react(self, request: ReactRequest) -> Any:
        self.told.append(request)
        if self.meanwhile is not None:
            self.meanwhile()
        step = self.script.pop(0) if self.script else Sent(request.message)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    found = Provider()
    monkeypatch.setattr(ToyAdapter, "react", found.react)
    monkeypatch.setattr(ToyAdapter, "capabilities", Capabilities(reactions=frozenset()))
    return found


def asked(desk: Desk, talk: int, emoji: str, message_id: int | None = None) -> Reaction | None:
    with db.read() as session:
        first = session.scalars(sa.select(Message.id).where(Message.conversation_id == talk)).first()
    return do(
        react,
        desk.workspace_id,
        message_id or first or 0,
        emoji,
        directory=desk.generation.directory,
        conversation_id=talk,
    )


def row() -> Reaction:
    with db.read() as session:
        return session.scalars(sa.select(Reaction)).one()


def state() -> tuple[str, str | None, bool]:
    found = row()
    return found.emoji, found.state, found.removed_at is not None


def send(desk: Desk) -> int:
    return send_due(desk.generation.directory)


def test_a_reaction_is_shown_at_once_and_told_by_a_worker(any_desk: Desk, provider: Provider) -> None:
    talk = any_desk.customer_wrote()
    asked(any_desk, talk, HEART)
    assert state() == (HEART, "queued", False)
    assert send(any_desk) == 1
    assert state() == (HEART, "sent", False)
    (request,) = provider.told
    with db.read() as session:
        message = session.scalars(sa.select(Message)).one()
        topics = [event.topic for event in helpers.shown()]
    assert (request.recipient, request.message, request.emoji) == ("anna", message.external_id, HEART)
    assert topics.count("changed") == 2
    assert send(any_desk) == 0


@pytest.mark.usefixtures("provider")
def test_who_reacts_is_told_what_is_there_now(desk: Desk) -> None:
    talk = desk.customer_wrote()
    assert asked(desk, talk, "") is None
    made, again = asked(desk, talk, HEART), asked(desk, talk, HEART)
    assert made is not None
    assert again is not None
    assert (made.id, again.id, made.emoji, made.state) == (row().id, row().id, HEART, "queued")


@pytest.mark.usefixtures("counting")
def test_a_reaction_waits_for_the_limits_of_its_account(
    desk: Desk, provider: Provider, travel: Travel
) -> None:
    desk.toy.pace = lambda request: [SendLimit("account", 1, 60, "Slowly.", whole_account=True)]
    talk = desk.customer_wrote()
    desk.reply("one", talk)
    desk.drain()
    asked(desk, talk, HEART)
    send(desk)
    assert (provider.told, state()) == ([], (HEART, "queued", False))
    travel(timedelta(seconds=62))
    send(desk)
    assert (len(provider.told), state()) == (1, (HEART, "sent", False))


def test_asking_for_what_is_so_changes_nothing(desk: Desk, provider: Provider) -> None:
    talk = desk.customer_wrote()
    assert asked(desk, talk, "") is None
    for _ in range(3):
        asked(desk, talk, HEART)
    send(desk)
    asked(desk, talk, HEART)
    assert send(desk) == 0
    assert len(provider.told) == 1


def test_it_is_changed_and_taken_away(any_desk: Desk, provider: Provider, travel: Travel) -> None:
    talk = any_desk.customer_wrote()
    for emoji in (HEART, THUMB, ""):
        travel(timedelta(seconds=1))
        asked(any_desk, talk, emoji)
        send(any_desk)
    assert [request.emoji for request in provider.told] == [HEART, THUMB, ""]
    assert state() == (THUMB, "sent", True)
    travel(timedelta(seconds=1))
    asked(any_desk, talk, "")
    assert send(any_desk) == 0


def test_one_chosen_while_another_is_told_wins(desk: Desk, provider: Provider, travel: Travel) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, HEART)

    def change() -> None:
        provider.meanwhile = None
        travel(timedelta(seconds=1))
        asked(desk, talk, THUMB)

    provider.meanwhile = change
    send(desk)
    assert state() == (THUMB, "queued", False)
    send(desk)
    assert state() == (THUMB, "sent", False)
    assert [request.emoji for request in provider.told] == [HEART, THUMB]


def test_a_refusal_is_shown_with_its_sentence_and_can_be_tried_again(
    desk: Desk, provider: Provider, travel: Travel
) -> None:
    talk = desk.customer_wrote()
    provider.script = [Rejected(PROBLEM)]
    asked(desk, talk, HEART)
    send(desk)
    assert state() == (HEART, "failed", False)
    error = row().error
    assert error is not None
    assert error["sentence"] == "The toy is broken."
    travel(timedelta(seconds=1))
    asked(desk, talk, HEART)
    send(desk)
    assert state() == (HEART, "sent", False)
    assert row().error is None


def test_what_could_not_be_taken_away_is_still_there(desk: Desk, provider: Provider, travel: Travel) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, HEART)
    send(desk)
    travel(timedelta(seconds=1))
    provider.script = [Rejected(PROBLEM)]
    asked(desk, talk, "")
    send(desk)
    assert state() == (HEART, "failed", False)


def test_what_is_unclear_is_repeated_and_given_up_in_the_end(
    desk: Desk, provider: Provider, travel: Travel
) -> None:
    talk = desk.customer_wrote()
    provider.script = [Unknown(PROBLEM), RuntimeError("x"), None]
    asked(desk, talk, HEART)
    for _ in range(4):
        send(desk)
        travel(timedelta(minutes=3))
    assert state() == (HEART, "sent", False)
    assert [request.attempt for request in provider.told] == [1, 2, 3, 4]
    provider.script = [Unknown(PROBLEM)] * 20
    asked(desk, talk, THUMB)
    for _ in range(10):
        send(desk)
        travel(timedelta(minutes=30))
    assert state() == (THUMB, "failed", False)
    assert len(provider.told) == 4 + policy.REACTION_TRIES


def test_a_limit_is_waited_for_and_holds_for_the_account(
    any_desk: Desk, provider: Provider, travel: Travel
) -> None:
    talk, other = any_desk.customer_wrote(), any_desk.customer_wrote("bert")
    provider.script = [NotSent(PROBLEM, retry_after=60, whole_account=True)]
    asked(any_desk, talk, HEART)
    send(any_desk)
    asked(any_desk, other, HEART)
    send(any_desk)
    assert len(provider.told) == 1
    travel(timedelta(seconds=61))
    send(any_desk)
    assert len(provider.told) == 3


def test_dead_credentials_hold_it_until_a_reconnect(desk: Desk, provider: Provider, travel: Travel) -> None:
    talk = desk.customer_wrote()
    provider.script = [Held(PROBLEM)]
    asked(desk, talk, HEART)
    send(desk)
    assert desk.account_row().state == AccountState.NEEDS_RECONNECT
    travel(timedelta(hours=1, seconds=1))
    send(desk)
    assert len(provider.told) == 1
    desk.set_account(state=AccountState.CONNECTED)
    db.write(resume_account, desk.account.id)
    send(desk)
    assert state() == (HEART, "sent", False)


def test_a_disconnected_account_fails_it(desk: Desk, provider: Provider) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, HEART)
    desk.set_account(state=AccountState.DISCONNECTED)
    send(desk)
    assert state() == (HEART, "failed", False)
    assert provider.told == []


def test_the_window_holds_when_it_is_asked_for_and_when_it_is_told(
    desk: Desk, provider: Provider, travel: Travel
) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, HEART)
    travel(timedelta(hours=25))
    send(desk)
    assert state() == (HEART, "failed", False)
    assert provider.told == []
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, HEART)
    assert caught.value.code == "window_closed"


def test_where_only_people_may_write_nobody_may_react(desk: Desk, provider: Provider, travel: Travel) -> None:
    desk.set_account(settings={"people": True})
    talk = desk.customer_wrote()
    travel(timedelta(hours=25))
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, HEART)
    assert caught.value.code == "window_closed"


def test_somebody_out_of_reach_closes_their_conversation_here_too(desk: Desk, provider: Provider) -> None:
    talk = desk.customer_wrote()
    provider.script = [Rejected(PROBLEM, whole_contact=True)]
    asked(desk, talk, HEART)
    send(desk)
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, THUMB)
    assert caught.value.code == "contact_unreachable"


def test_while_the_addon_is_away_it_waits(desk: Desk, provider: Provider, travel: Travel) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, HEART)
    adapters = desk.generation.directory.adapters
    kept = dict(adapters)
    adapters.clear()
    send(desk)
    assert state() == (HEART, "queued", False)
    adapters.update(kept)
    travel(timedelta(minutes=4))
    send(desk)
    assert state() == (HEART, "sent", False)


@pytest.mark.parametrize(
    "emoji", ["x", "ab", "👍👍", "❤️x", "<b>", "\0", "\ud800", "👍" * 40, "1", ":heart:", " "]
)
def test_only_one_emoji_is_a_reaction(desk: Desk, provider: Provider, emoji: str) -> None:
    talk = desk.customer_wrote()
    if emoji == " ":
        assert asked(desk, talk, emoji) is None
        return
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, emoji)
    assert caught.value.code == "emoji_not_allowed"


@pytest.mark.parametrize("emoji", [HEART, "\u2764", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪", "1️⃣", "☺️"])
def test_any_one_emoji_is(desk: Desk, provider: Provider, emoji: str) -> None:
    talk = desk.customer_wrote()
    asked(desk, talk, emoji)
    assert state() == (emoji, "queued", False)


def test_a_channel_may_take_some_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyAdapter, "capabilities", Capabilities(reactions=frozenset({HEART})))
    talk = desk.customer_wrote()
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, THUMB)
    assert caught.value.code == "emoji_not_allowed"
    asked(desk, talk, "\u2764")
    assert row().emoji == HEART, "as the channel writes it"


def test_a_channel_may_have_none(desk: Desk) -> None:
    talk = desk.customer_wrote()
    with pytest.raises(LobbyError) as caught:
        asked(desk, talk, HEART)
    assert caught.value.code == "reactions_not_supported"


def test_only_messages_the_provider_knows_can_be_reacted_to(desk: Desk, provider: Provider) -> None:
    talk, other = desk.customer_wrote(), desk.customer_wrote("bert")
    queued = desk.reply("hi", talk)
    with db.read() as session:
        theirs = session.scalars(sa.select(Message.id).where(Message.conversation_id == other)).one()
    for message_id, code in (
        (queued, "reaction_unknown"),
        (theirs, "message_not_found"),
        (10**9, "message_not_found"),
    ):
        with pytest.raises(LobbyError) as caught:
            asked(desk, talk, HEART, message_id)
        assert caught.value.code == code
