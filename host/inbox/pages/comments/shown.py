"""Threads of comments and rows of the list: how each stands, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from host.inbox.comments import private, standing
from host.inbox.comments.posts import PostRow
from host.inbox.comments.private import LedTo
from host.inbox.comments.standing import Above, Newest, Private
from host.inbox.list_positions import micros
from host.inbox.messages import Entry
from host.inbox.pages import durations, reply_window
from host.inbox.pages.comments.parts import Comment, Mark
from host.inbox.pages.message_view import Line, Quote, Shown
from host.inbox.queries import Row
from host.models.channels import AccountState
from host.models.inbox import ConversationStatus, DeliveryState, Direction
from host.sdk.capabilities import Capabilities, Moderation
from host.sdk.channel import ChannelAdapter, Moderated, PrivateContext, ReplyPolicy, ReplyState
from host.sdk.messages import PostKind
from host.web.languages import gettext as _
from host.web.languages import local

_UNDER_WAY = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})


def policy_of(
    adapter: ChannelAdapter,
    row: Row,
    post: PostRow | None,
    sent_at: datetime,
    content: Mapping[str, object],
    now: datetime,
) -> ReplyPolicy | None:
    """Return whether a message may be answered privately; None: the channel has no private replies."""
    if adapter.capabilities_of(row.account).private_replies is None:
        return None
    value = None if post is None else post.value
    return adapter.private_policy(PrivateContext(row.account, now, sent_at, value, content))


def publicly(can: Capabilities, post: PostRow | None) -> bool:
    """Return whether a message below *post* may be answered for everybody to read."""
    return can.public and (post is None or post.kind not in can.private_only)


# ---- a row of the list ---------------------------------------------------------------------------------


def chip(
    adapter: ChannelAdapter, row: Row, post: PostRow | None, newest: Newest | None, now: datetime
) -> Mark | None:
    """Return the one word the list has for a conversation about a post; None: there is nothing to say."""
    if newest is None:
        return None
    if newest.gone or newest.moderated is Moderated.DELETED:
        return Mark(_("Deleted"), icon="trash")
    if newest.moderated is Moderated.HIDDEN:
        return Mark(_("Hidden"), icon="eye-off")
    if newest.private is not None and newest.private.state == DeliveryState.FAILED:
        return Mark(_("Refused"), "bad", "alert")
    if row.status != ConversationStatus.OPEN or (newest.private is not None and newest.private.stands):
        return None
    if post is not None and post.kind is PostKind.LIVE and post.ended_at is not None:
        return Mark(_("Live is over"), icon="lock")
    policy = policy_of(adapter, row, post, newest.sent_at, newest.content, now)
    if policy is None or policy.state is ReplyState.CLOSED or policy.until is None:
        return None
    left = policy.until - now
    tone = "bad" if left < reply_window.VERY_SOON else "warn" if left < reply_window.SOON else "good"
    return Mark(durations.exact(left), tone, "mail", policy.until)


# ---- a thread ------------------------------------------------------------------------------------------


def dressed(
    session: Session,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    entries: Sequence[Shown],
    now: datetime,
) -> list[Shown]:
    """Return a thread about a post: replies behind what they answer, each entry with how it stands.

    Three statements at most, however many entries.
    """
    mine = [one.entry for one in entries]
    theirs = {one.external_id for one in mine if one.direction == Direction.INBOUND and one.external_id}
    used = standing.privates(session, row.account.id, theirs)
    led = private.led_to(
        session, row.account.workspace_id, [one.id for one in mine if one.private and one.external_id]
    )
    hangs = standing.above(session, row.account.id, {one.reply_to for one in mine if one.reply_to})
    found = [
        _dressed(one, row, post, adapter, used.get(one.entry.external_id or ""), led, hangs, now)
        for one in entries
    ]
    found.sort(key=lambda one: one.order)
    before: Shown | None = None
    for at, one in enumerate(found):
        new_day = before is None or before.day != one.day
        before = found[at] = replace(one, new_day=new_day, continued=False)
    return found


def _dressed(
    one: Shown,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    used: Private | None,
    led: Mapping[int, LedTo],
    hangs: Mapping[str, Above],
    now: datetime,
) -> Shown:
    entry = one.entry
    if entry.direction == Direction.INTERNAL:
        return one
    over = hangs.get(entry.reply_to or "")
    here = over is not None and over.conversation_id == row.id
    if over is not None and here:
        order = f"{micros(over.root_at):020d}-{over.root_id:020d}/{one.order}"
        one = replace(
            one,
            day=local(over.root_at).date().isoformat(),
            day_label=durations.day(over.root_at, now),
            time=durations.moment_beside(entry.sent_at, over.root_at),
        )
    else:
        order = one.order
    bubble = one.bubble
    if entry.unsent_at is not None and not entry.erased:
        bubble = replace(bubble, line=Line("trash", _deleted(entry, one, adapter, row)))
    quote = None if here or over is None else _quote(bubble.quote, over)
    made = _ours(entry, one, led.get(entry.id), now) if entry.private else Comment(order)
    if entry.direction == Direction.INBOUND:
        made = _theirs(entry, row, post, adapter, used, now)
    return replace(one, bubble=replace(bubble, quote=quote), comment=replace(made, order=order, below=here))


def _quote(quote: Quote | None, over: Above) -> Quote | None:
    """Return what is answered that stands in another conversation, in the name of whose it is."""
    return (
        None if quote is None else replace(quote, name=over.name or str(_("Somebody else")), id=None, href="")
    )


def _deleted(entry: Entry, one: Shown, adapter: ChannelAdapter | None, row: Row) -> str:
    assert entry.unsent_at is not None
    time = durations.moment_beside(entry.unsent_at, entry.sent_at)
    if entry.direction == Direction.INBOUND:
        return str(_("Deleted by %(who)s, %(time)s", who=one.name, time=time))
    channel = row.channel if adapter is None else adapter.label
    return str(_("Deleted in the %(channel)s app, %(time)s", channel=channel, time=time))


def _theirs(
    entry: Entry,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    used: Private | None,
    now: datetime,
) -> Comment:
    """Return what is shown of a customer's comment."""
    stood, line, problem = _stands(entry)
    if (
        adapter is None
        or row.account_state == AccountState.DISCONNECTED
        or entry.external_id is None
        or entry.unsent_at is not None
        or stood == Moderated.DELETED
    ):
        return Comment("", standing=stood, line=line, problem=problem)
    can = adapter.capabilities_of(row.account)
    policy = policy_of(adapter, row, post, entry.sent_at, entry.content, now)
    is_hidden = stood == Moderated.HIDDEN
    wanted = None if entry.moderation is None else entry.moderation.wanted
    return Comment(
        "",
        standing=stood,
        line=line,
        problem=problem,
        reply=publicly(can, post),
        privately=policy is not None
        and policy.state is not ReplyState.CLOSED
        and not (used is not None and used.stands),
        hide=Moderation.HIDE in can.moderation and not is_hidden and wanted != Moderated.DELETED,
        show=Moderation.HIDE in can.moderation and is_hidden,
        delete=Moderation.DELETE in can.moderation,
    )


