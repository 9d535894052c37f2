"""Typing, seen and reactions from the page: what is told, when, and that a page never waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels import refusals, warnings
from host.core import clock, db
from host.core.backports.values import replace
from host.models.channels import AccountState, AccountWarning, ChannelAccount
from host.models.inbox import ContactIdentity, Conversation, Message, Reaction
from host.queue import signals
from host.sdk.errors import FetchError, ProviderError
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import RICH, apply, received

HEART = "\u2764\ufe0f"
JSON = {"Accept": "application/json"}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(
        type(RICH), "show_typing", lambda _self, _account, contact, on: found.append((contact, on))
    )
    monkeypatch.setattr(
        type(RICH), "mark_seen", lambda _self, _account, contact: found.append((contact, "seen"))
    )
    return found


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[Desk]:
    opened = open_desk(data, RICH)
    with clock.travel(toys.START - clock.now() + timedelta(minutes=1)):
        apply(opened.account, received("Is it in stock?", external_id="question"), adapter=RICH)
        signals.current().clear()
        yield opened
        signals.current().clear()


def post(desk: Desk, what: str, **fields: str) -> Any:
    path = desk.path(f"/{toys.only(Conversation).id}/{what}")
    return desk.browser.post(path, data={"csrf_token": desk.browser.csrf(), **fields}, headers=JSON)


def flush(desk: Desk) -> None:
    signals.current().flush(lambda: desk.generation)


def settings(desk: Desk, **values: Any) -> None:
    toys.change_row(ChannelAccount, desk.account.id, settings=values)


def test_typing_is_told_on_and_off(desk: Desk, told: list[Any]) -> None:
    assert post(desk, "typing", on="1").status_code == 204
    assert post(desk, "typing", on="1").status_code == 204
    assert told == [], "nobody waits for it"
    post(desk, "typing", on="0")
    flush(desk)
    assert told == [("ana", True), ("ana", False)]


@pytest.mark.parametrize("on", ["", "2", "yes", "1" * 5000])
def test_anything_else_means_off(desk: Desk, told: list[Any], on: str) -> None:
    assert post(desk, "typing", on=on).status_code == 204
    flush(desk)
    assert told == []


def test_typing_can_be_switched_off(desk: Desk, told: list[Any]) -> None:
    settings(desk, typing=False)
    post(desk, "typing", on="1")
    flush(desk)
    assert told == []


def test_seen_is_told_when_somebody_looks_if_the_account_is_set_to(desk: Desk, told: list[Any]) -> None:
    until = str(toys.only(Message).id)
    settings(desk, mark_seen=True)
    assert post(desk, "read", until=until).status_code == 200
    post(desk, "read", until=until)
    flush(desk)
    assert told == [("ana", "seen")], "once, not at every look"


def test_a_channel_can_ask_for_the_newest_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(
        type(RICH),
        "show_typing_after",
        lambda _self, _account, _contact, on, newest: asked.append((on, newest())),
    )
    monkeypatch.setattr(
        type(RICH), "mark_seen_until", lambda _self, _account, _contact, newest: asked.append(newest())
    )
    settings(desk, mark_seen=True)
    apply(desk.account, received("Or soon?", at=5, external_id="newer"), adapter=RICH)
    apply(desk.account, toys.echoed("Yes", at=6, external_id="ours"), adapter=RICH)
    apply(desk.account, toys.reacted("not-here", at=7), adapter=RICH)
    post(desk, "typing", on="1")
    post(desk, "read", until=str(max(one.id for one in toys.everything(Message))))
    flush(desk)
    assert asked == [(True, "newer"), "newer"]
    apply(desk.account, toys.unsent("newer", at=8), adapter=RICH)
    post(desk, "typing", on="0")
    flush(desk)
    assert asked[2:] == [(False, "question")]


@pytest.fixture
def warned() -> Iterator[None]:
    signals.current().on_end = refusals.SignalWarnings()
    yield
    signals.current().on_end = None


def test_a_signal_the_provider_refuses_names_the_account_until_it_is_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, warned: None
) -> None:
    answers: list[Exception | None] = [
        ProviderError("The access token was revoked."),
        FetchError("timed out"),
        None,
    ]

    def show_typing(_self: Any, _account: Any, _contact: str, _on: bool) -> None:
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(type(RICH), "show_typing", show_typing)

    def sent(on: str) -> list[AccountWarning]:
        post(desk, "typing", on=on)
        flush(desk)
        with db.read() as session:
            return list(session.scalars(sa.select(AccountWarning)))

    for on in ("1", "0"):  # an answer that is missing says nothing about the refusal before
        (warning,) = sent(on)
        assert warning.account_id == desk.account.id
        assert warning.details == {"words": "The access token was revoked"}
    with db.read() as session:
        assert warnings.in_need(session, desk.workspace) == (0, 1), "the settings' mark and card show it"
    assert sent("1") == []
    assert answers == []


def test_seen_is_not_told_by_itself(desk: Desk, told: list[Any]) -> None:
    post(desk, "read", until=str(toys.only(Message).id))
    flush(desk)
    assert told == []


@pytest.mark.parametrize("why", ["window", "disconnected", "reconnect", "unreachable"])
def test_where_nothing_can_be_sent_nothing_is_told(desk: Desk, told: list[Any], why: str) -> None:
    settings(desk, mark_seen=True)
    until = str(toys.only(Message).id)
    if why == "window":
        at = clock.now() - timedelta(hours=25)
        toys.change_row(Conversation, toys.only(Conversation).id, last_inbound_at=at)
    elif why == "disconnected":
        toys.change_row(ChannelAccount, desk.account.id, state=AccountState.DISCONNECTED)
    elif why == "reconnect":
        toys.change_row(ChannelAccount, desk.account.id, state=AccountState.NEEDS_RECONNECT)
    else:
        toys.change_row(ContactIdentity, toys.only(ContactIdentity).id, unreachable_since=clock.now())
    assert post(desk, "typing", on="1").status_code == 204
    assert post(desk, "read", until=until).status_code == 200
    flush(desk)
    assert told == []


def react(desk: Desk, emoji: str, message: int | None = None, **headers: str) -> Any:
    message = message or toys.everything(Message)[0].id
    path = desk.path(f"/{toys.only(Conversation).id}/messages/{message}/react")
    data = {"csrf_token": desk.browser.csrf(), "emoji": emoji}
    return desk.browser.post(path, data=data, headers=headers or JSON)


def test_a_reaction_from_the_page_is_somebodys(desk: Desk) -> None:
    assert react(desk, HEART).status_code == 200
    row = toys.only(Reaction)
    assert (row.emoji, row.state, row.author_id, row.actor) == (HEART, "queued", desk.mia.id, "team")
    assert react(desk, "").status_code == 200
    assert toys.only(Reaction).removed_at is not None


@pytest.mark.parametrize(
    ("emoji", "message", "status", "code"),
    [("x", None, 422, "emoji_not_allowed"), (HEART, 99_999, 404, "message_not_found")],
)
def test_a_bad_reaction_is_answered_with_its_sentence(
    desk: Desk, emoji: str, message: int | None, status: int, code: str
) -> None:
    answer = react(desk, emoji, message)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert toys.everything(Reaction) == []


def test_accounts_may_differ_in_the_reactions_they_have(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    thumb = "\U0001f44d"
    only_a_thumb = replace(RICH.capabilities, reactions=frozenset({thumb}))
    monkeypatch.setattr(type(RICH), "capabilities_of", lambda _self, _account: only_a_thumb)
    page = desk.browser.get(desk.path(f"/{toys.only(Conversation).id}")).text
    picker = page.partition("data-reactions")[2].partition("</form>")[0]
    assert (picker.count("<button"), f'value="{thumb}"' in picker) == (1, True)
    assert react(desk, HEART).json["error"]["code"] == "emoji_not_allowed"
    assert react(desk, thumb).status_code == 200


def test_without_scripts_the_sentence_is_on_the_page(desk: Desk) -> None:
    answer = react(desk, "x", Accept="text/html")
    assert answer.status_code == 303
    page = desk.browser.get(answer.headers["Location"])
    assert "does not support that reaction" in page.text


def test_without_scripts_a_form_of_the_page_puts_a_reaction_on_and_takes_it_away(desk: Desk) -> None:
    message = toys.only(Message).id
    here = desk.path(f"/{toys.only(Conversation).id}")
    link = f'href="{here}?react={message}#react"'
    assert link in desk.browser.get(here).text
    form = form_of(desk.browser.get(f"{here}?react={message}").text)
    assert f'action="{here}/messages/{message}/react"' in form
    assert f'value="{HEART}"' in form
    assert "Is it in stock?" in form
    assert react(desk, HEART, Accept="text/html").status_code == 303
    form = form_of(desk.browser.get(f"{here}?react={message}").text)
    assert f'value="{HEART}"' not in form
    assert 'value="" aria-pressed="true" title="Remove reaction"' in form


@pytest.mark.parametrize("which", ["99999", "ours", "unsent"])
def test_nobody_is_offered_a_reaction_to_what_cannot_have_one(desk: Desk, which: str) -> None:
    asked = toys.only(Message).id
    apply(desk.account, toys.echoed("Yes", at=5, external_id="ours"), adapter=RICH)
    number = {"ours": toys.thread()[-1].id, "unsent": asked}.get(which, 99_999)
    if which == "unsent":
        apply(desk.account, toys.unsent("question", at=6), adapter=RICH)
    assert form_of(desk.browser.get(desk.path(f"/{toys.only(Conversation).id}?react={number}")).text) == ""


def form_of(page: str) -> str:
    """Return the form in which a reaction is chosen without scripts, if the page has it."""
    return page.partition('id="react"')[2].partition("</form>")[0]
