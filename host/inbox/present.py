"""Rows as people see them: names, lines, states. Templates only lay out what is decided here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _
from flask_babel import to_user_timezone

from host.inbox import contents, durations, kinds, links, windows
from host.inbox.bubbles import bubble, speaker
from host.inbox.looks import Around, Bubble
from host.inbox.models import DeliveryState, Direction, InternalKind, Origin
from host.inbox.places import micros
from host.inbox.queries import Row
from host.inbox.threads import Entry
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import Handover, MessageKind

TOGETHER = timedelta(minutes=5)
"""Messages of one person within this time stand together under one avatar."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the list.

    :param prefix: who wrote the last line, where it was not the customer: ``You:``, ``Bo:``.
    """

    row: Row
    name: str
    handle: str
    label: str
    time: str
    prefix: str
    icon: str
    line: str
    chip: windows.Chip | None

    @property
    def order(self) -> str:
        """Return what the list is sorted by, largest first."""
        return f"{micros(self.row.last_message_at):020d}-{self.row.id:020d}"


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry of a thread.

    :param who: equal for entries of one person on one side.
    :param day: the reader's day, as a date; *day_label* in words.
    :param label: who, what and when, for whoever cannot see it.
    """

    entry: Entry
    who: str
    name: str
    day: str
    day_label: str
    time: str
    continued: bool
    new_day: bool
    label: str
    bubble: Bubble
    state: str
    waiting_for: str
    waiting_about: str

    @property
    def out(self) -> bool:
        return self.entry.direction == Direction.OUTBOUND

    @property
    def echo(self) -> bool:
        return self.entry.origin == Origin.PROVIDER

    @property
    def order(self) -> str:
        """Return what a thread is sorted by, smallest first."""
        return f"{micros(self.entry.sent_at):020d}-{self.entry.id:020d}"


def name_of(row: Row, adapter: ChannelAdapter | None) -> str:
    """Return what to call the contact of a conversation: what they are called, else their id told briefly."""
    named = row.contact_name or row.identity_name or row.username or row.contact_email
    if named:
        return named
    return row.identity_external_id if adapter is None else adapter.contact_label(row.identity_external_id)


def handle_of(row: Row, name: str) -> str:
    """Return the contact's handle or address, unless it is what they are called by already."""
    if row.username and row.username != name:
        return row.username if "@" in row.username else f"@{row.username}"
    return row.contact_email if row.contact_email and row.contact_email != name else ""


def listed(row: Row, adapter: ChannelAdapter | None, user_id: int, now: datetime) -> Listed:
    """Return *row* as the list shows it."""
    name = name_of(row, adapter)
    look = kinds.look(row.last_kind)
    plain = row.last_kind == MessageKind.TEXT
    return Listed(
        row=row,
        name=name,
        handle=handle_of(row, name),
        label=row.channel if adapter is None else adapter.label,
        time=durations.since(row.last_message_at, now),
        prefix=_prefix(row, user_id),
        icon="" if plain else look.icon,
        line=_list_line(row),
        chip=windows.chip(adapter, row, now),
    )


def _list_line(row: Row) -> str:
    """Return what the last message said, or what it was."""
    if not row.last_preview:
        return (
            row.subject or "" if row.last_kind == MessageKind.TEXT else str(kinds.look(row.last_kind).label)
        )
    text = links.plain(row.last_preview)
    return str(_("Tapped “%(what)s”", what=text)) if row.last_kind in kinds.TAPS else text


def _prefix(row: Row, user_id: int) -> str:
    if row.last_direction != Direction.OUTBOUND:
        return ""
    if row.last_author_id == user_id:
        return str(_("You:"))
    if row.last_author_name:
        return str(_("%(name)s:", name=row.last_author_name.split()[0]))
    return str(_("Team:"))


