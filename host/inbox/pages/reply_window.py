"""The reply window on pages: a chip in the list, clocks above the composer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from host.channels.directory import Directory
from host.inbox.messages import ACCOUNT_LIMIT
from host.inbox.pages import durations
from host.inbox.queries import Row, Stretch
from host.inbox.reply import policy_for
from host.models.channels import AccountState
from host.models.inbox import ConversationStatus
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _

WIDTH = 100.0
GAP = 0.6


class Chip(msgspec.Struct, frozen=True):
    """A reply window in the list. *until* is None if it does not end."""

    text: str
    tone: str
    icon: str
    state: str
    until: datetime | None

    @property
    def shown(self) -> bool:
        """Whether to show it now; not if hours are left."""
        return self.until is None or bool(self.tone)


class Bar(msgspec.Struct, frozen=True):
    """A period of the clocks, in a drawing :data:`WIDTH` wide; *left_x* and *left_width* are its remaining
    part."""

    x: float
    width: float
    left_x: float
    left_width: float
    people: bool
    since: datetime
    until: datetime


class Composing(msgspec.Struct, frozen=True):
    """The state of a composer: whether a reply may be written, until when, and why not.

    :param can_reply: whether a reply may be written.
    :param reason: a short fact, shown in bold; empty if a reply may be written without restrictions.
    :param sentence: the sentence after it.
    """

    can_reply: bool
    state: str
    until: datetime | None
    bars: tuple[Bar, ...]
    left: str
    then: str
    reason: str
    sentence: str
    limit: int | None
    people_only: bool
    waits_until: datetime | None = None
    """Until when a provider's limit delays replies."""
    mends: str = ""
    """The page that mends the cause: ``account`` (its card), ``addon`` (the addons), or empty."""

    @property
    def signature(self) -> str:
        """Return a value that changes when the page has to render the whole composer again."""
        return f"{self.can_reply}:{self.state}:{'' if self.can_reply else self.reason}"


SOON, VERY_SOON = timedelta(hours=3), timedelta(minutes=30)
"""Remaining times from which the list warns, and warns more strongly; the same as in ``inbox-time.js``."""


def chip(adapter: ChannelAdapter | None, row: Row, now: datetime) -> Chip | None:
    """Return the chip of a conversation's reply window.

    None if the customer doesn't wait for an answer, or one is always possible. That no active addon provides
    the channel is said once above the list. :attr:`Chip.shown` decides whether it is shown.
    """
    if adapter is None or row.status != ConversationStatus.OPEN or row.waiting_since is None:
        return None
    if row.out_of_reach(now):
        return Chip(_("Not reachable"), "", "lock", "unreachable", None)
    policy = policy_for(adapter, row.account, row.last_inbound_at, now)
    if policy.state is ReplyState.CLOSED:
        return Chip(_("Window closed"), "", "lock", policy.state, None)
    if policy.until is None:
        return None
    left = policy.until - now
    tone = "bad" if left < VERY_SOON else "warn" if left < SOON else ""
    people = policy.state is ReplyState.PEOPLE_ONLY
    return Chip(durations.exact(left), tone, "user" if people else "clock", policy.state, policy.until)


def ends_at(adapter: ChannelAdapter | None, row: Row, now: datetime) -> datetime | None:
    """Return when the current period of a reply window ends; None if it does not end, or has ended."""
    return None if adapter is None else policy_for(adapter, row.account, row.last_inbound_at, now).until


def stretches(accounts: Iterable[AccountRef], directory: Directory, now: datetime) -> list[Stretch]:
    """Return the periods after a customer's message in which *accounts* may reply.

    Accounts with the same window share a period. A window counts from the message, so the policy for a
    message written now applies to any time.
    """
    found: dict[tuple[timedelta, timedelta | None], set[int]] = {}
    for account in accounts:
        adapter = directory.adapter(account.channel)
        if adapter is None:
            continue
        policy = policy_for(adapter, account, now, now)
        lengths: list[tuple[timedelta, timedelta | None]] = [
            (phase.since - now, phase.until - now) for phase in policy.phases
        ]
        if not lengths and policy.state is not ReplyState.CLOSED:
            lengths = [(timedelta(0), None if policy.until is None else policy.until - now)]
        for length in lengths:
            found.setdefault(length, set()).add(account.id)
    return [Stretch(frozenset(ids), since, until) for (since, until), ids in found.items()]


