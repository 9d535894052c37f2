"""Writing to a contact first, and conversations that go on as others."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock, db, storage
from host.core.backports.values import replace
from host.events.models import ActorKind, DomainEvent
from host.inbox import conversation_actions, erasure
from host.inbox.contacts import merging
from host.inbox.drafts import Draft
from host.inbox.errors import (
    AddressOfAnotherError,
    EmptyTextError,
    GoesOnError,
    NoWayOutError,
    OptedOutError,
)
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.outreach.first_messages import Started, start
from host.inbox.outreach.places import after, before, places
from host.inbox.reply import Hold, Voice
from host.inbox.unsent import undo
from host.media import uploads
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Attachment, Contact, Conversation, ConversationLink, Message
from host.models.queue import OutboxEntry
from host.sdk.capabilities import MEDIA_KINDS
from host.sdk.channel import OPEN_ALWAYS as OPEN
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    CopyLimits,
    MediaLimits,
    ReplyContext,
    ReplyPolicy,
    Signature,
    Threading,
)
from host.sdk.formatting import Picture, to_html
from host.sdk.messages import MessageKind, OutgoingPart
from host.users.actor import Actor
from tests.helpers import do, queue_reply, work
from tests.inbox import desks, toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.media import samples
from tests.web.test_account_picker import fill as add_accounts

JSON = {"Accept": "application/json"}
KEY = "a-key-of-the-page"


class TwoSided(toys.Windowed):
    """A toy of which some accounts have a reply window and others are like mail: those can start."""

    capabilities: ClassVar[Capabilities] = Capabilities(can_start=True, has_subject=True)

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return OPEN if context.account.settings.get("mail") else super().reply_policy(context)

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        return address.lower() if account.settings.get("mail") and "@" in address else None


class Letters(TwoSided):
    """The same, with as many conversations with a contact as are started, as by email."""

    capabilities: ClassVar[Capabilities] = replace(TwoSided.capabilities, threading=Threading.REFERENCES)


TWO_SIDED = TwoSided()
DIRECTORY = Directory([TWO_SIDED])


class Ways:
    """A workspace with a customer whose window is closed, and an account that can write mail."""

    def __init__(self) -> None:
        self.workspace = toys.make_workspace()
        self.direct = toys.make_account(self.workspace)
        self.mail = toys.make_account(self.workspace, settings={"mail": True}, name="Shop mail")
        self.mia = toys.make_user(self.workspace)
        toys.apply(self.direct, toys.received(contact="ana", contact_name="Ana"), adapter=TWO_SIDED)
        self.old = toys.only(Conversation).id
        self.contact = toys.only(Contact).id
        self.gives("Ana@Example.org")

    def gives(self, email: str | None) -> None:
        toys.change_row(Contact, self.contact, email=email)

    def start(self, key: str = KEY, text: str = "Hello again", **more: Any) -> Started:
        values: dict[str, Any] = {"before_id": self.old, "account_id": self.mail.id, "actor": self.mia}
        values |= {"directory": DIRECTORY}
        draft = Draft(text=text, content=more.pop("content", {}))
        return do(start, self.workspace, drafts=[draft], reply_key=key, **{**values, **more})


@pytest.fixture
def ways(database: db.Database) -> Ways:
    return Ways()


@pytest.fixture
def any_ways(any_database: db.Database) -> Ways:
    return Ways()


def conversation(id_: int) -> Conversation:
    with db.read() as session:
        return session.get_one(Conversation, id_)


def nothing_more(ways: Ways) -> bool:
    """Tell whether nothing was written besides what was there."""
    with db.read() as session:
        counted = [
            session.scalar(sa.select(sa.func.count()).select_from(model))
            for model in (Conversation, ConversationLink, OutboxEntry)
        ]
    return counted == [1, 0, 0] and conversation(ways.old).status == "open"


def test_it_goes_on_as_another_conversation_with_all_it_had(any_ways: Ways) -> None:
    ways = any_ways
    label = do(labels.create, ways.workspace, name="order", tone=next(iter(LabelTone)))
    do(labels.set_labels, ways.workspace, ways.old, add=[label.id], actor=ways.mia)
    db.write(
        lambda session: conversation_actions.set_fields(
            work(session, ways.workspace, actor=ways.mia), ways.old, {"assignee_id": ways.mia}
        )
    )
    started = ways.start()
    new, old = conversation(started.conversation_id), conversation(ways.old)
    assert (new.account_id, new.contact_id, new.subject) == (
        ways.mail.id,
        ways.contact,
        "Your message to Shop mail",
    )
    assert (new.assignee_id, new.handled_by, new.status) == (ways.mia, "person", "open")
    assert (new.last_preview, new.last_direction) == ("Hello again", "outbound")
    assert (old.status, old.waiting_since, old.contact_id) == ("closed", None, ways.contact)
    with db.read() as session:
        assert labels.having(session, new.id) == {label.id}
        assert before(session, new.id) is not None
        there = after(session, old.id)
        assert there is not None
        assert (there.id, there.account_id) == (new.id, ways.mail.id)
        entry = session.scalars(sa.select(OutboxEntry)).one()
        assert entry.recipient == "ana@example.org"
    lines = [(one.conversation_id, one.content) for one in toys.thread() if one.content.get("conversation")]
    assert lines == [
        (new.id, {"what": "came_from", "name": "Toy", "conversation": str(old.id)}),
        (old.id, {"what": "goes_on", "name": "Toy", "conversation": str(new.id)}),
    ]
    assert [one.text for one in toys.thread(new.id)] == ["", "Hello again"]


def test_accounts_on_which_nobody_can_be_written_to_first_are_not_read(ways: Ways) -> None:
    add_accounts(ways.workspace, 200, channel="quiet")
    read: list[int] = []

    def note(row: ChannelAccount, _context: object) -> None:
        read.append(row.id)

    sa.event.listen(ChannelAccount, "load", note)
    try:
        with db.read() as session:
            contact = session.get_one(Contact, ways.contact)
            found = places(session, DIRECTORY, ways.workspace, contact)
    finally:
        sa.event.remove(ChannelAccount, "load", note)
    assert [one.account.id for one in found] == [ways.mail.id]
    assert sorted(read) == sorted([ways.direct.id, ways.mail.id])


def test_the_record_says_what_it_goes_on_from(ways: Ways) -> None:
    started = ways.start()
    with db.read() as session:
        kinds = (
            sa.select(DomainEvent).where(DomainEvent.kind == "conversation.created").order_by(DomainEvent.id)
        )
        told = session.scalars(kinds).all()[-1]
    assert (told.conversation_id, told.actor_id) == (started.conversation_id, ways.mia)
    assert json.loads(told.data or "") == {"state": ["open", "nobody", 0, 0, []], "before": ways.old}


def test_undone_the_customer_waits_in_the_new_conversation(any_ways: Ways) -> None:
    """Nothing is sent, nobody is forgotten, and what was written goes on there."""
    since = conversation(any_ways.old).waiting_since
    assert since is not None
    started = any_ways.start(hold=Hold(undo={"draft": {"text": "Hello again"}}))
    new = started.conversation_id
    assert conversation(new).waiting_since is None
    with db.read() as session:
        entry = session.scalars(sa.select(OutboxEntry)).one()
    assert entry.not_before is not None
    back = do(undo.undo, any_ways.workspace, new, started.messages[0].id, actor=any_ways.mia)
    assert back.draft["text"] == "Hello again"
    assert toys.everything(OutboxEntry) == []
    assert (conversation(new).waiting_since, conversation(new).status) == (since, "open")
    assert conversation(any_ways.old).status == "closed"
    again = do(
        queue_reply,
        any_ways.workspace,
        new,
        "Better so",
        reply_key="the-next-of-them",
        adapter=TWO_SIDED,
        actor=any_ways.mia,
    )
    assert len(again) == 1
    assert conversation(new).waiting_since is None


def test_for_later_the_customer_waits_until_it_has_left(ways: Ways) -> None:
    since = conversation(ways.old).waiting_since
    started = ways.start(hold=Hold(clock.now() + timedelta(hours=2), undo={}))
    new = conversation(started.conversation_id)
    assert new.waiting_since == since
    assert new.scheduled_at is not None


def test_the_same_form_twice_is_one_message(any_ways: Ways) -> None:
    first, second = any_ways.start(), any_ways.start()
    assert first.conversation_id == second.conversation_id
    assert [one.id for one in first.messages] == [one.id for one in second.messages]


def test_a_second_agent_is_told_where_it_goes_on(any_ways: Ways) -> None:
    first = any_ways.start()
    with pytest.raises(GoesOnError) as caught:
        any_ways.start("another-key-of-it", "Me too")
    assert caught.value.after == first.conversation_id
    assert len(toys.everything(Conversation)) == 2


def test_of_two_at_once_one_starts_it(any_ways: Ways) -> None:
    """Each from another account, so that no lane keeps them apart."""
    other = toys.make_account(any_ways.workspace, settings={"mail": True})
    barrier, outcomes = threading.Barrier(2), []

    def press(key: str, account: int) -> None:
        barrier.wait()
        try:
            outcomes.append(any_ways.start(key, account_id=account).conversation_id)
        except GoesOnError as error:
            outcomes.append(-error.after)

    threads = [
        threading.Thread(target=press, args=(f"a-key-of-press-{at}", account))
        for at, account in enumerate((any_ways.mail.id, other.id))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(map(abs, outcomes)) == [max(outcomes)] * 2, outcomes
    assert len(toys.everything(Conversation)) == 2


def _blocked(ways: Ways) -> None:
    toys.change_row(Contact, ways.contact, blocked_at=clock.now())


def _spam(ways: Ways) -> None:
    toys.change_row(Conversation, ways.old, spam_at=clock.now())


def _cut_off(ways: Ways) -> None:
    toys.change_row(ChannelAccount, ways.mail.id, state=AccountState.DISCONNECTED)


@pytest.mark.parametrize(
    "spoil", [_blocked, _spam, _cut_off, lambda ways: ways.gives(None), lambda ways: ways.gives("no address")]
)
def test_where_there_is_no_way_nothing_is_written(ways: Ways, spoil: Callable[[Ways], None]) -> None:
    spoil(ways)
    with pytest.raises(NoWayOutError):
        ways.start()
    assert nothing_more(ways)


@pytest.mark.parametrize(
    "more",
    [
        {"to": "somebody@else.example"},
        {"account_id": 4711},
        {"sees": frozenset({1})},
    ],
)
def test_only_an_address_of_the_contact_can_be_named(ways: Ways, more: dict[str, Any]) -> None:
    with pytest.raises(NoWayOutError):
        ways.start(**more)
    assert nothing_more(ways)


def test_an_account_of_another_workspace_is_none(ways: Ways) -> None:
    foreign = toys.make_account(toys.make_workspace("Elsewhere"), settings={"mail": True})
    with pytest.raises(NoWayOutError):
        ways.start(account_id=foreign.id)
    assert nothing_more(ways)


def test_a_refused_text_leaves_no_conversation(any_ways: Ways) -> None:
    with pytest.raises(EmptyTextError):
        any_ways.start(text="  ")
    assert nothing_more(any_ways)


def test_the_address_of_another_contact_is_theirs_until_they_are_merged(ways: Ways) -> None:
    mailed = toys.received(contact="ana@example.org", contact_email="ana@example.org")
    toys.apply(ways.mail, mailed, adapter=TWO_SIDED)
    other = toys.everything(Contact)[1].id
    with pytest.raises(AddressOfAnotherError):
        ways.start()
    do(merging.merge, ways.workspace, ways.contact, other, actor=Actor(ActorKind.USER, ways.mia))
    ways.gives(None)  # what they are on that account says it too
    started = ways.start()
    assert conversation(started.conversation_id).contact_id == ways.contact


def test_split_again_nobody_sees_the_others_thread(ways: Ways) -> None:
    mailed = toys.received(contact="ana@example.org")
    toys.apply(ways.mail, mailed, adapter=TWO_SIDED)
    merge = do(
        merging.merge,
        ways.workspace,
        ways.contact,
        toys.everything(Contact)[1].id,
        actor=Actor(ActorKind.USER, ways.mia),
    )
    started = ways.start()
    do(merging.split, ways.workspace, ways.contact, merge.id, actor=Actor(ActorKind.USER, ways.mia))
    with db.read() as session:
        assert before(session, started.conversation_id) is None
        assert after(session, ways.old) is None


def test_what_was_cut_off_can_go_on_elsewhere(ways: Ways) -> None:
    first = ways.start()
    toys.change_row(ChannelAccount, ways.mail.id, state=AccountState.DISCONNECTED)
    other = toys.make_account(ways.workspace, settings={"mail": True})
    second = ways.start("another-key-of-it", account_id=other.id)
    assert second.conversation_id != first.conversation_id
    with db.read() as session:
        there = after(session, ways.old)
    assert there is not None
    assert there.id == second.conversation_id


def test_erased_they_have_no_address(ways: Ways) -> None:
    do(erasure.erase, ways.workspace, ways.contact)
    with pytest.raises(NoWayOutError):
        ways.start()


def test_a_program_that_is_automatic_writes_to_nobody_who_opted_out(ways: Ways) -> None:
    toys.change_row(Contact, ways.contact, opted_out_at=clock.now())
    with pytest.raises(OptedOutError):
        ways.start(actor="bot", by_person=False, voice=Voice.AUTOMATION)
    assert nothing_more(ways)
    ways.start()  # a person may


def test_the_customer_who_writes_there_again_opens_it_again(ways: Ways) -> None:
    started = ways.start()
    toys.apply(ways.direct, toys.received("Me again", contact="ana", at=60), adapter=TWO_SIDED)
    assert conversation(ways.old).status == "open"
    assert len(toys.everything(Conversation)) == 2
    with db.read() as session:
        there = after(session, ways.old)
    assert there is not None
    assert there.id == started.conversation_id


def test_a_contact_can_be_written_to_without_a_conversation_before(ways: Ways) -> None:
    first = ways.start(before_id=None, contact_id=ways.contact)
    again = ways.start(before_id=None, contact_id=ways.contact)
    assert first.conversation_id == again.conversation_id
    assert ways.old != first.conversation_id
    assert conversation(first.conversation_id).subject == "A message from Shop mail"
    with db.read() as session:
        assert before(session, first.conversation_id) is None


@pytest.mark.parametrize("adapter", [TwoSided(), Letters()])
def test_a_second_conversation_is_started_where_a_contact_can_have_several(
    ways: Ways, adapter: TwoSided
) -> None:
    there: dict[str, Any] = {"contact_id": ways.contact, "directory": Directory([adapter])}
    first = ways.start(before_id=None, **there)
    second = ways.start("another-key-of-it", "And this", before_id=None, **there)
    assert (second.conversation_id == first.conversation_id) is not isinstance(adapter, Letters)
    assert second.messages[0].conversation_id == second.conversation_id
    # The old one continues in the one they have, once; in a new one otherwise.
    onward = ways.start("a-third-key-of-it", "Onward", **there)
    assert (onward.conversation_id == first.conversation_id) is not isinstance(adapter, Letters)
    assert conversation(ways.old).status == "closed"
    with db.read() as session:
        linked = before(session, onward.conversation_id)
    assert linked is not None
    assert linked.id == ways.old


# ---- pages -------------------------------------------------------------------------------------------


class Opened:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.mail = toys.make_account(desk.workspace, settings={"mail": True}, name="Shop mail")
        self.scene = Scene(desk)
        self.scene.said("ana", "Ana Q.", "Is it in stock?", self.scene.ago(days=9))
        self.old = self.scene.conversation("ana")
        toys.change_row(Contact, toys.only(Contact).id, email="ana@example.org")

    def page(self, id_: int, rest: str = "") -> str:
        response = self.desk.browser.get(self.desk.path(f"/{id_}{rest}"))
        assert response.status_code == 200
        return html.unescape(response.text)

    def send(self, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        data = {
            "csrf_token": self.desk.browser.csrf(),
            "reply_key": KEY,
            "place": f"{self.mail.id}:ana@example.org",
            "subject": "Your mug",
            "text": "It is back.",
            **fields,
        }
        return self.desk.browser.post(self.desk.path(f"/{self.old}/onward"), data=data, headers=headers or {})


@pytest.fixture
def opened(database: db.Database, data: Path) -> Opened:
    return Opened(desks.open_desk(data, TWO_SIDED))


def test_the_composer_offers_it_and_the_thread_is_one(opened: Opened) -> None:
    shown = opened.page(opened.old)
    assert "Write an email instead" in shown
    assert 'value="Your message to Shop mail"' in shown
    answer = opened.send(JSON)
    assert answer.status_code == 200
    new = opened.scene.conversation("ana@example.org")
    assert answer.json["goto"].endswith(f"/inbox/{new}")
    there = opened.page(new)
    above = there.split("data-before")[1].split("</section>")[0]
    assert "Is it in stock?" in above
    assert f'href="{opened.desk.path(f"/{opened.old}")}"' in above
    assert "data-message=" not in above
    assert "<form" not in above
    assert "continued on" not in above
    assert "Continued on Toy" in there
    back = opened.page(opened.old)
    assert "Write an email instead" not in back
    assert "Continues on Toy" in back
    assert back.count(f'href="{opened.desk.path(f"/{new}")}"') >= 2  # the line, and above the composer
    assert "Mia R. continued on Toy" in back


def test_without_scripts_a_refusal_keeps_what_was_written(opened: Opened) -> None:
    refused = opened.send(place="nowhere", text="Do not lose me")
    assert refused.status_code == 409
    shown = html.unescape(refused.text)
    assert "You cannot message this contact first there" in shown
    assert "Do not lose me" in shown
    form = shown.split('data-form="onward"')[1].split(">")[0]
    assert "hidden" not in form
    sent = opened.send()
    assert sent.status_code == 303
    assert sent.location.endswith(f"/inbox/{opened.scene.conversation('ana@example.org')}")


@pytest.mark.parametrize("place", ["", ":", "x:y", "99999999999999999999:a@b", "²:a@b", "1"])
def test_a_place_out_of_shape_is_refused(opened: Opened, place: str) -> None:
    assert opened.send(JSON, place=place).json["error"]["code"] == "cannot_write_first"


def test_the_second_is_told(opened: Opened) -> None:
    opened.send(JSON)
    error = opened.send(JSON, reply_key="another-key-of-it").json["error"]
    assert error["code"] == "goes_on_already"


class Mailing(TwoSided):
    """One whose other account has all that mail has."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        sends=MEDIA_KINDS | {MessageKind.TEXT},
        can_start=True,
        has_subject=True,
        media=dict.fromkeys(MEDIA_KINDS, MediaLimits(frozenset(), 1024 * 1024)),
        text_with_files=True,
        formatting=True,
        signatures=True,
        copies=CopyLimits(most=2, clean=lambda one: one if "@" in one else None),
    )

    def laid_out(self, account: AccountRef, part: OutgoingPart) -> str:
        pictures = {one.name: Picture(f"cid:{at}") for at, one in enumerate(part.files)}
        return to_html(part.text, pictures=pictures) + to_html(part.content.get("signature", ""))

    def signature(self, account: AccountRef, user_id: int) -> Signature | None:
        return Signature(f"{account.name}: **{{{{contact.first_name}}}}**", "/signature")


