"""Conversations about posts: found by post, answered in public and once privately, hidden and deleted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from host.channels import beside
from host.channels.accounts import save_account, set_needs_reconnect
from host.core import clock, db
from host.delivery.message_acts import send_due
from host.delivery.posts import fetch_due, look_up_due
from host.events.models import DomainEvent
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.comments import moderating, private
from host.inbox.comments.private_reply import PrivateReplyEndedError, PrivateReplyUsedError
from host.inbox.errors import TooLongError
from host.inbox.messages import load_messages
from host.inbox.sendable import NotSendableError
from host.inbox.unsent import resending
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message
from host.models.posts import LookUp, MessageModeration, Post, PrivateReply
from host.sdk import messages as told
from host.sdk.cards import Connection
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    Moderated,
    ModerateRequest,
    Moderation,
    NoPost,
    PrivateContext,
    PrivateReplyLimits,
    Rejected,
    ReplyContext,
    ReplyPolicy,
    ReplyState,
    SendResult,
    Sent,
    Threading,
    Unknown,
)
from host.sdk.messages import InboundChange, MessageEchoed, MessageReceived, PostKind, ToLookUp
from host.sdk.webhooks import Envelope
from tests.delivery.desk import PROBLEM, Desk, ToyAdapter
from tests.helpers import do, queue_reply

Travel = Callable[[timedelta], None]
WEEK = timedelta(days=7)


class Board(ToyAdapter):
    """A toy whose messages stand below posts."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=100,
        threading=Threading.POST,
        public=True,
        reply_quote=True,
        private_replies=PrivateReplyLimits(text_limit_bytes=50),
        moderation=frozenset(Moderation),
    )
    beside: ClassVar[str] = "other"

    def __init__(self) -> None:
        super().__init__()
        self.moderated: list[ModerateRequest] = []
        self.answers: list[SendResult] = []
        self.posts: list[told.Post | NoPost] = []
        self.found: list[Envelope] = []

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        data = json.loads(envelope.body)
        at = datetime.fromtimestamp(data["at"], UTC)
        if data["kind"] == "comment":
            return [
                MessageReceived(
                    data["from"],
                    data["mid"],
                    at,
                    text=data["text"],
                    opens_window=False,
                    post=told.Post(data["post"], PostKind(data.get("shows", "post"))),
                    reply_to=data.get("about"),
                )
            ]
        if data["kind"] == "answer":
            return [MessageEchoed("", data["mid"], at, text=data["text"], reply_to=data["about"])]
        if data["kind"] == "mention":
            return [ToLookUp({"id": data["mid"]})]
        return super().parse(envelope)

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return ReplyPolicy(ReplyState.OPEN)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        if context.post is not None and context.post.ended_at is not None:
            return ReplyPolicy(ReplyState.CLOSED, sentence="The broadcast is over.")
        until = context.sent_at + WEEK
        state = ReplyState.OPEN if context.now < until else ReplyState.CLOSED
        return ReplyPolicy(state, until, sentence="" if state is ReplyState.OPEN else "The week is over.")

    def moderate(self, request: ModerateRequest) -> SendResult:
        self.moderated.append(request)
        return self.answers.pop(0) if self.answers else Sent(request.message)

    def fetch_post(self, account: AccountRef, external_id: str) -> told.Post | NoPost:
        return self.posts.pop(0) if self.posts else NoPost("none", retry=False)

    def look_up(self, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope]:
        if not self.found:
            raise OSError("the provider is away")
        return self.found


@pytest.fixture
def board(any_desk: Desk) -> Desk:
    any_desk.toy = Board()
    any_desk.generation.directory.adapters["email"] = any_desk.toy
    return any_desk


@pytest.fixture
def one(desk: Desk) -> Desk:
    desk.toy = Board()
    desk.generation.directory.adapters["email"] = desk.toy
    return desk


def toy(desk: Desk) -> Board:
    assert isinstance(desk.toy, Board)
    return desk.toy


