"""Conversations about posts, for tests of their pages: an account of comments beside a direct one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox import outcome
from host.inbox.apply.changes import apply_changes
from host.inbox.comments.private import queue_private
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation, DeliveryState, Message
from host.models.posts import MessageModeration, Post
from host.sdk import messages as told
from host.sdk.channel import Moderated
from host.sdk.messages import MessageEchoed, MessageReceived, MessageUnsent, PostKind
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.desks import Desk

PLAIN = toys.Toy()
"""The adapter of the direct account, in what is applied by hand: one conversation per contact."""


class Board:
    """Writes comments into a desk whose channel is :data:`tests.inbox.toys.PUBLIC`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = clock.now()
        self.direct = toys.make_account(desk.workspace, beside_id=desk.account.id, name="Direct")
        toys.change_row(ChannelAccount, desk.account.id, beside_id=self.direct.id)

    def ago(self, **values: float) -> datetime:
        return self.now - timedelta(**values)

    def post(
        self, external_id: str = "p1", text: str = "Tide mugs are back. Twelve of them.", **values: Any
    ) -> int:
        """Return the id of a post, as a worker that asked about it left it."""

        def use_case(session: Session) -> int:
            query = sa.select(Post).where(Post.external_id == external_id)
            row = session.scalars(query).one_or_none()
            if row is None:
                row = Post(
                    workspace_id=self.desk.workspace,
                    account_id=self.desk.account.id,
                    external_id=external_id,
                    kind=PostKind.POST,
                    text=text,
                    url="https://provider.example/p/1",
                    owner="",
                    failures=0,
                    created_at=self.now,
                    published_at=self.now - timedelta(days=2),
                )
                session.add(row)
            for name, value in values.items():
                setattr(row, name, value)
            session.flush()
            return row.id

        return db.write(use_case)

    def said(
        self,
        contact: str,
        name: str,
        text: str,
        at: datetime,
        *,
        post: str = "p1",
        mid: str = "",
        about: str | None = None,
    ) -> int:
        """A customer comments; return the id of the message."""
        external_id = mid or f"c-{contact}-{at.timestamp()}"
        change = MessageReceived(
            contact=contact,
            contact_name=name,
            contact_username=contact,
            external_id=external_id,
            text=text,
            sent_at=at,
            opens_window=False,
            post=told.Post(post),
            reply_to=about,
        )
        self._apply(change, at)
        return self.message(external_id)

    def wrote(self, contact: str, name: str, text: str, at: datetime) -> int:
        """A customer writes to the direct account; return the conversation."""
        mid = f"d-{contact}-{at.timestamp()}"
        change = MessageReceived(
            contact=contact,
            contact_name=name,
            contact_username=contact,
            external_id=mid,
            text=text,
            sent_at=at,
        )
        self._apply(change, at, account=self.direct, adapter=PLAIN)
        return self._direct_of(mid)

    def sent_privately(self, contact: str, name: str, external_id: str, text: str, at: datetime) -> int:
        """The provider tells the direct account of a private reply; return the conversation it began."""
        change = MessageEchoed(contact=contact, external_id=external_id, text=text, sent_at=at)
        self._apply(change, at, account=self.direct, adapter=PLAIN)
        return self._direct_of(external_id)

    def took_back(self, contact: str, external_id: str, at: datetime) -> None:
        self._apply(MessageUnsent(contact=contact, external_id=external_id, at=at), at)

    def _apply(self, change: Any, at: datetime, account: Any = None, adapter: Any = toys.PUBLIC) -> None:
        item = toys.incoming(
            account or self.desk.account, change, adapter=adapter, received_at=at + timedelta(seconds=1)
        )
        with clock.travel(item.received_at - clock.now()):
            db.write(apply_changes, [item])

    def message(self, external_id: str) -> int:
        with db.read() as session:
            return session.scalars(sa.select(Message.id).where(Message.external_id == external_id)).one()

    def _direct_of(self, external_id: str) -> int:
        with db.read() as session:
            query = sa.select(Message.conversation_id).where(
                Message.external_id == external_id, Message.account_id == self.direct.id
            )
            return session.scalars(query).one()

    def conversation(self, contact: str) -> int:
        """Return the newest conversation of a contact below a post."""
        with db.read() as session:
            query = (
                sa.select(Conversation.id)
                .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
                .where(ContactIdentity.external_id == contact, Conversation.post_id.is_not(None))
                .order_by(Conversation.id.desc())
            )
            return session.scalars(query).first() or 0

    def private(self, message_id: int, text: str, at: datetime, external_id: str = "") -> int:
        """Reply to a comment privately; with *external_id* it was sent. Return ours."""
        with db.read() as session:
            about = session.get_one(Message, message_id)
        made = do(
            queue_private,
            self.desk.workspace,
            about.conversation_id,
            message_id,
            text,
            reply_key=f"private-{message_id}-{int(at.timestamp())}",
            adapter=toys.PUBLIC,
            actor=self.desk.mia.id,
            now=at,
        )
        if external_id:
            db.write(outcome.record_sent, made.id, external_id)
        return made.id

    def stands(
        self,
        message_id: int,
        wanted: Moderated,
        *,
        state: str = DeliveryState.SENT,
        stood: str = "",
        **values: Any,
    ) -> None:
        """Somebody hid or deleted a comment, and a worker told the provider."""

        def use_case(session: Session) -> None:
            message = session.get_one(Message, message_id)
            done = stood or (wanted if state == DeliveryState.SENT else Moderated.SHOWN)
            row = MessageModeration(
                message_id=message_id,
                workspace_id=message.workspace_id,
                conversation_id=message.conversation_id,
                account_id=message.account_id,
                wanted=wanted,
                stood=done,
                author_id=self.desk.mia.id,
                author="",
                at=self.now,
                state=state,
                attempts=1,
            )
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

        db.write(use_case)

    def contact_of(self, conversation_id: int) -> int:
        with db.read() as session:
            return session.scalars(
                sa.select(Contact.id)
                .join(Conversation, Conversation.contact_id == Contact.id)
                .where(Conversation.id == conversation_id)
            ).one()