@pytest.fixture
def mailing(database: db.Database, data: Path) -> Opened:
    storage.use(storage.FolderStore(data / "attachments"))
    return Opened(desks.open_desk(data, Mailing()))


def test_a_first_mail_has_what_a_reply_has(mailing: Opened) -> None:
    shown = mailing.page(mailing.old)
    form = shown.split('data-form="onward"')[1].split("</form>")[0]
    for part in ("data-marks", 'name="cc"', 'name="bcc"', "data-tray", 'data-tool="canned"', "send-menu"):
        assert part in form
    assert "<strong>Ana</strong>" in form
    answer = mailing.send(
        JSON,
        undo="1",
        draft='{"along": {}}',
        signature="1",
        cc="ben@example.org",
        bcc="eve@example.org",
        file=(BytesIO(b"a,b\n1,2\n"), "prices.csv"),
    )
    assert answer.status_code == 200
    new = mailing.scene.conversation("ana@example.org")
    (message,) = [one for one in toys.thread(new) if one.text]
    assert message.content == {
        "subject": "Your mug",
        "signature": "Shop mail: **Ana**",
        "cc": ["ben@example.org"],
        "bcc": ["eve@example.org"],
    }
    assert [(one.message_id, one.name) for one in toys.everything(Attachment)] == [(message.id, "prices.csv")]
    entry = toys.only(OutboxEntry)
    assert entry.not_before is not None
    assert (entry.undo or {})["draft"]["composer"] == '{"along": {}}'
    address = mailing.desk.path(f"/{new}/messages/{message.id}/undo")
    back = mailing.desk.browser.post(address, data={"csrf_token": mailing.desk.browser.csrf()}, headers=JSON)
    assert back.get_json()["draft"]["text"] == "It is back."
    assert not [one for one in toys.everything(Message) if one.text == "It is back."]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"cc": "nobody"}, "copy_address"),
        ({"cc": "a@b, c@d, e@f"}, "too_many_copies"),
        ({"upload": "gone"}, "upload_gone"),
        ({"text": "Dear {{ask: name}}"}, "unfilled"),
        ({"text": " "}, "empty"),
        ({"text": "See ![mug.png]"}, "picture_missing"),
    ],
)
def test_what_a_reply_is_refused_for_a_first_mail_is(
    mailing: Opened, field: dict[str, str], code: str
) -> None:
    answer = mailing.send(JSON, **field)
    assert (answer.json["error"]["code"], answer.status_code < 500) == (code, True)
    assert len(toys.everything(Conversation)) == 1


