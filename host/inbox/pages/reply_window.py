"""The reply window as people see it: a chip in the list, clocks above the composer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from host.inbox.pages import durations
from host.inbox.queries import Row
from host.inbox.reply import policy_for
from host.models.channels import AccountState
from host.models.inbox import Direction
from host.sdk.channel import ChannelAdapter, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.messages import MessageKind
from host.web.languages import gettext as _

WIDTH = 100.0
GAP = 0.6


@dataclass(frozen=True, slots=True)
class Chip:
    """A reply window in the list. *until* None: it does not run out."""

    text: str
    tone: str
    icon: str
    state: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of the clocks, in a drawing :data:`WIDTH` wide; *left* is the part that has not passed."""

    x: float
    width: float
    left_x: float
    left_width: float
    people: bool
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Composing:
    """The state of a composer: whether a reply may be written, until when, and why not.

    :param can_reply: whether a reply may be written.
    :param reason: a short fact, shown bold; empty where a reply may be written as usual.
    :param sentence: the plain sentence after it.
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

    @property
    def signature(self) -> str:
        """Return a value that differs when the page has to draw the composer anew."""
        return f"{self.can_reply}:{self.state}:{self.reason}"


def chip(adapter: ChannelAdapter | None, row: Row, now: datetime) -> Chip | None:
    """Return the chip of a conversation's reply window; None where a reply is always possible."""
    if adapter is None:
        return Chip(_("Channel not active"), "", "lock", "unknown", None)
    if row.out_of_reach(now):
        return Chip(_("Out of reach"), "", "lock", "unreachable", None)
    policy = policy_for(adapter, row.account, row.last_inbound_at, now)
    if policy.state is ReplyState.CLOSED:
        return Chip(_("Window closed"), "", "lock", policy.state, None)
    if policy.until is None:
        return None
    left = durations.short(policy.until - now)
    if policy.state is ReplyState.PEOPLE_ONLY:
        return Chip(_("People only, %(left)s", left=left), "warn", "user", policy.state, policy.until)
    return Chip(_("%(left)s left", left=left), "good", "clock", policy.state, policy.until)


def composing(adapter: ChannelAdapter | None, row: Row, name: str, now: datetime) -> Composing:
    """Return the state of a conversation's composer."""
    if adapter is None:
        return _closed(
            _("This channel is not active."),
            _("No active addon brings it, so nothing can be sent. The conversation stays readable."),
        )
    if row.account_state == AccountState.DISCONNECTED:
        return _closed(
            _("The account is disconnected."),
            _("An owner can connect it again under Settings, Channels. The conversation stays readable."),
        )
    if MessageKind.TEXT not in adapter.capabilities.sends:
        return _closed(_("This channel cannot be replied to."), _("It only receives."))
    unreachable = row.out_of_reach(now)
    if unreachable is not None:
        next_step = _(unreachable.next_step) if unreachable.next_step else ""
        reason = _(unreachable.sentence) if unreachable.sentence else _("This person cannot be written to.")
        return _closed(reason, next_step or _("It opens again when they write."))
    policy = policy_for(adapter, row.account, row.last_inbound_at, now)
    bars = clocks(policy.phases, now)
    limit = adapter.capabilities.text_limit_bytes
    sentence = _(policy.sentence) if policy.sentence else ""
    if policy.state is ReplyState.CLOSED:
        if row.last_inbound_at is None and row.last_direction == Direction.INBOUND:
            # All the customer wrote was imported: say why that opens no window.
            sentence = (
                f"{_('What is here was imported, which opens no time to reply in.')} {sentence}".strip()
            )
        ended = policy.phases[-1].until if policy.phases else None
        return Composing(
            can_reply=False,
            state=policy.state,
            until=None,
            bars=bars,
            left=_("Closed since %(at)s", at=durations.moment(ended, now)) if ended else "",
            then=_("Opens when %(name)s writes", name=name) if ended else "",
            reason=_("You cannot reply here now."),
            sentence=sentence or _("It opens again when the customer writes."),
            limit=limit,
            people_only=False,
        )
    people = policy.state is ReplyState.PEOPLE_ONLY
    reason, sentence = _open_reason(row, people, sentence)
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
    )


def _closed(reason: str, sentence: str) -> Composing:
    return Composing(False, "unavailable", None, (), "", "", reason, sentence, None, False)


def _open_reason(row: Row, people: bool, sentence: str) -> tuple[str, str]:
    """Return reason and sentence of a composer in which a reply may be written."""
    if row.account_state == AccountState.NEEDS_RECONNECT:
        return (
            _("Replies wait."),
            _("The account has to be connected again by an owner; what you write goes out after that."),
        )
    if people:
        return _("Only a person may answer now."), sentence
    return "", sentence


def _then(policy: ReplyPolicy, now: datetime) -> str:
    """Return the sentence about the state after the present one."""
    if policy.until is None:
        return ""
    after = next((phase for phase in policy.phases if phase.since >= policy.until), None)
    if after is not None and after.state is ReplyState.PEOPLE_ONLY:
        return str(_("People only until %(at)s", at=durations.moment(after.until, now)))
    return str(_("Closes %(at)s", at=durations.moment(policy.until, now)))


def clocks(phases: tuple[ReplyPhase, ...], now: datetime) -> tuple[Bar, ...]:
    """Return the stretches of a window as bars: the first of two a little shorter, whatever they last."""
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