def composing(adapter: ChannelAdapter | None, row: Row, name: str, now: datetime) -> Composing:
    """Return the state of a conversation's composer."""
    if adapter is None:
        return _closed(
            _("This channel is not active."),
            _("Its addon is not active, so nothing can be sent. The conversation stays readable."),
            "addon",
        )
    if row.account_state == AccountState.DISCONNECTED:
        return _closed(
            _("The account is disconnected."),
            _("An owner can reconnect it under Settings, Channels. The conversation stays readable."),
            "account",
        )
    if MessageKind.TEXT not in adapter.capabilities.sends:
        return _closed(_("This channel cannot be replied to."), _("It only receives."))
    unreachable = row.out_of_reach(now)
    if unreachable is not None:
        next_step = _(unreachable.next_step) if unreachable.next_step else ""
        reason = _(unreachable.sentence) if unreachable.sentence else _("This person cannot be messaged.")
        return _closed(reason, next_step or _("It opens again when they write."))
    policy = policy_for(adapter, row.account, row.last_inbound_at, now)
    bars = clocks(policy.phases, now)
    limit = adapter.capabilities.text_limit
    sentence = _(policy.sentence) if policy.sentence else ""
    if policy.state is ReplyState.CLOSED:
        ended = policy.phases[-1].until if policy.phases else None
        return Composing(
            can_reply=False,
            state=policy.state,
            until=None,
            bars=bars,
            left=_("Closed since %(at)s", at=durations.moment(ended, now)) if ended else "",
            then=_("Opens when %(name)s writes", name=name) if ended else "",
            reason=_("You cannot reply here right now."),
            sentence=sentence or _("It opens again when the customer writes."),
            limit=limit,
            people_only=False,
        )
    people = policy.state is ReplyState.PEOPLE_ONLY
    reason, sentence = _open_reason(row, people, sentence, now)
    return Composing(
        can_reply=True,
        state=policy.state,
        until=policy.until,
        bars=bars,
        left=durations.exact(policy.until - now) if policy.until else "",
        then=_then(policy, now),
        reason=reason,
        sentence=sentence,
        limit=limit,
        people_only=people,
        waits_until=row.blocked_until if row.held_back(now) else None,
        mends="account" if row.account_state == AccountState.NEEDS_RECONNECT else "",
    )


def _closed(reason: str, sentence: str, mends: str = "") -> Composing:
    return Composing(False, "unavailable", None, (), "", "", reason, sentence, None, False, mends=mends)


def nothing_to_answer() -> Composing:
    """Return the composer's state if replies must answer a comment and none is left."""
    return _closed(
        _("There are no comments to reply to."), _("They were all deleted. Wait until they write again.")
    )


def nothing_possible(why: str) -> Composing:
    """Return the composer's state for a post whose comments cannot, or can no longer, be answered."""
    return _closed(_("Comments on this post cannot be replied to publicly."), why)


def _open_reason(row: Row, people: bool, sentence: str, now: datetime) -> tuple[str, str]:
    """Return reason and sentence of a composer that accepts a reply."""
    if row.account_state == AccountState.NEEDS_RECONNECT:
        return (
            _("Replies are on hold."),
            _("An owner needs to reconnect the account. Your replies are sent after that."),
        )
    if row.blocked_until is not None and row.held_back(now):
        why = _(row.blocked_reason or ACCOUNT_LIMIT)
        until = _("Your replies are sent after %(at)s.", at=durations.moment_beside(row.blocked_until, now))
        person = _("Only a person can reply now.") if people else ""
        return _("Replies are on hold."), " ".join(filter(None, (why, until, person)))
    if people:
        return _("Only a person can reply now."), sentence
    return "", sentence


def _then(policy: ReplyPolicy, now: datetime) -> str:
    """Return the sentence about the state after the current one."""
    if policy.until is None:
        return ""
    after = next((phase for phase in policy.phases if phase.since >= policy.until), None)
    if after is not None and after.state is ReplyState.PEOPLE_ONLY:
        return str(_("People only until %(at)s", at=durations.moment(after.until, now)))
    return str(_("Closes %(at)s", at=durations.moment(policy.until, now)))


def clocks(phases: tuple[ReplyPhase, ...], now: datetime) -> tuple[Bar, ...]:
    """Return the periods of a window as bars; the first of two is always a little shorter."""
    if not phases:
        return ()
    shares = [0.4, 0.6] if len(phases) == 2 else [1 / len(phases)] * len(phases)
    bars: list[Bar] = []
    x = 0.0
    for index, (phase, share) in enumerate(zip(phases, shares, strict=True)):
        gap = GAP if index else 0.0
        start, width = x + gap, WIDTH * share - gap
        length = (phase.until - phase.since).total_seconds()
        passed = (now - phase.since).total_seconds() / length if length > 0 else 1.0
        passed = min(1.0, max(0.0, passed))
        bars.append(
            Bar(
                x=round(start, 2),
                width=round(width, 2),
                left_x=round(start + width * passed, 2),
                left_width=round(width * (1 - passed), 2),
                people=phase.state is ReplyState.PEOPLE_ONLY,
                since=phase.since,
                until=phase.until,
            )
        )
        x += WIDTH * share
    return tuple(bars)