def test_canned_replies_are_filled_for_the_account_a_first_mail_leaves_from(mailing: Opened) -> None:
    offered = mailing.page(mailing.old, f"/canned?account={mailing.mail.id}")
    assert json.loads(offered)["limit"] is None
    path = mailing.desk.path(f"/{mailing.old}/canned?account=999")
    assert mailing.desk.browser.get(path).status_code == 404


def test_where_the_window_is_open_it_is_not_offered(opened: Opened) -> None:
    opened.scene.said("ana", "Ana Q.", "Hello?", opened.scene.ago(minutes=3))
    assert "Write an email instead" not in opened.page(opened.old)


def test_an_address_of_another_contact_leads_to_comparing_them(opened: Opened) -> None:
    opened.scene.said("ana@example.org", "A. Q.", "Hi", opened.scene.ago(days=2), account=opened.mail)
    shown = opened.page(opened.old)
    assert "Write an email instead" not in shown
    assert "Compare contacts" in shown


def test_who_does_not_see_the_account_is_offered_nothing(opened: Opened) -> None:
    from host.models.users import MemberAccount, Membership

    def limit(session: Session) -> None:
        member = session.scalars(sa.select(Membership).where(Membership.user_id == opened.desk.mia.id)).one()
        member.limited = True
        session.add(
            MemberAccount(
                user_id=member.user_id, workspace_id=member.workspace_id, account_id=opened.desk.account.id
            )
        )

    db.write(limit)
    assert "Write an email instead" not in opened.page(opened.old)
    assert opened.send(JSON).json["error"]["code"] == "cannot_write_first"


