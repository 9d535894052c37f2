"""The composer of a conversation about a post: the comment to answer, publicly or privately."""

from __future__ import annotations

from datetime import datetime

import msgspec

from host.core.backports.values import replace
from host.inbox.comments import states
from host.inbox.pages import durations, reply_window, text_view
from host.inbox.pages.comments.shown import policy_of, publicly
from host.inbox.pages.context import InboxContext
from host.inbox.pages.reply_window import Bar
from host.inbox.queries import Row
from host.sdk.channel import ReplyPhase, ReplyState
from host.web.languages import gettext as _

EXCERPT = 90
"""Maximum characters shown of the comment to answer."""


class Answering(msgspec.Struct, frozen=True):
    """The comment to answer, and the ways to answer it.

    :param target: id of the comment; None if there is none.
    :param words: its text, shortened.
    :param publicly: whether a public answer is allowed.
    :param private: whether the channel has private replies; *can_privately*: whether one is allowed here.
    :param limit: maximum bytes of a private reply.
    :param left: time left for it; *until*: the deadline. Empty and None without a deadline.
    :param why: why a private reply is no longer possible.
    """

    target: int | None = None
    words: str = ""
    publicly: bool = True
    private: bool = False
    can_privately: bool = False
    limit: int | None = None
    until: datetime | None = None
    left: str = ""
    bars: tuple[Bar, ...] = ()
    why: str = ""

    @property
    def signature(self) -> str:
        """Return a value that changes when the page has to render the composer again."""
        return f"{self.target}:{self.publicly}:{self.can_privately}:{self.why}"

    @property
    def is_possible(self) -> bool:
        """Return whether the comment can be answered publicly or privately."""
        return self.publicly or self.can_privately


def answering(inbox: InboxContext, row: Row, wanted: int | None) -> Answering | None:
    """Return the comment to answer; None without a post, or if the channel has no public messages.

    :param wanted: the chosen comment; if None or deleted, the newest.
    """
    adapter = inbox.adapter(row)
    if row.post_id is None or adapter is None:
        return None
    can = adapter.capabilities_of(row.account)
    if not can.public:
        return None
    target = states.to_answer(inbox.session, row.id, wanted)
    limits = can.private_replies
    if target is None:
        return Answering(private=limits is not None)
    words = text_view.start(" ".join(text_view.plain(target.text).split()), EXCERPT)
    public = Answering(target.id, words, publicly(can, inbox.post(row)))
    if limits is None:
        return public
    found = replace(public, private=True, limit=limits.text_limit_bytes)
    used = states.privates(inbox.session, row.account.id, [target.external_id]).get(target.external_id)
    if used is not None and used.stands:
        return replace(found, why=_("Used on %(time)s", time=durations.moment(used.at, inbox.now)))
    policy = policy_of(adapter, row, inbox.post(row), target.sent_at, target.content, inbox.now)
    if policy is None or policy.state is ReplyState.CLOSED:
        why = _(policy.sentence) if policy is not None and policy.sentence else ""
        return replace(found, why=why or _("This comment can no longer be replied to privately."))
    until = policy.until
    phases = () if until is None else (ReplyPhase(ReplyState.OPEN, target.sent_at, until),)
    return replace(
        found,
        can_privately=True,
        until=until,
        left="" if until is None else durations.exact(until - inbox.now),
        bars=reply_window.clocks(phases, inbox.now),
    )
