"""Approved templates: fetched, filled in, and sent outside the reply window."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from host.channels import listed_pages
from host.core import clock, db, storage
from host.core.backports.values import replace
from host.core.errors import LobbyError, NotFoundError
from host.inbox import approved, approved_fetching, errors
from host.inbox.drafts import Draft
from host.inbox.reply import Hold, Voice, queue_parts
from host.inbox.sendable import NotSendableError
from host.media import uploads
from host.media.limits import FileRefusedError
from host.models.inbox import Contact, ContactIdentity, Conversation, Message
from host.sdk.approved import fill_in, placeholders
from host.sdk.channel import (
    AccountRef,
    ApprovalState,
    ApprovedTemplate,
    ChannelAdapter,
    ProviderProblem,
    ReplyPolicy,
    ReplyState,
)
from host.sdk.messages import MessageKind
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.approving import APPROVING, CATALOG, ORDER, PAUSED, REJECTED, SALE
from tests.inbox.toys import START, WINDOWED, apply, received
from tests.media import samples

KEY = "0123456789abcdef"
LATE = START + timedelta(days=30)
VALUES = {"first_name": "Zoe", "order": "B-9"}


@pytest.fixture(autouse=True)
def provider() -> Iterator[None]:
    yield
    APPROVING.reset()
    approved_fetching.forget_pages()


@pytest.fixture
def conversation(account: AccountRef) -> Conversation:
    apply(account, received("Is it in stock?"), adapter=APPROVING)
    found = toys.only(Conversation)
    assert isinstance(found, Conversation)
    return found


def send(conversation: Conversation, *drafts: Draft, **values: Any) -> list[Message]:
    values.setdefault("adapter", APPROVING)
    values.setdefault("now", LATE)
    values.setdefault("reply_key", KEY)
    return do(queue_parts, conversation.workspace_id, conversation.id, drafts, **values)


def test_placeholders_are_names_and_numbers() -> None:
    assert placeholders("{{1}} {{order_no}} {{1}} {{ x }} {{}}") == ["1", "order_no"]
    assert fill_in("{{1}}, {{2}}", {"1": "{{2}}"}) == "{{2}}, {{2}}"


def test_a_template_is_sent_after_the_window_with_everything_filled_in(conversation: Conversation) -> None:
    with pytest.raises(errors.WindowClosedError):
        send(conversation, Draft(text="Hello"))
    (message,) = send(conversation, approved.draft_of(ORDER, {**VALUES, "order": " B-9\n"}))
    assert message.kind == "approved_template"
    assert message.text == "Hello Zoe, your order B-9 is on its way."
    assert message.state == "queued"
    assert message.content["approved_template"] == {
        "id": "order-en",
        "name": "order_shipped",
        "language": "en",
        "category": "Utility",
        "header": {"kind": "text", "text": "Order B-9"},
        "footer": "Reply STOP to opt out.",
        "buttons": [
            {"title": "Track it", "url": "https://toy.example/track/B-9", "phone": ""},
            {"title": "Thanks", "url": "", "phone": ""},
        ],
        "parameters": VALUES,
    }
    assert toys.only(Conversation).last_preview == "Hello Zoe, your order B-9 is on its way."
    stored = toys.thread()[-1]
    assert stored.content == message.content
    assert [one.id for one in send(conversation, approved.draft_of(ORDER, VALUES))] == [message.id]


def test_a_text_beside_a_template_needs_the_window(conversation: Conversation) -> None:
    drafts = approved.draft_of(ORDER, VALUES), Draft(text="And hello")
    with pytest.raises(errors.WindowClosedError):
        send(conversation, *drafts)
    assert len(send(conversation, *drafts, now=START + timedelta(minutes=1))) == 2


def test_a_program_may_send_one_but_not_to_those_who_opted_out(conversation: Conversation) -> None:
    toys.change_row(Contact, conversation.contact_id, opted_out_at=START)
    with pytest.raises(errors.OptedOutError):
        send(conversation, approved.draft_of(SALE, {"1": "X"}), by_person=False, voice=Voice.AUTOMATION)
    assert send(conversation, approved.draft_of(SALE, {"1": "X"}), by_person=False)


def wants(account: AccountRef, state: str, at: float, **values: Any) -> None:
    """Have the customer stop or resume marketing messages."""
    told = {"opt_in": {"state": state, "marketing": True}}
    change = received("", at=at, kind=MessageKind.OPT_IN, content=told, opens_window=False, **values)
    apply(account, change, adapter=APPROVING)


def test_marketing_is_not_sent_to_those_who_stopped_it(
    conversation: Conversation, account: AccountRef
) -> None:
    wants(account, "stopped", 5)
    other = {"opt_in": {"title": "News", "state": "on"}}
    apply(account, received("", at=6, kind=MessageKind.OPT_IN, content=other), adapter=APPROVING)
    with pytest.raises(errors.OptedOutError, match="stopped marketing messages"):
        send(conversation, approved.draft_of(SALE, {"1": "X"}))
    assert send(conversation, approved.draft_of(ORDER, VALUES))
    wants(account, "resumed", 7)
    assert send(conversation, approved.draft_of(SALE, {"1": "X"}), reply_key="another-one")


def test_marketing_stopped_in_an_earlier_conversation_is_stopped(
    conversation: Conversation, account: AccountRef
) -> None:
    wants(account, "stopped", 5)
    same = ("workspace_id", "account_id", "contact_id", "identity_id", "channel", "status", "created_at")
    same += ("last_message_at", "last_inbound_at", "last_direction", "last_preview", "last_kind")
    later = Conversation(**{name: getattr(conversation, name) for name in same})

    def begin(session: Session) -> None:
        session.add(later)

    db.write(begin)
    with pytest.raises(errors.OptedOutError, match="stopped marketing messages"):
        send(later, approved.draft_of(SALE, {"1": "X"}))


def test_marketing_stopped_at_one_account_is_stopped_at_all_until_they_say_else_there(
    conversation: Conversation, account: AccountRef
) -> None:
    other = toys.make_account(conversation.workspace_id)
    apply(other, received("Me again"), adapter=APPROVING)
    there = toys.everything(Conversation)[1]
    wants(other, "stopped", 5)
    offer = approved.draft_of(SALE, {"1": "X"})
    assert send(conversation, offer), "as long as nobody knows that they are one person"
    for model, id_ in ((Conversation, there.id), (ContactIdentity, there.identity_id)):
        toys.change_row(model, id_, contact_id=conversation.contact_id)
    for number, one in enumerate((conversation, there)):
        with pytest.raises(errors.OptedOutError, match="stopped marketing messages"):
            send(one, offer, reply_key=f"both-of-{number}")
    wants(account, "resumed", 6)
    assert send(conversation, offer, reply_key="here-again")
    with pytest.raises(errors.OptedOutError, match="stopped marketing messages"):
        send(there, offer, reply_key="not-there")


def test_the_channel_may_close_templates_too(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = ReplyPolicy(ReplyState.CLOSED, sentence="The account may not send templates.")
    monkeypatch.setattr(type(APPROVING), "approved_policy", lambda *_: closed)
    with pytest.raises(errors.WindowClosedError, match="may not send templates"):
        send(conversation, approved.draft_of(ORDER, VALUES))


def test_one_can_be_scheduled_for_when_the_window_is_closed(conversation: Conversation) -> None:
    hold = Hold(LATE + timedelta(days=3))
    (message,) = send(conversation, approved.draft_of(ORDER, VALUES), hold=hold)
    assert message.sent_at == hold.at


def test_a_channel_without_templates_refuses_one(conversation: Conversation) -> None:
    with pytest.raises(errors.KindNotSupportedError):
        send(conversation, approved.draft_of(ORDER, VALUES), adapter=WINDOWED)


@pytest.mark.parametrize(
    ("template", "given", "code", "words"),
    [
        (ORDER, {"first_name": "Zoe"}, "template_parameter", "“Order number” is empty"),
        (ORDER, {**VALUES, "first_name": " \x00 "}, "template_parameter", "“First name” is empty"),
        (ORDER, {**VALUES, "order": "9" * 21}, "template_parameter", "at most 20"),
        (ORDER, {**VALUES, "other": "x"}, "template_parameter_unknown", "no parameter “other”"),
        (SALE, {}, "template_parameter", "“Parameter 1” is empty"),
        (PAUSED, {}, "template_not_approved", "Too many people blocked"),
        (REJECTED, {}, "template_not_approved", "The provider rejected it"),
    ],
)
def test_what_cannot_be_sent_says_why(
    database: db.Database, template: ApprovedTemplate, given: dict[str, str], code: str, words: str
) -> None:
    with pytest.raises(NotSendableError) as caught:
        approved.draft_of(template, given)
    assert caught.value.code == code
    assert words in str(caught.value.sentence)


@pytest.mark.parametrize("content", [{}, {"approved_template": {"id": "1"}}, {"approved_template": {"x": 1}}])
def test_other_content_is_refused(conversation: Conversation, content: dict[str, Any]) -> None:
    with pytest.raises(NotSendableError) as caught:
        send(conversation, Draft(MessageKind.APPROVED_TEMPLATE, text="Hi", content=content))
    assert caught.value.code == "bad_content"


def test_an_empty_one_is_refused(conversation: Conversation) -> None:
    with pytest.raises(errors.EmptyTextError):
        send(conversation, replace(approved.draft_of(ORDER, VALUES), text=" "))


def test_a_file_stands_above_the_text_where_the_template_has_one(
    conversation: Conversation, mia: int, tmp_path: Path
) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))

    def upload(body: bytes, name: str) -> str:
        found = uploads.keep_upload(
            io.BytesIO(body), name, workspace_id=conversation.workspace_id, user_id=mia
        )
        return found.id

    picture = upload(samples.picture("PNG"), "mug.png")
    for drafts in (
        approved.draft_of(CATALOG, {}),
        approved.draft_of(CATALOG, {}, uploads=(picture, upload(samples.picture("PNG"), "b.png"))),
        approved.draft_of(ORDER, VALUES, uploads=(picture,)),
    ):
        with pytest.raises(FileRefusedError) as caught:
            send(conversation, drafts)
        assert caught.value.code == "template_file"
    (message,) = send(conversation, approved.draft_of(CATALOG, {}, uploads=(picture,)))
    assert (message.kind, message.text) == ("approved_template", "Our new mugs.")


def test_pages_are_cached_and_problems_shortly(account: AccountRef) -> None:
    first = approved_fetching.page(APPROVING, account)
    assert [one.name for one in first.templates] == ["order_shipped", "winter_sale"]
    assert approved_fetching.page(APPROVING, account, first.after).after == "4"
    approved_fetching.page(APPROVING, account)
    assert approved_fetching.find(APPROVING, account, "old-en") is PAUSED
    assert APPROVING.asked == ["list", "list 2"]
    assert approved_fetching.find(APPROVING, account, "no-fr") is REJECTED
    APPROVING.problem = ProviderProblem("190", "The sign-in has expired.", "Reconnect the account.")
    with clock.travel(listed_pages.KEPT):
        for _ in range(2):
            with pytest.raises(approved_fetching.TemplatesNotListedError, match="sign-in has expired"):
                approved_fetching.page(APPROVING, account)
        with pytest.raises(approved_fetching.TemplatesNotListedError):
            approved_fetching.find(APPROVING, account, "order-en")
        assert APPROVING.asked == ["list", "list 2", "find no-fr", "list", "find order-en"]
    APPROVING.problem = None
    with clock.travel(listed_pages.KEPT + listed_pages.REFUSED):
        assert approved_fetching.page(APPROVING, account).after == "2"


@pytest.mark.parametrize("answer", [lambda *_: 1 / 0, lambda *_: None])
def test_an_adapter_that_fails_is_a_problem(
    account: AccountRef, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(APPROVING, "approved_templates", answer)
    with pytest.raises(LobbyError, match="addon of this channel failed"):
        approved_fetching.page(APPROVING, account)


@pytest.mark.parametrize(("adapter", "after"), [(WINDOWED, ""), (APPROVING, "x" * 1001), (APPROVING, "\x00")])
def test_a_bad_cursor_asks_nobody(account: AccountRef, adapter: ChannelAdapter, after: str) -> None:
    with pytest.raises(NotFoundError):
        approved_fetching.page(adapter, account, after)
    with pytest.raises(NotFoundError):
        approved_fetching.find(adapter, account, after)
    assert APPROVING.asked == []


def test_names_are_prefilled_where_they_fit() -> None:
    values = {"contact.first_name": "Zoe", "contact.name": "Zoe K.", "workspace.name": "Shop"}
    assert approved.suggestions(ORDER, values) == {"first_name": "Zoe"}
    assert approved.suggestions(SALE, values) == {}


def test_every_state_but_approved_has_a_reason(database: db.Database) -> None:
    for state in ApprovalState:
        assert bool(approved.why_not(replace(REJECTED, state=state))) is (state is not ApprovalState.APPROVED)
