"""Which address of its account a mail goes from: chosen by who writes it, never another than was shown."""

from __future__ import annotations

import email
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail.channel import EmailAdapter
from host.core import clock, db
from host.inbox.composition import sender_address
from host.inbox.drafts import Draft
from host.inbox.errors import AlreadySentError
from host.inbox.outreach.first_messages import start
from host.inbox.reply import Hold, queue_parts
from host.inbox.sendable import NotSendableError
from host.inbox.unsent import resending, scheduled
from host.models.inbox import DeliveryState, Message
from host.process.serving import HostApplication
from tests.email import test_conversation
from tests.email.conftest import Outside, connect
from tests.email.test_aliases import ELSEWHERE, OWN, along, deliver, shop, stored
from tests.email.test_imap import mail
from tests.helpers import Browser, client_for, do, make_config, make_user

__all__ = ["shop"]

MAIN, ART = "hello@shop.example", "art@studio.example"


def written(desk: test_conversation.Desk, to: str = OWN, number: int = 1) -> int:
    """Have a customer write to *to*; return their conversation."""
    deliver(desk, mail(number, To=to), to)
    return stored()[-1].conversation_id


def reply(
    desk: test_conversation.Desk, conversation: int, sender: str | None, key: str = "k" * 16, **more: Any
) -> list[Message]:
    content = {} if sender is None else {"own_address": sender}
    given: dict[str, Any] = {
        "drafts": [Draft(text="Yes, eight.", content=content)],
        "reply_key": key,
        "adapter": EmailAdapter(),
        "actor": desk.agent,
    }
    made: list[Message] = do(queue_parts, desk.account.workspace_id, conversation, **(given | more))
    return made


def senders(desk: test_conversation.Desk) -> list[str]:
    return [str(email.message_from_bytes(raw)["From"]) for _, _, raw in desk.outside.mails]


def lose(desk: test_conversation.Desk, *, keep: str = "") -> None:
    connect(desk.outside, desk.account.workspace_id, aliases=keep)


@pytest.fixture
def pages(shop: test_conversation.Desk, data: Path) -> Iterator[Browser]:
    """The pages as somebody who answers there gets them, without scripts."""
    person = make_user("anna@example.com", "Anna", workspace=shop.account.workspace_id)
    application = HostApplication(make_config(data, allow_hosts=f"mail.shop.example:{shop.outside.port}"))
    lose(shop, keep=f"{OWN}\n{ELSEWHERE}")  # sealed with the key of this application
    try:
        yield client_for(application.refresh().app, person)
    finally:
        application.close()


def here(desk: test_conversation.Desk, conversation: int) -> str:
    return f"/w/{desk.account.workspace_id}/inbox/{conversation}"


# ---- choosing it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [MAIN, OWN, ELSEWHERE])
def test_a_mail_goes_from_the_address_that_was_chosen(shop: test_conversation.Desk, chosen: str) -> None:
    conversation = written(shop)
    found = along(shop, conversation)
    assert (found.senders, found.sender) == ((MAIN, ELSEWHERE, OWN), OWN)
    (made,) = reply(shop, conversation, chosen.upper())
    assert made.content["own_address"] == chosen
    shop.work()
    assert senders(shop) == [f"Shop <{chosen}>"]
    assert shop.outside.mails[0][0] == MAIN, "the envelope stays the account's"
    assert along(shop, conversation).sender == OWN, "the customer's mail decides about the next"


