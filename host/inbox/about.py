"""What is said about messages: reactions, edits, unsends. Each in any order, doubled, before its message.

Everything a batch says about one message is gathered first, together with what the table of marks still holds
for it. Then it is settled: a message of the batch is changed in memory, one that was there before in its row;
for one that has not come, it becomes a mark, and a line of the conversation that says so until it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from host.inbox.batch import Batch
from host.inbox.cleaning import clean, clean_short, external_id
from host.inbox.incoming import Incoming, believable
from host.inbox.lines import line_key
from host.inbox.models import Actor, Direction, InternalKind, MarkKind, Origin
from host.inbox.preview import empty, preview
from host.inbox.rows import Fresh, Key, Known, Person, Thread
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageEdited, MessageKind, MessageReacted, MessageUnsent

Change = MessageReacted | MessageEdited | MessageUnsent


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """A text and its place among the edits of a message: the highest number holds, then the latest."""

    number: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Reacted:
    """What became of one side's reaction; the latest holds."""

    at: datetime
    removed: bool
    name: str
    emoji: str


@dataclass(slots=True)
class About:
    """All that is known about one message beside the message itself.

    :param until: the latest time of anything said about it in this batch.
    :param sources: ids of journalled events that hold a text of it.
    :param carried_by: dedupe keys of more of them.
    """

    account: AccountRef
    person: Person
    channel: str
    until: datetime
    edit: Edit | None = None
    unsent_at: datetime | None = None
    reactions: dict[str, Reacted] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    carried_by: set[str] = field(default_factory=set)
    news: bool = False
    """Whether any of it was said in this batch, and is not only what marks remember."""


def gather(batch: Batch, items: Sequence[Incoming]) -> dict[Key, About]:
    """Return what marks and *items* say, by the message it is about.

    Nobody may speak about somebody else's message: what does is among the batch's refused.
    """
    found = _remembered(batch)
    for item in items:
        change = item.change
        if not isinstance(change, Change):
            continue
        at = believable(change.at, item.received_at)
        key = item.account.id, external_id(change.external_id)
        person = batch.people[item.account.id, external_id(change.contact)]
        if isinstance(change, MessageEdited) and person.erased_at is not None and at <= person.erased_at:
            change = replace(change, text="")  # what was said until then is not kept
            if item.event_id is not None:
                batch.forgotten.events.add(item.event_id)
        about = found.get(key)
        owner = batch.owner(key)
        if batch.is_of_another(key, person) or (owner is None and about and about.person is not person):
            batch.refused.append((key, item))
            continue
        if about is None or about.person is not person:
            about = found[key] = About(item.account, person, item.adapter.key, at)
        about.news = True
        about.channel = item.adapter.key
        about.until = max(about.until, at)
        _take(about, change, at, item.event_id)
    return found


def _remembered(batch: Batch) -> dict[Key, About]:
    found: dict[Key, About] = {}
    by_id = {person.id: person for person in batch.people.values() if person.id is not None}
    for row in batch.marks:
        person = by_id.get(row.identity_id)
        if person is None:
            continue
        key = row.account_id, row.external_id
        about = found.setdefault(key, About(person.account, person, "", row.at))
        about.sources.update(row.sources or ())
        if row.kind == MarkKind.EDIT:
            about.edit = Edit(row.number, row.at, row.text)
        elif row.kind == MarkKind.UNSEND:
            about.unsent_at = row.at
    return found


def _take(about: About, change: Change, at: datetime, event_id: int | None) -> None:
    if isinstance(change, MessageReacted):
        removed = change.removed or not change.emoji
        said = Reacted(
            at,
            removed,
            "" if removed else clean_short(change.name, 32) or "",
            "" if removed else clean_short(change.emoji, 64) or "",
        )
        actor = Actor.TEAM if change.ours else Actor.CUSTOMER
        about.reactions[actor] = max(said, about.reactions.get(actor, said))
    elif isinstance(change, MessageEdited):
        edit = Edit(max(change.number or 1, 1), at, clean(change.text))
        about.edit = edit if about.edit is None else max(about.edit, edit)
        if event_id is not None:
            about.sources.add(event_id)
    else:
        about.unsent_at = at if about.unsent_at is None else min(about.unsent_at, at)
        about.carried_by.update(change.carried_by)


def target_of(batch: Batch, key: Key, about: About) -> Fresh | Known | None:
    """Return the message *about* is about, if it is here and of the same person's."""
    found = batch.fresh.get(key) or batch.known.get(key)
    return found if batch.owner(key) is about.person else None


def settle_fresh(batch: Batch, fresh: Fresh, about: About) -> None:
    """Let a message of this batch be as it would be had it come first."""
    if about.edit is not None:
        fresh.edited_at, fresh.edit_count, fresh.text = about.edit.at, about.edit.number, about.edit.text
    fresh.sources = sorted({*fresh.sources, *about.sources})
    if about.unsent_at is not None:
        fresh.unsent_at = about.unsent_at
        fresh.text, fresh.content, fresh.reply_to, fresh.attachments = "", {}, None, ()
        batch.forgotten.files.update(fresh.stored.values())
        fresh.stored = {}
    if fresh.thread.last is fresh:
        show_anew(fresh.thread, fresh.text, unsent=about.unsent_at is not None)


def show_anew(thread: Thread, text: str, *, unsent: bool) -> None:
    """Bring the list's line up to date after its message changed."""
    thread.changed = True
    thread.last_preview = preview(text)
    if unsent:
        thread.last_kind = MessageKind.UNSEND


# ---- lines for messages that are not here --------------------------------------------------------


def lines(key: Key, about: About, thread: Thread) -> list[Fresh]:
    """Return the lines that tell of *about* as long as its message is not here."""
    if about.unsent_at is not None:
        return [_line(key, about, thread, MarkKind.UNSEND, MessageKind.UNSEND, about.unsent_at)]
    found = []
    if about.edit is not None:
        edit = about.edit
        found.append(_line(key, about, thread, MarkKind.EDIT, MessageKind.EDIT, edit.at, edit.text))
    for actor, said in about.reactions.items():
        what = f"{MarkKind.REACTION}:{actor}"
        line = _line(key, about, thread, what, MessageKind.REACTION, said.at, said.emoji)
        line.content.update(emoji=said.emoji, reaction=said.name, removed=said.removed)
        if actor == Actor.TEAM:
            line.direction, line.origin = Direction.OUTBOUND, Origin.PROVIDER
        found.append(line)
    return found


def _line(
    key: Key, about: About, thread: Thread, what: str, kind: MessageKind, at: datetime, text: str = ""
) -> Fresh:
    return Fresh(
        thread=thread,
        account=about.account,
        external_id=line_key(what, key)[1],
        direction=Direction.INBOUND,
        origin=Origin.CUSTOMER,
        kind=kind,
        text=text,
        content={"about": key[1]},
        sent_at=at,
    )


def thread_for_lines(batch: Batch, person: Person, channel: str, until: datetime) -> Thread:
    """Return the conversation for a line: the newest, else one in which nobody has said anything yet."""
    thread = person.newest
    if thread is None:
        thread = batch.start_thread(person, channel, until)
        thread.last_direction, thread.last_kind = Direction.INTERNAL, InternalKind.ACTIVITY
    if empty(thread) and thread.last_message_at < until:
        thread.last_message_at, thread.changed = until, True
    return thread