def shown(entries: Sequence[Entry], row: Row, adapter: ChannelAdapter | None, now: datetime) -> list[Shown]:
    """Return *entries* as the thread shows them, each knowing whether it continues the one before."""
    name = name_of(row, adapter)
    where = Around(
        workspace_id=row.account.workspace_id,
        conversation_id=row.id,
        contact=name,
        channel=row.channel if adapter is None else adapter.label,
        here=frozenset(entry.id for entry in entries),
        mobile_only=frozenset() if adapter is None else frozenset(adapter.capabilities.mobile_only),
        settings=row.account.settings,
        buttons=frozenset(
            payload
            for entry in entries
            if entry.kind == MessageKind.TEMPLATE
            for payload in contents.payloads(entry.content)
        ),
    )
    result: list[Shown] = []
    for entry in entries:
        before = result[-1] if result else None
        who = _who(entry)
        local_day = to_user_timezone(entry.sent_at).date().isoformat()
        new_day = before is None or before.day != local_day
        continued = (
            before is not None
            and not new_day
            and before.who == who
            and who != ""
            and entry.sent_at - before.entry.sent_at < TOGETHER
        )
        author = name if entry.direction == Direction.INBOUND else _ours(entry)
        time = durations.clock_time(entry.sent_at)
        made = bubble(entry, where)
        waiting = entry.waiting if entry.state in {DeliveryState.QUEUED, DeliveryState.UNKNOWN} else None
        result.append(
            Shown(
                entry=entry,
                who=who,
                name=author,
                day=local_day,
                day_label=durations.day(entry.sent_at, now),
                time=time,
                continued=continued,
                new_day=new_day,
                label=str(
                    _(
                        "%(who)s: %(what)s, %(time)s",
                        who=speaker(entry, where),
                        what=made.label,
                        time=time,
                    )
                ),
                bubble=made,
                state=_state(entry, row),
                waiting_for=str(_(waiting["sentence"])) if waiting and waiting.get("sentence") else "",
                waiting_about=_about(waiting.get("until") if waiting else None, now),
            )
        )
    return result


def _ours(entry: Entry) -> str:
    """Return who on our side wrote *entry*: a person, or a program by the name of its key."""
    if entry.author_name or entry.origin != Origin.API:
        return entry.author_name or ""
    return str(entry.content.get("by") or _("API"))


def _state(entry: Entry, row: Row) -> str:
    """Return the state to show: where the team does not want to know who has looked, sent is all it says."""
    if entry.state == DeliveryState.READ and row.account.settings.get("show_seen") is False:
        return DeliveryState.SENT
    return entry.state or ""


def _who(entry: Entry) -> str:
    """Return a key of who wrote *entry*; empty for what stands alone."""
    if entry.direction == Direction.INTERNAL:
        return ""
    if entry.direction == Direction.INBOUND:
        return "in"
    if entry.origin in {Origin.PROVIDER, Origin.API}:
        return str(entry.origin)
    return f"out-{entry.author_id or 0}"


def _about(until: object, now: datetime) -> str:
    """Return about how long until the moment *until* (ISO 8601); empty if nobody knows or it has come."""
    if not isinstance(until, str):
        return ""
    try:
        at = datetime.fromisoformat(until)
    except ValueError:
        return ""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at <= now:
        return ""
    left = at - now
    return str(_("less than a minute")) if left < timedelta(minutes=1) else durations.short(left)


def activity(entry: Entry) -> tuple[str, str]:
    """Return the icon and the sentence of an activity line; one nobody has thought of yet has both too."""
    who = entry.author_name or str(entry.content.get("by") or _("Somebody"))
    name = str(entry.content.get("name", ""))
    what = entry.content.get("what")
    if what == "assigned":
        return "user", str(_("%(who)s assigned this to %(name)s", who=who, name=name))
    if what == "took":
        return "user", str(_("%(who)s took this over", who=who))
    if what == "unassigned":
        return "user", str(_("%(who)s left this to nobody", who=who))
    if what == "closed":
        return "check", str(_("%(who)s closed this", who=who))
    if what == "reopened":
        return "unsend", str(_("%(who)s opened this again", who=who))
    if what == "erased":
        return "trash", str(_("%(who)s erased this customer", who=who))
    if what == "reopened_by_message":
        return "unsend", str(_("Opened again by a new message"))
    if what == "handed_over":
        return "info", _handed_over(entry)
    return "info", str(_("%(who)s changed this conversation", who=who))


def _handed_over(entry: Entry) -> str:
    """Return what became of a conversation that several programs can answer."""
    how, note = entry.content.get("how"), str(entry.content.get("note") or "")
    if how == Handover.PASSED:
        said = _("This conversation was passed from one app to another")
    elif how == Handover.TAKEN:
        said = _("An app took this conversation over")
    elif how == Handover.REQUESTED:
        said = _("An app asked to take this conversation over")
    else:
        said = _("What apps may do in this conversation changed")
    return str(_("%(what)s: “%(note)s”", what=said, note=note)) if note else str(said)


def is_note(entry: Entry) -> bool:
    """Tell whether *entry* is a private note."""
    return entry.kind == InternalKind.NOTE
