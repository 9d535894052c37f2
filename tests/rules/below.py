"""A desk with an account of posts beside its direct one: customers write below posts, campaigns answer.

Both are of one channel, the one that every fresh database knows: what is written below no post is direct.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.inbox import outcome
from host.models.channels import ChannelAccount, ref
from host.models.inbox import DeliveryState, Direction, Message
from host.models.posts import Post
from host.rules import people
from host.rules import recent_posts as recent
from host.rules.models import RuleState
from host.rules.people import Person
from host.sdk import messages as told
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    PostPage,
    PrivateContext,
    PrivateReplyLimits,
    ProviderProblem,
    QuickReplyLimits,
    ReplyContext,
    ReplyPolicy,
    ReplyState,
    Threading,
)
from host.sdk.messages import MessageReceived, MessageUnsent
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.rules.ruled import Ruled

WEEK = timedelta(days=7)
LINK = "Here is the link: pottery.example/tide"


class Wall(toys.Toy):
    """A channel of messages below posts."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        text_limit_bytes=1000,
        threading=Threading.POST,
        public=True,
        reply_quote=True,
        private_replies=PrivateReplyLimits(1000, QuickReplyLimits(13, 20, 1000), per_hour=750),
        recent_posts=True,
    )

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        self.published: list[told.Post] = []
        self.problem: ProviderProblem | None = None
        self.asked: list[str] = []

    def recent_posts(self, account: AccountRef, after: str) -> PostPage | ProviderProblem:
        """List two posts a page; the cursor is the number of posts before it."""
        self.asked.append(f"list {after}".strip())
        if self.problem is not None:
            return self.problem
        begin = int(after or 0)
        end = begin + 2
        return PostPage(self.published[begin:end], str(end) if end < len(self.published) else "")

    def find_post(self, account: AccountRef, named: str) -> told.Post | ProviderProblem:
        self.asked.append(f"find {named}")
        found = [one for one in self.published if named in {one.external_id, one.url}]
        return found[0] if found else ProviderProblem("none", "There is no such post.", "Copy its link.")

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        return ReplyPolicy(ReplyState.OPEN)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        until = context.sent_at + WEEK
        return ReplyPolicy(ReplyState.OPEN if context.now < until else ReplyState.CLOSED, until)


WALL = Wall()


def open_below(data: Path) -> Below:
    recent.forget_pages()
    WALL.start_afresh()  # one adapter for all tests
    return Below(open_desk(data, WALL))


class Below(Ruled):
    """A desk on which people write below posts."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)

        wall = toys.make_account(desk.workspace, external_id="wall")

        def use_case(session: Session) -> tuple[AccountRef, AccountRef]:
            direct, other = (session.get_one(ChannelAccount, id_) for id_ in (desk.account.id, wall.id))
            direct.beside_id, other.beside_id = other.id, direct.id
            return ref(direct), ref(other)

        self.direct, self.wall = db.write(use_case)

    def comments(
        self, contact: str, text: str, post: str = "mugs", caption: str = "Tide mugs are back", **v: Any
    ) -> str:
        """Let somebody write below a post; return the id of what they wrote."""
        at = v.pop("at", None) or clock.now()
        about = told.Post(post, text=caption, published_at=at - timedelta(days=1))
        name = v.pop("name", f"{contact.title()} Q.")
        return self.scene.said(
            contact, name, text, at, account=self.wall, adapter=WALL, post=about, opens_window=False, **v
        )

    def deletes(self, contact: str, external_id: str) -> None:
        change = MessageUnsent(contact, external_id, clock.now())
        self.scene._apply(self.wall, WALL, change, clock.now())

    def writes(self, contact: str, text: str, at: datetime | None = None) -> None:
        """Let somebody write directly."""
        when = at or clock.now() + timedelta(seconds=1)
        change = MessageReceived(contact, f"direct-{contact}-{when.timestamp()}", when, text=text)
        self.scene._apply(self.direct, WALL, change, when)

    def post(self, external_id: str = "mugs") -> int:
        with db.read() as session:
            return session.scalars(sa.select(Post.id).where(Post.external_id == external_id)).one()

    def campaign(
        self,
        words: Sequence[str] = ("tide",),
        *,
        texts: Sequence[str] = ("Look into your messages", "Sent"),
        post: dict[str, Any] | None = None,
        name: str = "Tide",
        state: RuleState = RuleState.LIVE,
        quick_replies: Sequence[str] = (),
        text: str = LINK,
        **campaign: Any,
    ) -> int:
        """Add a campaign and return its id."""
        private = {"do": "privately", "text": text, "quick_replies": list(quick_replies)}
        public = [{"do": "publicly", "texts": list(texts)}] if texts else []
        return self.rule(
            private,
            *public,
            name=name,
            state=state,
            conditions=[post or {"if": "post"}, {"if": "words", "words": list(words)}],
            once="contact",
            campaign=campaign,
        )

    def people(self, rule_id: int, **wanted: Any) -> list[Person]:
        with db.read() as session:
            return people.listing(session, rule_id, **wanted)

    def got(self, rule_id: int) -> dict[str, tuple[str, str, int]]:
        """Return of each person what they got, why, and in how many comments they asked."""
        return {one.handle: (one.got, one.reason, one.messages) for one in self.people(rule_id)}

    def ours(self) -> list[tuple[str, bool]]:
        """Return what was queued, oldest first, each with whether it is private."""
        with db.read() as session:
            query = sa.select(Message.text, Message.content).where(Message.direction == Direction.OUTBOUND)
            found = session.execute(query.order_by(Message.id))
            return [(text, content.get("private") is True) for text, content in found]

    def sends(self) -> None:
        """Let the provider take everything that is queued."""
        with db.read() as session:
            ids = session.scalars(
                sa.select(Message.id).where(
                    Message.direction == Direction.OUTBOUND, Message.state == DeliveryState.QUEUED
                )
            ).all()
        for id_ in ids:
            db.write(outcome.record_sent, id_, f"went-{id_}")