def test_a_picture_of_a_text_is_shown_there_and_not_below(mailing: Opened) -> None:
    """Two with one name, and a file that is no picture, are refused; nothing is sent then."""
    pixel = samples.picture("PNG", size=(3, 2))
    place = "See ![mug.png], and ![gone.png](https://x.example/)"
    twice = [(BytesIO(pixel), "mug.png"), (BytesIO(pixel), "mug.png")]
    assert mailing.send(JSON, text=place, file=twice).get_json()["error"]["code"] == "picture_twice"
    table = [(BytesIO(b"a,b"), "mug.png")]
    assert mailing.send(JSON, text=place, file=table).get_json()["error"]["code"] == "picture_not_shown"
    assert toys.everything(OutboxEntry) == []
    two = [(BytesIO(pixel), "mug.png"), (BytesIO(pixel), "other.png")]
    assert mailing.send(JSON, text=place, file=two).status_code == 200
    new = mailing.scene.conversation("ana@example.org")
    first, second = toys.everything(Attachment)
    shown = mailing.page(new).split('data-part="log"')[1].split("data-composer")[0]
    address = f"/w/{mailing.desk.workspace}/media/"
    assert f'<img src="{address}{first.id}" alt="mug.png" width="3" height="2">' in shown
    assert shown.count(f"{address}{first.id}") == 1
    assert f"{address}{second.id}" in shown
    assert conversation(new).last_preview == place
    listed = mailing.page(new).split('id="list"')[1].split("</section>")[0]
    assert "See [mug.png], and" in listed