def envelope(desk: Desk, kind: str, mid: str, *, lane: str = "anna", **more: Any) -> Envelope:
    data = {"kind": kind, "mid": mid, "from": lane, "text": mid, "at": clock.now().timestamp(), **more}
    body = json.dumps(data).encode()
    return Envelope(desk.account.id, lane, f"{kind}:{mid}", kind, body)


def come(desk: Desk, *envelopes: Envelope) -> None:
    """Apply what *envelopes* mean, as a worker does with one helping."""
    now = clock.now()
    items = [
        Incoming(desk.account, desk.toy, change, now, one.dedupe_key)
        for one in envelopes
        for change in desk.toy.parse(one)
    ]
    db.write(apply_changes, items)


def conversations() -> list[Conversation]:
    with db.read() as session:
        return list(session.scalars(sa.select(Conversation).order_by(Conversation.id)))


def texts(conversation_id: int) -> list[str]:
    with db.read() as session:
        query = sa.select(Message.text).where(
            Message.conversation_id == conversation_id, Message.direction != Direction.INTERNAL
        )
        return list(session.scalars(query.order_by(Message.id)))


def message(mid: str) -> Message:
    with db.read() as session:
        return session.scalars(sa.select(Message).where(Message.external_id == mid)).one()


def privately(desk: Desk, mid: str = "c1", text: str = "Here it is", **more: Any) -> Message:
    about = message(mid)
    return do(
        private.queue_private,
        desk.workspace_id,
        about.conversation_id,
        about.id,
        text,
        reply_key=more.pop("reply_key", uuid.uuid4().hex),
        adapter=desk.toy,
        **more,
    )


def publicly(desk: Desk, conversation_id: int, text: str) -> Message:
    (made,) = do(
        queue_reply, desk.workspace_id, conversation_id, text, reply_key=uuid.uuid4().hex, adapter=desk.toy
    )
    return made


def test_a_conversation_is_of_one_person_about_one_post(board: Desk) -> None:
    first = envelope(board, "comment", "c1", post="p1")
    come(
        board, first, envelope(board, "comment", "c2", post="p2"), envelope(board, "comment", "c3", post="p1")
    )
    come(
        board,
        envelope(board, "comment", "c4", post="p2"),
        envelope(board, "comment", "c5", post="p1", lane="bo"),
    )
    come(board, first)
    found = conversations()
    with db.read() as session:
        posts = {row.id: row for row in session.scalars(sa.select(Post))}
    named = {posts[one.post_id or 0].external_id: texts(one.id) for one in found[:2]}
    assert named == {"p1": ["c1", "c3"], "p2": ["c2", "c4"]}
    assert texts(found[2].id) == ["c5"]
    assert posts[found[2].post_id or 0].external_id == "p1"
    assert found[0].contact_id == found[1].contact_id != found[2].contact_id
    assert all(post.due_at is not None for post in posts.values())