def _stands(entry: Entry) -> tuple[str, str, str]:
    """Return how a comment stands by what the team did, that in a sentence, and what went wrong with it."""
    found = entry.moderation
    if found is None:
        return "", "", ""
    who = found.author_name or found.author or _("the team")
    stood = "" if found.stood == Moderated.SHOWN else found.stood
    said = {
        Moderated.HIDDEN: _("Hidden by %(who)s: only its author still sees it.", who=who),
        Moderated.DELETED: _("Deleted by %(who)s.", who=who),
    }
    coming = {
        Moderated.SHOWN: _("It is being shown again…"),
        Moderated.HIDDEN: _("It is being hidden…"),
        Moderated.DELETED: _("It is being deleted…"),
    }
    if found.state in _UNDER_WAY and found.wanted != found.stood:
        return stood, str(coming[Moderated(found.wanted)]), ""
    problem = ""
    if found.state == DeliveryState.FAILED:
        failed = {
            Moderated.SHOWN: _("It could not be shown again."),
            Moderated.HIDDEN: _("It could not be hidden."),
            Moderated.DELETED: _("It could not be deleted."),
        }
        why = str((found.error or {}).get("sentence") or "")
        problem = f"{failed[Moderated(found.wanted)]} {_(why) if why else ''}".strip()
    # Who last wanted something else and failed did not make it what it is.
    if problem and stood:
        return stood, _("Hidden: only its author still sees it."), problem
    return stood, str(said[Moderated(stood)]) if stood else "", problem


def _ours(entry: Entry, one: Shown, led: LedTo | None, now: datetime) -> Comment:
    """Return what is shown of our private reply."""
    direct = None if led is None else led.conversation_id
    if one.state == DeliveryState.FAILED:
        return Comment("", private=True, state=Mark(_("Refused"), "bad", "alert"))
    if one.state not in {DeliveryState.SENT, DeliveryState.READ}:
        return Comment("", private=True)
    if led is not None and led.answered:
        return Comment("", private=True, state=Mark(_("Answered"), "good", "checks"), direct=direct)
    if one.state == DeliveryState.READ or (led is not None and led.state == DeliveryState.READ):
        return Comment("", private=True, state=Mark(_("Read"), "good", "checks"), direct=direct)
    return Comment(
        "",
        private=True,
        state=Mark(_("Sent, not read yet"), "", "check"),
        note=_("In their requests folder, unless they follow you."),
        direct=direct,
    )
