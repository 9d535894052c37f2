"""Comment threads and list rows for pages, with their states and possible actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core.backports.values import replace
from host.inbox.comments import private, states, threads
from host.inbox.comments.posts import PostRow
from host.inbox.comments.private import LedTo
from host.inbox.comments.states import Newest, Private
from host.inbox.comments.threads import Above, Other, Others, Root
from host.inbox.list_positions import micros, position_text
from host.inbox.messages import Entry
from host.inbox.pages import durations, message_view, reply_window
from host.inbox.pages.comments.parts import Comment, CommentContact, Mark
from host.inbox.pages.message_view import IconLine, Quote, ThreadEntry
from host.inbox.queries import Row
from host.models.channels import AccountState
from host.models.inbox import ARRIVED, ConversationStatus, DeliveryState, Direction
from host.sdk.capabilities import Capabilities, Moderation
from host.sdk.channel import ChannelAdapter, Moderated, PrivateContext, ReplyPolicy, ReplyState
from host.sdk.messages import PostKind
from host.web.languages import gettext as _
from host.web.languages import local, pgettext

_UNDER_WAY = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})


def policy_of(
    adapter: ChannelAdapter,
    row: Row,
    post: PostRow | None,
    sent_at: datetime,
    content: Mapping[str, object],
    now: datetime,
) -> ReplyPolicy | None:
    """Return whether a message may be answered privately; None if the channel has no private replies."""
    if adapter.capabilities_of(row.account).private_replies is None:
        return None
    value = None if post is None else post.value
    return adapter.private_policy(PrivateContext(row.account, now, sent_at, value, content))


def publicly(can: Capabilities, post: PostRow | None) -> bool:
    """Return whether a message below *post* may be answered publicly."""
    return can.public and (post is None or post.kind not in can.private_only)


# ---- a row of the list ---------------------------------------------------------------------------------


def chip(
    adapter: ChannelAdapter, row: Row, post: PostRow | None, newest: Newest | None, now: datetime
) -> Mark | None:
    """Return the chip in the list for a conversation about a post, or None."""
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


class Look(msgspec.Struct, frozen=True):
    """The viewpoint on a thread.

    :param others: whether to show other people's comments too.
    :param whole: the top comment of a thread to show more of; None for none.
    """

    now: datetime
    others: bool = False
    whole: int | None = None


def dressed(
    session: Session,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    entries: Sequence[ThreadEntry],
    look: Look,
) -> list[ThreadEntry]:
    """Return a thread about a post: replies after the comments they answer, each entry with its state.

    A fixed number of statements, however many entries.
    """
    mine = [one.entry for one in entries]
    theirs = {one.external_id for one in mine if one.direction == Direction.INBOUND and one.external_id}
    used = states.privates(session, row.account.id, theirs)
    led = private.led_to(
        session, row.account.workspace_id, [one.id for one in mine if one.private and one.external_id]
    )
    answered = {one.reply_to for one in mine if one.reply_to}
    hangs = threads.above(session, row.id, row.account.id, answered)
    found = threads.Others()
    if look.others:
        roots = _roots(row, mine, hangs)
        most = {one.external_id: threads.MORE for one in roots if one.id == look.whole}
        found = threads.others(session, row.account.workspace_id, row.id, row.account.id, roots, most=most)
    there = {one.entry.external_id for one in found.found}
    made = [
        _dressed(one, row, post, adapter, used.get(one.entry.external_id or ""), led, hangs, there, look.now)
        for one in entries
    ]
    return in_order(
        [*(_with_earlier(one, found) for one in made), *others_shown(found, row, adapter, look.now)]
    )


def in_order(found: list[ThreadEntry]) -> list[ThreadEntry]:
    """Return entries sorted from top to bottom, each with whether a new day begins with it."""
    found.sort(key=lambda one: one.order)
    before: ThreadEntry | None = None
    for at, one in enumerate(found):
        new_day = before is None or before.day != one.day
        before = found[at] = replace(one, new_day=new_day, continued=False)
    return found


def others_shown(found: Others, row: Row, adapter: ChannelAdapter | None, now: datetime) -> list[ThreadEntry]:
    """Return other people's comments for the threads of *row*."""
    return [_with_earlier(_others(one, row, adapter, now), found) for one in found.found]


def _roots(row: Row, mine: Sequence[Entry], hangs: Mapping[str, Above]) -> list[Root]:
    """Return the top comments of the threads of *mine*, whether from this conversation or another."""
    found = {}
    for one in mine:
        over = hangs.get(one.reply_to or "")
        if over is not None and over.root is not None:
            if over.root.conversation_id != row.id:
                found[over.root.id] = over.root
        elif one.direction == Direction.INBOUND and one.external_id and one.unsent_at is None:
            found[one.id] = Root(one.external_id, one.id, row.id, one.sent_at)
    return list(found.values())


def _with_earlier(one: ThreadEntry, found: Others) -> ThreadEntry:
    before = found.earlier.get(one.entry.external_id or "")
    if before is None or one.comment is None:
        return one
    return replace(one, comment=replace(one.comment, earlier=position_text(before)))


def _below(one: ThreadEntry, order: str, root: Root, now: datetime) -> tuple[ThreadEntry, str]:
    """Return an entry as shown below the top comment of its thread, with its sort key."""
    at = root.at
    one = replace(
        one,
        day=local(at).date().isoformat(),
        day_label=durations.day(at, now),
        time=durations.moment_beside(one.entry.sent_at, at),
    )
    return one, f"{micros(at):020d}-{root.id:020d}/{order}"