def test_what_we_sent_is_no_comment_of_a_customer(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    publicly(one, conversations()[0].id, "ours")
    toy(one).script = [Sent("c2")]
    one.drain()
    with db.read() as session:
        before = session.scalar(sa.select(sa.func.count()).select_from(DomainEvent))
    come(one, envelope(one, "comment", "c2", post="p1", lane="us", text="ours"))
    (found,) = conversations()
    assert texts(found.id) == ["c1", "ours"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(DomainEvent)) == before
        assert session.scalar(sa.select(sa.func.count()).select_from(ContactIdentity)) == 1


@pytest.mark.parametrize("ours", [True, False])
def test_what_may_be_ours_waits_for_the_answer_to_our_send(
    one: Desk, door: Any, travel: Travel, ours: bool
) -> None:
    """The provider names an author nobody knows, before it says which id our answer has."""
    answer = envelope(one, "comment", "c2", post="p1", lane="us", text=" Thank  you ", about="c1")
    come(one, envelope(one, "comment", "c1", post="p1"))
    publicly(one, conversations()[0].id, "Thank you")
    meanwhile: list[str] = []

    def sending(_request: Any) -> SendResult:
        door.journal.ingest(source="toy", channel="email", raw=b"", remote="", envelopes=[answer])
        one.drain("in")
        meanwhile.extend(one.event_states())
        return Sent("c2" if ours else "c3")

    toy(one).script = [sending]
    one.drain("out")
    assert meanwhile == ["pending"]
    one.later(travel, timedelta(seconds=10))
    assert one.event_states() == ["ignored" if ours else "applied"]
    found = [texts(conversation.id) for conversation in conversations()]
    assert found == [["c1", "Thank you"], *([] if ours else [[" Thank  you "]])], "of another it is a comment"


def test_what_may_be_ours_waits_no_longer_than_other_events(one: Desk, door: Any, travel: Travel) -> None:
    answer = envelope(one, "comment", "c2", post="p1", lane="us", text="Thank you", about="c1")
    come(one, envelope(one, "comment", "c1", post="p1"))
    publicly(one, conversations()[0].id, "Thank you")
    unknown = sa.update(Message).where(Message.external_id.is_(None)).values(state=DeliveryState.UNKNOWN)
    db.write(lambda session: session.execute(unknown) and None)
    door.journal.ingest(source="toy", channel="email", raw=b"", remote="", envelopes=[answer])
    one.drain("in")
    assert one.event_states() == ["pending"]
    for minutes in range(1, 5):
        travel(timedelta(minutes=minutes))
        one.drain("in")
    assert one.event_states() == ["applied"]
    assert [texts(conversation.id) for conversation in conversations()][1] == ["Thank you"]


def test_on_accounts_beside_each_other_one_id_is_one_person(board: Desk) -> None:
    other = board.connect("200")
    board.set_account(other.id, beside_id=board.account.id)
    board.set_account(beside_id=other.id)
    board.account = ref(board.account_row())
    talk = board.customer_wrote("anna", account=ref(board.account_row(other.id)))
    db.write(lambda s: s.execute(sa.update(ContactIdentity).values(username="anna.sample")) and None)
    come(
        board,
        envelope(board, "comment", "c1", post="p1"),
        envelope(board, "comment", "c2", post="p1", lane="bo"),
    )
    again = board.customer_wrote("bo", account=ref(board.account_row(other.id)))
    with db.read() as session:
        contacts = {
            (account, who): contact
            for account, who, contact in session.execute(
                sa.select(ContactIdentity.account_id, ContactIdentity.external_id, ContactIdentity.contact_id)
            )
        }
    assert talk != again
    assert contacts[other.id, "anna"] == contacts[board.account.id, "anna"]
    assert contacts[other.id, "bo"] == contacts[board.account.id, "bo"]
    assert len(set(contacts.values())) == 2
    with db.read() as session:
        mine = sa.select(ContactIdentity.username).where(
            ContactIdentity.account_id == board.account.id, ContactIdentity.external_id == "anna"
        )
        assert session.scalar(mine) == "anna.sample"


def test_an_answer_from_the_providers_app_finds_its_conversation(
    one: Desk, door: Any, travel: Travel
) -> None:
    def receive(kind: str, mid: str, **more: Any) -> None:
        door.journal.ingest(
            source="toy", channel="email", raw=b"", remote="", envelopes=[envelope(one, kind, mid, **more)]
        )

    receive("answer", "a1", lane="", about="c2")
    one.drain("in")
    assert one.event_states() == ["pending"]
    receive("comment", "c1", post="p1")
    receive("comment", "c2", post="p2")
    one.drain("in")
    one.later(travel, timedelta(seconds=10))
    assert message("a1").conversation_id == message("c2").conversation_id
    assert message("a1").direction == Direction.OUTBOUND
    receive("answer", "a2", lane="", about="never")
    one.later(travel, timedelta(minutes=4))
    assert one.event_states() == ["applied"] * 3 + ["ignored"]


def test_what_only_the_provider_can_tell_is_asked_and_comes_like_any_other(
    board: Desk, travel: Travel
) -> None:
    toy(board).found = []
    now = clock.now()
    asked = envelope(board, "mention", "m1", lane="")
    from host.queue import journal_rows

    db.write(journal_rows.write, source="toy", channel="email", envelopes=[asked])
    board.drain("in")
    assert look_up_due(board.generation.directory) == 1
    assert look_up_due(board.generation.directory) == 0
    toy(board).found = [envelope(board, "comment", "c9", post="p1")]
    travel(timedelta(seconds=6))
    assert look_up_due(board.generation.directory) == 1
    board.drain("in")
    assert texts(message("c9").conversation_id) == ["c9"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(LookUp)) == 0
    assert clock.now() > now


def test_a_look_up_that_never_works_is_an_event_that_can_be_replayed(one: Desk, travel: Travel) -> None:
    from host.queue import journal_rows

    db.write(
        journal_rows.write, source="toy", channel="email", envelopes=[envelope(one, "mention", "m1", lane="")]
    )
    one.drain("in")
    for _ in range(5):
        look_up_due(one.generation.directory)
        travel(timedelta(minutes=2))
    assert one.event_states() == ["dead"]


def test_a_public_reply_answers_the_newest_comment_and_is_never_cut_in_pieces(board: Desk) -> None:
    come(board, envelope(board, "comment", "c1", post="p1"), envelope(board, "comment", "c2", post="p1"))
    made = publicly(board, message("c1").conversation_id, "Thanks")
    board.drain("out")
    (request,) = board.toy.sent
    assert (request.part.reply_to, request.part.private) == ("c2", False)
    assert board.state(made.id) == "sent"
    with pytest.raises(TooLongError):
        publicly(board, made.conversation_id, "x" * 101)


def test_a_comment_is_answered_privately_once(board: Desk) -> None:
    come(board, envelope(board, "comment", "c1", post="p1"), envelope(board, "comment", "c2", post="p1"))
    made = privately(board, reply_key="same-key-1")
    assert privately(board, reply_key="same-key-1").id == made.id
    with pytest.raises(PrivateReplyUsedError):
        privately(board)
    board.drain("out")
    (request,) = board.toy.sent
    assert (request.part.reply_to, request.part.private, dict(request.part.content)) == ("c1", True, {})
    with pytest.raises(PrivateReplyUsedError):
        privately(board)
    assert privately(board, "c2").reply_to == "c2"
    with pytest.raises(TooLongError):
        privately(board, "c2", "x" * 51)


def test_a_private_reply_that_was_refused_makes_room_for_another(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    one.toy.script = [Rejected(PROBLEM)]
    first = privately(one)
    one.drain("out")
    second = privately(one, text="again")
    with pytest.raises(PrivateReplyUsedError):
        db.write(resending.retry, first.id)
    one.drain("out")
    assert one.states(first.id, second.id) == ["failed", "sent"]
    with db.read() as session:
        assert session.scalars(sa.select(PrivateReply.message_id)).all() == [second.id]


def test_a_private_reply_of_which_nobody_knows_keeps_its_place(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    one.toy.script = [Unknown(PROBLEM)]
    made = privately(one)
    one.drain("out")
    assert one.state(made.id) == "unknown"
    with pytest.raises(PrivateReplyUsedError):
        privately(one)


def test_the_time_for_a_private_reply_ends(one: Desk, travel: Travel) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"), envelope(one, "comment", "c2", post="p2"))
    waits = privately(one)
    travel(WEEK)
    one.drain("out")
    assert one.state(waits.id) == "failed"
    with pytest.raises(PrivateReplyEndedError, match="The week is over"):
        privately(one, "c2")


def test_a_broadcast_is_asked_about_until_it_is_over(one: Desk, travel: Travel) -> None:
    come(one, envelope(one, "comment", "c1", post="p1", shows="live"))
    toy(one).posts = [
        told.Post("p1", PostKind.LIVE, "We fire", "https://example.com/p1"),
        told.Post("p1", PostKind.LIVE, "We fire", ended_at=clock.now()),
    ]
    assert fetch_due(one.generation.directory) == 1
    assert fetch_due(one.generation.directory) == 0
    travel(timedelta(minutes=2))
    assert fetch_due(one.generation.directory) == 1
    travel(timedelta(days=2))
    assert fetch_due(one.generation.directory) == 0
    with pytest.raises(PrivateReplyEndedError, match="over"):
        privately(one)


GONE = Rejected(PROBLEM, target_gone=True)


def test_a_refusal_that_says_the_comment_is_gone_takes_it_back(board: Desk) -> None:
    come(board, envelope(board, "comment", "c1", post="p1"))
    come(board, envelope(board, "comment", "c2", post="p1"))
    ours = publicly(board, message("c2").conversation_id, "Hello")
    board.toy.script = [GONE]
    board.drain()
    assert board.states(ours.id) == [DeliveryState.FAILED]
    assert message("c2").unsent_at is not None
    with pytest.raises(resending.CommentDeletedError):
        db.write(resending.retry, ours.id)
    private_one = privately(board, "c1")
    board.toy.script = [Rejected(PROBLEM)]
    board.drain()
    assert board.states(private_one.id) == [DeliveryState.FAILED]
    assert message("c1").unsent_at is None, "another refusal says nothing about the comment"


def test_a_comment_of_somebody_else_that_is_gone_is_taken_back_as_well(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1", lane="bo"), envelope(one, "comment", "c2", post="p1"))
    ours = publicly(one, message("c2").conversation_id, "Hello")
    db.write(
        lambda s: s.execute(sa.update(Message).values(reply_to="c1").where(Message.id == ours.id)) and None
    )
    one.toy.script = [GONE]
    one.drain()
    assert message("c1").unsent_at is not None
    assert message("c2").unsent_at is None


def test_a_comment_that_is_gone_is_known_from_a_refusal_to_hide_it(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    moderate(one, Moderated.HIDDEN)
    toy(one).answers = [GONE]
    assert send_due(one.generation.directory) == 1
    assert message("c1").unsent_at is not None


def test_a_post_that_is_gone_is_asked_about_no_more(one: Desk, travel: Travel) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    toy(one).posts = [NoPost("gone", retry=False, gone=True)]
    fetch_due(one.generation.directory)
    travel(timedelta(days=9))
    assert fetch_due(one.generation.directory) == 0
    with db.read() as session:
        assert session.scalars(sa.select(Post.gone_at)).one() is not None


def moderate(desk: Desk, wanted: Moderated, mid: str = "c1") -> MessageModeration | None:
    return do(
        moderating.moderate, desk.workspace_id, message(mid).id, wanted, directory=desk.generation.directory
    )


def test_a_comment_is_hidden_and_shown_again_at_the_provider(board: Desk) -> None:
    come(board, envelope(board, "comment", "c1", post="p1"))
    assert moderate(board, Moderated.SHOWN) is None
    moderate(board, Moderated.HIDDEN)
    moderate(board, Moderated.HIDDEN)
    assert send_due(board.generation.directory) == 1
    moderate(board, Moderated.HIDDEN)
    assert send_due(board.generation.directory) == 0
    moderate(board, Moderated.SHOWN)
    send_due(board.generation.directory)
    wanted = [(one.message, one.recipient, one.wanted) for one in toy(board).moderated]
    assert wanted == [("c1", "anna", Moderated.HIDDEN), ("c1", "anna", Moderated.SHOWN)]


def test_what_the_provider_refuses_stands_as_before_and_can_be_tried_again(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    toy(one).answers = [Rejected(PROBLEM)]
    moderate(one, Moderated.HIDDEN)
    send_due(one.generation.directory)
    with db.read() as session:
        row = session.scalars(sa.select(MessageModeration)).one()
    assert (row.state, row.stood) == ("failed", "shown")
    moderate(one, Moderated.HIDDEN)
    assert send_due(one.generation.directory) == 1


def test_what_was_deleted_can_neither_be_shown_nor_answered(one: Desk) -> None:
    come(one, envelope(one, "comment", "c1", post="p1"))
    moderate(one, Moderated.DELETED)
    send_due(one.generation.directory)
    with pytest.raises(NotSendableError):
        moderate(one, Moderated.SHOWN)
    again = moderate(one, Moderated.DELETED)
    assert again is not None
    assert send_due(one.generation.directory) == 0


def test_an_echo_that_came_before_the_answer_is_drawn_again_as_ours(one: Desk) -> None:
    other = one.connect("200")
    one.set_account(other.id, beside_id=one.account.id)
    one.set_account(beside_id=other.id)
    come(one, envelope(one, "comment", "c1", post="p1"))
    privately(one)
    direct = ref(one.account_row(other.id))
    echo = MessageEchoed("anna", "early", clock.now(), text="Here it is")
    db.write(apply_changes, [Incoming(direct, ToyAdapter(), echo, clock.now(), "echo")])
    one.toy.script = [Sent("early")]
    one.drain("out")
    with db.read() as session:
        of_direct = sa.select(Message.id).where(Message.account_id == other.id)
        theirs = session.scalars(of_direct).one()
        topics = sa.select(DomainEvent.topic).where(DomainEvent.message_id == theirs)
        assert session.scalars(topics.order_by(DomainEvent.id)).all()[-1] == "changed"


def test_a_private_reply_leads_to_the_direct_conversation(board: Desk) -> None:
    other = board.connect("200")
    board.set_account(other.id, beside_id=board.account.id)
    board.set_account(beside_id=other.id)
    board.account = ref(board.account_row())
    direct = ref(board.account_row(other.id))
    come(board, envelope(board, "comment", "c1", post="p1"))
    made = privately(board)
    board.drain("out")
    mid = board.message(made.id).external_id or ""
    by = told.Program(told.Who.DESK)
    echo = MessageEchoed("anna", mid, clock.now(), text="Here it is", sent_by=by)
    plain = ToyAdapter()
    db.write(apply_changes, [Incoming(direct, plain, echo, clock.now(), "echo")])
    with db.read() as session:
        found = private.led_to(session, board.workspace_id, [made.id])
        seen = frozenset({board.account.id})
        assert private.led_to(session, board.workspace_id, [made.id], seen) == {}
        assert private.led_to(session, board.workspace_id, [made.id], seen | {direct.id}) == found
    talk = found[made.id].conversation_id
    with db.read() as session:
        (beside,) = load_messages(session, board.workspace_id, talk, [found[made.id].message_id])
    assert beside.private_reply is not None
    assert beside.private_reply.message_id == made.id
    assert not found[made.id].answered
    assert conversations()[-1].status == "closed"
    with db.read() as session:
        came = private.came_from(session, board.workspace_id, talk)
    assert came is not None
    assert (came.conversation_id, came.message_id) == (made.conversation_id, made.id)
    wrote = MessageReceived("anna", "m2", clock.now() + timedelta(seconds=1), text="thanks")
    db.write(apply_changes, [Incoming(direct, plain, wrote, clock.now(), "wrote")])
    assert conversations()[-1].status == "open"
    with db.read() as session:
        assert private.led_to(session, board.workspace_id, [made.id])[made.id].answered
        row = session.get_one(Conversation, talk)
        assert row.contact_id == session.get_one(Conversation, made.conversation_id).contact_id


def test_accounts_beside_each_other_share_their_credentials_and_nothing_else(board: Desk) -> None:
    def opened() -> AccountRef:
        return ref(db.write(beside.open_beside, board.account.id, "comments", {}))

    first = opened()
    assert opened().id == first.id
    assert board.account_row(first.id).beside_id == board.account.id
    assert board.account_row().beside_id == first.id
    db.write(set_needs_reconnect, first.id, "The token ended.")
    assert board.account_row().state == AccountState.NEEDS_RECONNECT

    def again(session: Any) -> ChannelAccount:
        connection = Connection("100", "Toy", "toy100", "pasted", lambda _session, _account: None)
        return save_account(session, workspace_id=board.workspace_id, channel="email", connection=connection)

    db.write(again)
    assert board.account_row(first.id).state == AccountState.CONNECTED
    db.write(beside.close_beside, board.account.id, "comments")
    assert board.account_row(first.id).state == AccountState.DISCONNECTED
    assert board.account_row().state == AccountState.CONNECTED
    assert opened().id == first.id