class FromTheirPage:
    """What a mail from a contact's page is sent with."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.contact = toys.only(Contact).id
        self.path = f"/w/{opened.desk.workspace}/contacts/{self.contact}"

    def get(self, rest: str = "") -> Any:
        return self.opened.desk.browser.get(f"{self.path}{rest}")

    def send(self, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        data = {
            "csrf_token": self.opened.desk.browser.csrf(),
            "reply_key": KEY,
            "place": f"{self.opened.mail.id}:ana@example.org",
            "text": "The kiln is free.",
            **fields,
        }
        return self.opened.desk.browser.post(f"{self.path}/write", data=data, headers=headers or {})


@pytest.fixture
def their(mailing: Opened) -> FromTheirPage:
    return FromTheirPage(mailing)


def test_from_a_contacts_page_a_mail_begins_a_conversation(their: FromTheirPage) -> None:
    assert f'href="{their.path}/write"' in their.get().text
    form = html.unescape(their.get("/write").text).split('data-form="onward"')[1].split("</form>")[0]
    for part in ("data-marks", 'name="cc"', "data-tray", 'data-tool="canned"', "send-menu"):
        assert part in form
    first, again = their.send(JSON, signature="1"), their.send(JSON, signature="1")
    assert first.get_json() == again.get_json()
    (message,) = [one for one in toys.everything(Message) if one.text == "The kiln is free."]
    assert first.get_json()["goto"].endswith(f"/inbox/{message.conversation_id}")
    assert (message.content["subject"], message.content["signature"]) == (
        "A message from Shop mail",
        "Shop mail: **Ana**",
    )
    new = conversation(message.conversation_id)
    assert (new.account_id, new.contact_id) == (their.opened.mail.id, their.contact)
    old = conversation(their.opened.old)
    assert (old.status, old.waiting_since is not None) == ("open", True), "it goes on by itself"
    second = their.send(JSON, reply_key="another-key-of-it")
    assert second.get_json()["goto"] == first.get_json()["goto"], "their only conversation there"


def test_a_refused_mail_from_their_page_is_there_again(their: FromTheirPage) -> None:
    refused = their.send(cc="nobody", text="Do not lose me", subject="Mine")
    assert refused.status_code == 422
    shown = html.unescape(refused.text)
    for part in ("is not a valid address for a copy", "Do not lose me", 'value="Mine"', 'value="nobody"'):
        assert part in shown
    assert len(toys.everything(Conversation)) == 1


def test_who_opted_out_may_be_written_to_and_who_is_blocked_may_not(their: FromTheirPage) -> None:
    toys.change_row(Contact, their.contact, opted_out_at=clock.now())
    assert their.send(JSON).status_code == 200
    toys.change_row(Contact, their.contact, blocked_at=clock.now())
    assert f'href="{their.path}/write"' not in their.get().text
    assert their.get("/write").status_code == 409
    assert their.send(JSON, reply_key="another-key-of-it").get_json()["error"]["code"] == "cannot_write_first"


def test_the_address_of_another_contact_is_refused_on_their_page(their: FromTheirPage) -> None:
    opened = their.opened
    opened.scene.said("ana@example.org", "A. Q.", "Hi", opened.scene.ago(days=2), account=opened.mail)
    assert f'href="{their.path}/write"' not in their.get().text
    assert their.get("/write").status_code == 409
    assert their.send(JSON).get_json()["error"]["code"] == "address_of_another"


def test_who_may_not_answer_writes_to_nobody(their: FromTheirPage) -> None:
    other = desks.helpers.make_workspace("Elsewhere")
    path = f"/w/{other}/contacts/{their.contact}/write"
    assert their.opened.desk.browser.get(path).status_code == 404
    stranger = desks.helpers.make_user(workspace=other)
    assert (
        desks.helpers.client_for(their.opened.desk.app, stranger).get(f"{their.path}/write").status_code
        == 404
    )


def test_a_preview_is_a_frame_in_which_nothing_runs(their: FromTheirPage) -> None:
    """Of a first mail and of a reply; a place without its picture is said there, and nothing is written."""
    opened = their.opened
    desk = opened.desk
    opened.scene.said("eve", "Eve", "Hello?", opened.scene.ago(minutes=3))
    reply = desk.path(f"/{opened.scene.conversation('eve')}/preview")
    place = f"{opened.mail.id}:ana@example.org"
    text = "**Hi** <script>1</script> [bad](javascript:x) https://shop.example/"
    for path in (f"{their.path}/write/preview", desk.path(f"/{opened.old}/onward/preview"), reply):
        data = {"csrf_token": desk.browser.csrf(), "place": place, "signature": "1"}
        shown = desk.browser.post(path, data={**data, "text": text})
        assert shown.status_code == 200
        assert "script-src" not in shown.headers["Content-Security-Policy"]
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
        assert "sandbox allow-same-origin" in shown.headers["Content-Security-Policy"]
        assert "<strong>Hi</strong>" in shown.text
        assert "<script" not in shown.text
        assert 'href="javascript' not in shown.text
        assert ("<strong>Ana</strong>" in shown.text) == (path != reply)
        if path != reply:
            nowhere = desk.browser.post(path, data={**data, "place": "1:eve@example.org", "text": text})
            assert (nowhere.status_code, "cannot message this contact first" in nowhere.text) == (409, True)
            assert nowhere.headers["X-Frame-Options"] == "SAMEORIGIN"
        missing = desk.browser.post(path, data={**data, "text": "![<b>.png]"})
        assert missing.status_code == 422
        assert "The text refers to “&lt;b&gt;.png”" in missing.text
    assert toys.everything(OutboxEntry) == []


def test_a_preview_shows_pictures_that_wait_in_this_workspace(their: FromTheirPage) -> None:
    desk = their.opened.desk
    other = desks.helpers.make_workspace("Elsewhere")
    content = samples.picture("PNG", size=(3, 2))

    def keep(workspace: int) -> str:
        return uploads.keep_upload(BytesIO(content), "mug.png", workspace_id=workspace, user_id=None).id

    def look(*ids: str) -> str:
        fields = {"csrf_token": desk.browser.csrf(), "text": "See ![mug.png]", "upload": list(ids)}
        fields["place"] = f"{their.opened.mail.id}:ana@example.org"
        return str(desk.browser.post(f"{their.path}/write/preview", data=fields).text)

    own = keep(desk.workspace)
    assert f'src="/w/{desk.workspace}/uploads/{own}"' in look(own)
    assert "which is not attached" in look(keep(other))
    assert "which is not attached" in look("gone")