def _dressed(
    one: ThreadEntry,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    used: Private | None,
    led: Mapping[int, LedTo],
    hangs: Mapping[str, Above],
    there: Collection[str | None],
    now: datetime,
) -> ThreadEntry:
    entry = one.entry
    if entry.direction == Direction.INTERNAL:
        return one
    over = hangs.get(entry.reply_to or "")
    root = None if over is None else over.root
    order = one.order
    if root is not None:
        one, order = _below(one, order, root, now)
    bubble = one.bubble
    if entry.unsent_at is not None and not entry.erased:
        bubble = replace(bubble, line=IconLine("trash", _deleted(entry, one, adapter, row)))
    # No quote if the answered message is shown directly above.
    above = over is None or over.conversation_id == row.id
    above = above or (root is not None and root.external_id == entry.reply_to and entry.reply_to in there)
    quote = None if above or over is None else _quote(bubble.quote, over)
    made = _ours(entry, one, led.get(entry.id), now) if entry.private else Comment(order)
    if entry.direction == Direction.INBOUND:
        made = _theirs(entry, row, post, adapter, used, now)
    comment = replace(made, order=order, below=root is not None)
    is_final = over is not None and not over.is_there
    return replace(one, bubble=replace(bubble, quote=quote), comment=comment, is_final=is_final)


def _others(other: Other, row: Row, adapter: ChannelAdapter | None, now: datetime) -> ThreadEntry:
    """Return a message of another conversation, which is read-only here."""
    author, entry = other.author, other.entry
    name = author.name or author.identity_external_id
    if not author.name and adapter is not None:
        name = adapter.contact_label(author.identity_external_id)
    (one,) = message_view.shown([entry], row, name, adapter, now)
    order = one.order
    if not other.is_root:
        one, order = _below(one, order, other.root, now)
    stood, line, _problem = _stands(entry)
    of = CommentContact(author.contact_id, author.identity_id, author.picture, entry.conversation_id)
    made = Comment(order, below=not other.is_root, standing=stood, line=line, other=of)
    return replace(one, comment=made)


def _quote(quote: Quote | None, over: Above) -> Quote | None:
    """Return a quote of a message in another conversation, with its author's name."""
    if quote is None:
        return None
    words = quote.text if over.is_there else str(_("Deleted comment"))
    return replace(quote, name=over.name or str(_("Someone else")), text=words, id=None, href="")


def _deleted(entry: Entry, one: ThreadEntry, adapter: ChannelAdapter | None, row: Row) -> str:
    assert entry.unsent_at is not None
    time = durations.moment_beside(entry.unsent_at, entry.sent_at)
    if entry.direction == Direction.INBOUND:
        return str(_("Deleted by %(who)s, %(time)s", who=one.name, time=time))
    channel = current_directory().label(row.channel)
    return str(_("Deleted in the %(channel)s app, %(time)s", channel=channel, time=time))


def _theirs(
    entry: Entry,
    row: Row,
    post: PostRow | None,
    adapter: ChannelAdapter | None,
    used: Private | None,
    now: datetime,
) -> Comment:
    """Return the comment data of a customer's comment."""
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
    """Return a comment's moderation state, a sentence about it, and any error."""
    found = entry.moderation
    if found is None:
        return "", "", ""
    who = found.author_name or found.author or _("the team")
    stood = "" if found.stood == Moderated.SHOWN else found.stood
    said = {
        Moderated.HIDDEN: _("Hidden by %(who)s. Only its author can still see it.", who=who),
        Moderated.DELETED: _("Deleted by %(who)s.", who=who),
    }
    coming = {
        Moderated.SHOWN: _("Unhiding…"),
        Moderated.HIDDEN: _("Hiding…"),
        Moderated.DELETED: _("Deleting…"),
    }
    if found.state in _UNDER_WAY and found.wanted != found.stood:
        return stood, str(coming[Moderated(found.wanted)]), ""
    problem = ""
    if found.state == DeliveryState.FAILED:
        failed = {
            Moderated.SHOWN: _("Unhiding failed."),
            Moderated.HIDDEN: _("Hiding failed."),
            Moderated.DELETED: _("Deleting failed."),
        }
        why = str((found.error or {}).get("sentence") or "")
        problem = f"{failed[Moderated(found.wanted)]} {_(why) if why else ''}".strip()
    # The author of a failed request did not cause the current state.
    if problem and stood:
        return stood, _("Hidden. Only its author can still see it."), problem
    return stood, str(said[Moderated(stood)]) if stood else "", problem


def _ours(entry: Entry, one: ThreadEntry, led: LedTo | None, now: datetime) -> Comment:
    """Return the comment data of our private reply."""
    direct = None if led is None else led.conversation_id
    if one.state == DeliveryState.FAILED:
        return Comment("", private=True, state=Mark(_("Refused"), "bad", "alert"))
    if one.state not in ARRIVED:
        return Comment("", private=True)
    if led is not None and led.answered:
        return Comment("", private=True, state=Mark(_("Answered"), "good", "checks"), direct=direct)
    if one.state == DeliveryState.READ or (led is not None and led.state == DeliveryState.READ):
        return Comment(
            "", private=True, state=Mark(pgettext("state", "Read"), "good", "checks"), direct=direct
        )
    return Comment(
        "",
        private=True,
        state=Mark(_("Sent, not read yet"), "", "check"),
        note=_("In their requests folder, unless they follow you."),
        direct=direct,
    )