def test_without_further_addresses_there_is_no_choice(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    lose(shop)
    assert along(shop, conversation).senders == ()
    (made,) = reply(shop, conversation, None)
    assert "own_address" not in made.content
    (made,) = reply(shop, conversation, MAIN, "l" * 16)
    shop.work()
    assert senders(shop) == [f"Shop <{MAIN}>"] * 2


@pytest.mark.parametrize(
    "sender",
    ["boss@shop.example", "mia1@example.org", "support", f"{OWN}, {ELSEWHERE}", "a" * 300 + "@shop.example"],
)
def test_an_address_that_is_not_the_accounts_sends_nothing(shop: test_conversation.Desk, sender: str) -> None:
    conversation = written(shop)
    with pytest.raises(NotSendableError) as refused:
        reply(shop, conversation, sender)
    assert (refused.value.code, refused.value.status) == ("sender_not_own", 422)
    assert sender[:100] in str(refused.value.sentence)
    assert len(str(refused.value.sentence)) < 200
    assert len(stored()) == 1


def test_a_further_address_of_another_account_is_not_this_ones(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    other = "art@studio.example"
    connect(shop.outside, shop.account.workspace_id, address=other, aliases="art2@studio.example")
    for sender in (other, "art2@studio.example"):
        with pytest.raises(NotSendableError, match="not an address of this account"):
            reply(shop, conversation, sender)


def test_a_key_names_one_mail_from_one_address(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    (made,) = reply(shop, conversation, ELSEWHERE)
    (again,) = reply(shop, conversation, ELSEWHERE)
    assert again.id == made.id
    with pytest.raises(AlreadySentError):
        reply(shop, conversation, MAIN)
    lose(shop)
    (again,) = reply(shop, conversation, ELSEWHERE)
    assert again.id == made.id, "a repetition says what became of it, whatever was changed since"


def test_a_first_mail_goes_from_it_and_its_conversation_is_led_from_there(
    shop: test_conversation.Desk,
) -> None:
    written(shop, MAIN)
    with db.read() as session:
        contact = session.execute(sa.text("SELECT contact_id FROM conversations")).scalar_one()

    def begin(sender: str, key: str) -> int:
        started = do(
            start,
            shop.account.workspace_id,
            shop.account.id,
            [Draft(text="The kiln is free.", content={"own_address": sender})],
            contact_id=contact,
            reply_key=key,
            directory=test_conversation.Generation.directory,
            actor=shop.agent,
        )
        return started.conversation_id

    there = begin(ELSEWHERE, "f" * 16)
    shop.work()
    assert senders(shop) == [f"Shop <{ELSEWHERE}>"]
    assert along(shop, there).sender == ELSEWHERE
    with pytest.raises(NotSendableError, match="not an address of this account"):
        begin("boss@shop.example", "g" * 16)


def test_an_adapter_that_cannot_tell_its_addresses_leaves_the_accounts_own(
    shop: test_conversation.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = written(shop)

    def broken(*_given: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(EmailAdapter, "own_addresses", broken)
    assert along(shop, conversation).senders == ()
    (made,) = reply(shop, conversation, None)
    assert sender_address.named(made.content) == ""


# ---- an address that is lost meanwhile -----------------------------------------------------------------


@pytest.fixture
def any_shop(any_desk: db.Database, data: Path, outside: Outside) -> Iterator[test_conversation.Desk]:
    yield from test_conversation.desk_at(data, outside, aliases=f"{OWN}\n{ELSEWHERE}")


def test_what_was_to_go_from_a_lost_address_fails_and_goes_from_another_when_told_so(
    any_shop: test_conversation.Desk,
) -> None:
    shop = any_shop
    conversation = written(shop)
    (made,) = reply(shop, conversation, None)
    assert made.content["own_address"] == OWN, "what its bubble promises"
    lose(shop, keep=ELSEWHERE)
    shop.work()
    failed = stored()[1]
    assert (failed.state, failed.error["code"]) == (DeliveryState.FAILED, "sender")
    assert "was removed from the account" in failed.error["sentence"]
    assert failed.error["raw"] == OWN
    assert failed.content["own_address"] == OWN
    assert shop.outside.mails == []
    shop.retry(failed.id)
    assert stored()[1].state == DeliveryState.FAILED, "sent again without a word it changes nothing"

    def again(sender: str) -> None:
        db.write(resending.retry, failed.id, sender, EmailAdapter())
        shop.work()

    with pytest.raises(NotSendableError):
        again(OWN)
    assert stored()[1].state == DeliveryState.FAILED
    again(ELSEWHERE)
    sent = stored()[1]
    assert (sent.state, sent.content["own_address"]) == (DeliveryState.SENT, ELSEWHERE)
    assert senders(shop) == [f"Shop <{ELSEWHERE}>"]


def test_an_address_that_came_back_sends_what_failed(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    reply(shop, conversation, None)
    lose(shop)
    shop.work()
    lose(shop, keep=OWN)
    shop.retry(stored()[1].id)
    assert senders(shop) == [f"Shop <{OWN}>"]


def test_an_address_that_another_account_has_now_is_not_sent_from(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    reply(shop, conversation, None)
    lose(shop)
    connect(shop.outside, shop.account.workspace_id, address="art@studio.example", aliases=OWN)
    shop.work()
    assert stored()[1].state == DeliveryState.FAILED
    assert shop.outside.mails == []


def test_a_reply_for_later_fails_at_its_time_where_its_address_was_lost(
    shop: test_conversation.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = written(shop)
    at = clock.now() + timedelta(hours=1)
    reply(shop, conversation, OWN, hold=Hold(at))
    lose(shop)
    monkeypatch.setattr(clock, "now", lambda: at + timedelta(minutes=1))
    scheduled.release_due()
    shop.work()
    failed = stored()[1]
    assert (failed.state, failed.error["code"]) == (DeliveryState.FAILED, "sender")
    assert shop.outside.mails == []
    db.write(resending.retry, failed.id, MAIN, EmailAdapter())
    shop.work()
    assert senders(shop) == [f"Shop <{MAIN}>"]


def test_a_sender_that_another_process_took_away_this_moment_is_not_sent_from(
    shop: test_conversation.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process remembers of the addresses may be a moment old; what it sends by is not."""
    conversation = written(shop)
    lose(shop)
    monkeypatch.setattr(EmailAdapter, "own_addresses", lambda *_given: (OWN,))
    reply(shop, conversation, OWN)
    shop.work()
    assert stored()[1].error["code"] == "sender"


def test_what_waits_behind_it_goes_from_there_too(shop: test_conversation.Desk) -> None:
    conversation = written(shop)
    drafts = [Draft(text=text, content={"own_address": OWN}) for text in ("One", "Two")]
    reply(shop, conversation, None, drafts=drafts)
    lose(shop, keep=ELSEWHERE)
    shop.work()
    first, second = stored()[1:]
    assert (first.state, second.state) == (DeliveryState.FAILED, DeliveryState.QUEUED)
    db.write(resending.retry, first.id, ELSEWHERE, EmailAdapter())
    shop.work()
    assert senders(shop) == [f"Shop <{ELSEWHERE}>"] * 2


# ---- pages ---------------------------------------------------------------------------------------------


def chosen_in(html: str) -> list[tuple[str, bool]]:
    """Return the addresses that the composer of a page offers, each with whether it is the one chosen."""
    field = html.split('name="own_address"', 1)[1].split("</select>", 1)[0]
    options = [one.split(">", 1)[0] for one in field.split("<option ")[1:]]
    return [(unescape(one.split('"')[1]), " selected" in one) for one in options]


def test_the_form_chooses_it_without_scripts(shop: test_conversation.Desk, pages: Browser) -> None:
    conversation = written(shop)
    page = pages.get(here(shop, conversation)).get_data(as_text=True)
    assert chosen_in(page) == [(MAIN, False), (ELSEWHERE, False), (OWN, True)]
    form = {"text": "Yes, eight.", "reply_key": "k" * 16, "own_address": ELSEWHERE}
    assert pages.post_form(f"{here(shop, conversation)}/reply", **form).status_code == 303
    page = pages.get(here(shop, conversation)).get_data(as_text=True)
    assert f'<span class="copies" translate="no">from {ELSEWHERE}</span>' in page
    shop.work()
    assert senders(shop) == [f"Shop <{ELSEWHERE}>"]


def test_a_form_whose_address_was_lost_while_it_was_open_is_shown_again_whole(
    shop: test_conversation.Desk, pages: Browser
) -> None:
    conversation = written(shop)
    pages.get(here(shop, conversation))
    lose(shop, keep=ELSEWHERE)
    form = {"text": "Yes, eight.", "reply_key": "k" * 16, "own_address": OWN, "cc": "ada@example.org"}
    answer = pages.post_form(f"{here(shop, conversation)}/reply", **form)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert f"“{OWN}” is not an address of this account. Nothing was sent." in unescape(page)
    assert "Yes, eight.</textarea>" in page
    assert 'name="cc" value="ada@example.org"' in page
    assert chosen_in(page) == [(MAIN, False), (ELSEWHERE, False)]
    form |= {"own_address": ELSEWHERE, "text": ""}
    answer = pages.post_form(f"{here(shop, conversation)}/reply", **form)
    assert chosen_in(answer.get_data(as_text=True)) == [(MAIN, False), (ELSEWHERE, True)], (
        "what was chosen stays"
    )


def test_a_failed_mail_offers_the_addresses_there_are(shop: test_conversation.Desk, pages: Browser) -> None:
    conversation = written(shop)
    reply(shop, conversation, OWN)
    lose(shop, keep=ELSEWHERE)
    shop.work()
    failed = stored()[1]
    page = pages.get(here(shop, conversation)).get_data(as_text=True)
    assert "The sender address was removed from the account." in page
    assert f'<span class="copies" translate="no">from {OWN}</span>' in page
    assert chosen_in(page) == [(MAIN, False), (ELSEWHERE, False)]
    path = f"{here(shop, conversation)}/messages/{failed.id}/retry"
    assert pages.post_form(path, own_address="boss@shop.example").status_code == 303
    assert "is not an address of this account" in unescape(
        pages.get(here(shop, conversation)).get_data(as_text=True)
    )
    assert pages.post_form(path, own_address=ELSEWHERE).status_code == 303
    shop.work()
    assert senders(shop) == [f"Shop <{ELSEWHERE}>"]
    assert pages.post_form(path, own_address=MAIN).status_code == 303, "it has moved on"
    assert stored()[1].content["own_address"] == ELSEWHERE


def test_a_first_mail_offers_those_of_each_account(shop: test_conversation.Desk, pages: Browser) -> None:
    conversation = written(shop)
    with db.read() as session:
        contact = session.execute(sa.text("SELECT contact_id FROM conversations")).scalar_one()
    path = f"/w/{shop.account.workspace_id}/contacts/{contact}/write"
    page = pages.get(path).get_data(as_text=True)
    assert chosen_in(page) == [(MAIN, False), (ELSEWHERE, False), (OWN, False)]
    other = connect(
        shop.outside,
        shop.account.workspace_id,
        address="art@studio.example",
        name="Art",
        aliases="a@b.example",
    )
    page = pages.get(path).get_data(as_text=True)
    assert [one for one, _ in chosen_in(page)] == [
        "",
        MAIN,
        ELSEWHERE,
        OWN,
        "art@studio.example",
        "a@b.example",
    ]
    assert f'<optgroup label="Art" data-of="{other.id}">' in page
    form = {"text": "The kiln", "reply_key": "k" * 16, "place": f"{other.id}:mia1@example.org"}
    answer = pages.post_form(path, **form, own_address=OWN)
    assert (answer.status_code, "is not an address of this account" in answer.get_data(as_text=True)) == (
        422,
        True,
    )
    assert pages.post_form(path, **form, own_address="a@b.example").status_code == 303
    shop.work()
    assert senders(shop) == ["Art <a@b.example>"]
    assert len({one.conversation_id for one in stored()} - {conversation}) == 1
