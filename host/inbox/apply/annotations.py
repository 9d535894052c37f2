"""Apply reactions, edits and unsends to stored and new messages, or keep them until their message arrives.

They may arrive in any order, twice, and before their message. All annotations of a message are collected
first, from the batch and from marks of earlier batches. If the message is missing, they are kept as marks,
and a line in the conversation shows them until the message arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from host.core.backports.values import replace
from host.core.cleaning import clean, clean_short, external_id
from host.events.kinds.messages import MESSAGE_EDITED, MESSAGE_REACTED, MESSAGE_UNSENT, OfMessage, OfReaction
from host.inbox.apply import conversations
from host.inbox.apply.incoming import Incoming, believable
from host.inbox.apply.values import (
    Annotated,
    Annotation,
    Draft,
    Key,
    NewMark,
    NewMessage,
    Person,
    SetReaction,
    StoredBody,
    StoredMessage,
    StoredReaction,
    Thread,
)
from host.models.inbox import Actor, DeliveryState, Direction, MarkKind, Origin
from host.sdk.messages import MessageEdited, MessageKind, MessageReacted, MessageUnsent

AnyAnnotation = MessageReacted | MessageEdited | MessageUnsent

LINES = (MarkKind.UNSEND, MarkKind.EDIT, *(f"{MarkKind.REACTION}:{actor}" for actor in Actor))
"""The kinds of lines that one missing message may have."""


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """An edited text and its place among the edits: the highest number wins, else the latest time."""

    number: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Reaction:
    """One side's reaction, given or removed; the latest wins."""

    at: datetime
    removed: bool
    name: str
    emoji: str


@dataclass(slots=True)
class Annotations:
    """All annotations of one message.

    :param until: the latest time of any annotation in this batch.
    :param sources: ids of journalled events that contain a text of the message.
    :param carried_by: dedupe keys of further such events.
    :param new: whether any annotation is from this batch, and not only from marks.
    :param ours: whether the team changed the message, in the provider's app.
    """

    person: Person
    channel: str
    until: datetime
    edit: Edit | None = None
    unsent_at: datetime | None = None
    reactions: dict[str, Reaction] = field(default_factory=dict)
    sources: set[int] = field(default_factory=set)
    carried_by: set[str] = field(default_factory=set)
    new: bool = False
    ours: bool = False
    recent: bool = False
    """Whether any of them is not from the provider's history."""


def line_key(what: str, key: Key) -> Key:
    """Return the key of the line of kind *what* about the message *key*."""
    return key[0], external_id(f"line:{what}:{key[1]}")


def line_keys(key: Key) -> list[Key]:
    """Return the keys of all possible lines about the message *key*."""
    return [line_key(what, key) for what in LINES]


def keep_erased(draft: Draft, message: NewMessage) -> bool:
    """Empty *message* if it was sent before its customer was erased; return whether it was."""
    erased_at = message.thread.person.erased_at
    if erased_at is None or message.sent_at > erased_at:
        return False
    message.unsent_at = message.erased_at = erased_at
    _empty(draft, message)
    draft.removals.events.update(message.sources)
    draft.removals.messages.add(message.external_id)
    return True


def _empty(draft: Draft, message: NewMessage) -> None:
    message.text, message.content, message.reply_to, message.attachments = "", {}, None, ()
    draft.removals.files.update(message.stored.values())
    message.stored = {}


# ---- collect -----------------------------------------------------------------------------------------


def collect_annotations(draft: Draft, items: Sequence[Incoming]) -> dict[Key, Annotations]:
    """Return the annotations in marks and *items*, by message.

    A customer may not annotate a message of another customer: such an item is added to ``draft.refused``.
    """
    found = _from_marks(draft)
    for item in items:
        change = item.change
        if not isinstance(change, AnyAnnotation):
            continue
        at = believable(change.at, item.received_at)
        key = item.account.id, external_id(change.external_id)
        person = draft.people[item.account.id, external_id(change.contact)]
        if isinstance(change, MessageEdited) and person.erased_at is not None and at <= person.erased_at:
            change = replace(change, text="")  # texts from before an erasure are not kept
            if item.event_id is not None:
                draft.removals.events.add(item.event_id)
        said = found.get(key)
        owner = draft.owner(key)
        of_another = owner is None and said is not None and said.person is not person
        if draft.is_of_another(key, person) or of_another:
            draft.refused.append((key, item))
            continue
        if said is None or said.person is not person:
            said = found[key] = Annotations(person, item.adapter.key, at)
        said.new = True
        said.recent = said.recent or not item.imported
        said.channel = item.adapter.key
        said.until = max(said.until, at)
        said.ours = said.ours or (change.ours and not isinstance(change, MessageReacted))
        _include(said, change, at, item.event_id)
    return found


def _from_marks(draft: Draft) -> dict[Key, Annotations]:
    found: dict[Key, Annotations] = {}
    by_id = {person.id: person for person in draft.people.values() if person.id is not None}
    for mark in draft.loaded.marks:
        person = by_id.get(mark.identity_id)
        if person is None:
            continue
        said = found.setdefault(mark.key, Annotations(person, "", mark.at))
        said.sources.update(mark.sources or ())
        if mark.kind == MarkKind.EDIT:
            said.edit = Edit(mark.number, mark.at, mark.text)
        elif mark.kind == MarkKind.UNSEND:
            said.unsent_at = mark.at
    return found


def _include(said: Annotations, change: AnyAnnotation, at: datetime, event_id: int | None) -> None:
    if isinstance(change, MessageReacted):
        removed = change.removed or not change.emoji
        reaction = Reaction(
            at,
            removed,
            "" if removed else clean_short(change.name, 32) or "",
            "" if removed else clean_short(change.emoji, 64) or "",
        )
        actor = Actor.TEAM if change.ours else Actor.CUSTOMER
        said.reactions[actor] = max(reaction, said.reactions.get(actor, reaction))
    elif isinstance(change, MessageEdited):
        edit = Edit(max(change.number or 1, 1), at, clean(change.text))
        said.edit = edit if said.edit is None else max(said.edit, edit)
        if event_id is not None:
            said.sources.add(event_id)
    else:
        unsent_at = said.unsent_at
        said.unsent_at = at if unsent_at is None else min(unsent_at, at)
        said.carried_by.update(change.carried_by)


# ---- resolve -----------------------------------------------------------------------------------------


def keep_if_here(draft: Draft, collected: Mapping[Key, Annotations]) -> dict[Key, Annotations]:
    """Return the annotations whose message is here, marked as new because nothing was written for them
    yet."""
    return {
        key: replace(said, new=True)
        for key, said in collected.items()
        if _target(draft, key, said) is not None
    }


def resolve_annotations(draft: Draft, collected: Mapping[Key, Annotations]) -> Annotated:
    """Apply annotations to the new messages of *draft*; return the changes to stored rows."""
    here: dict[Key, Annotations] = {}
    missing: dict[Key, Annotations] = {}
    for key, said in collected.items():
        target = _target(draft, key, said)
        if isinstance(target, NewMessage):
            _annotate_new(draft, target, said)
        if target is not None:
            here[key] = said
        elif said.new and not draft.is_here(key):
            missing[key] = said
        if said.unsent_at is not None and said.new:
            draft.removals.messages.add(key[1])
            draft.removals.events.update(said.sources)
            channel = said.channel
            draft.removals.keys.update((channel, key[0], name) for name in said.carried_by)
    found = Annotated()
    for key, said in here.items():
        message = draft.new.get(key)
        if said.unsent_at is not None and message is not None and message.imported_at is None:
            found.happened.append(Annotation(message, MESSAGE_UNSENT, said.unsent_at, OfMessage()))
    reactions = _merge_reactions(draft, {**here, **missing})
    _annotate_stored(draft, here, found)
    _tell_lines(draft, here, missing, found)
    _set_reactions(draft, here, missing, reactions, found)
    _set_marks(draft, here, missing, found)
    _note_looks(draft, here, found)
    _remove_repeats(draft, collected, here)
    return found


def _target(draft: Draft, key: Key, said: Annotations) -> NewMessage | StoredMessage | None:
    """Return the annotated message, if it is here and belongs to the same customer."""
    found = draft.new.get(key) or draft.stored.get(key)
    return found if draft.owner(key) is said.person else None


def _stored(draft: Draft, key: Key) -> StoredMessage | None:
    return None if key in draft.new else draft.stored.get(key)


def _annotate_new(draft: Draft, message: NewMessage, said: Annotations) -> None:
    """Change a message of this batch as if it had arrived before its annotations."""
    edit = said.edit
    if edit is not None and not _changes_nothing(edit, None, message.text, message.sent_at):
        message.edited_at, message.edit_count, message.text = edit.at, edit.number, edit.text
    message.sources = sorted({*message.sources, *said.sources})
    if said.unsent_at is not None:
        message.unsent_at = said.unsent_at
        _empty(draft, message)
    if message.thread.last is message:
        conversations.show_anew(message.thread, message.text, unsent=said.unsent_at is not None)


def _annotate_stored(draft: Draft, here: Mapping[Key, Annotations], found: Annotated) -> None:
    """Decide the changes to stored messages, in the order of their ids."""
    bodies = {
        stored.id: (stored, _body(draft, key, stored), said)
        for key, said in here.items()
        if (said.edit or said.unsent_at) and (stored := _stored(draft, key)) is not None
    }
    for id_, (stored, body, said) in sorted(bodies.items(), key=lambda item: item[0]):
        before = None if body.edited_at is None else Edit(body.edit_count, body.edited_at, body.text)
        after = said.edit
        if after is not None and _changes_nothing(after, before, body.text, body.sent_at):
            after = None
        edit = max((one for one in (before, after) if one is not None), default=None)
        unsent_at = min((at for at in (body.unsent_at, said.unsent_at) if at), default=None)
        sources = sorted({*(body.sources or ()), *said.sources})
        if unsent_at is not None:
            draft.removals.events.update(sources)
        if edit == before and unsent_at == body.unsent_at:
            continue
        if said.recent and unsent_at is not None:
            found.happened.append(Annotation(stored, MESSAGE_UNSENT, unsent_at, OfMessage()))
        elif said.recent and edit is not None:
            found.happened.append(Annotation(stored, MESSAGE_EDITED, edit.at, OfMessage()))
        text = "" if unsent_at else edit.text if edit else body.text
        found.bodies[id_] = {
            "text": text,
            "content": {} if unsent_at else body.content,
            "reply_to": None if unsent_at else body.reply_to,
            "edited_at": edit.at if edit else None,
            "edit_count": edit.number if edit else 0,
            "unsent_at": unsent_at,
            "sources": sources,
        }
        if unsent_at is not None:
            found.unsent.append(id_)
        _show(draft, body, text, unsent=unsent_at is not None)


def _changes_nothing(edit: Edit, before: Edit | None, text: str, sent_at: datetime) -> bool:
    """Return whether an edit changes nothing: some providers redeliver a message to report a change.

    The text then equals the current one, or an earlier one if the later text arrived first.
    """
    if edit.number > (1 if before is None else before.number):
        return False
    return edit.text == text or (before is None and edit.at < sent_at)


def _body(draft: Draft, key: Key, stored: StoredMessage) -> StoredBody:
    confirmed = draft.confirmed.get(key)
    if confirmed is None:
        return draft.loaded.bodies[stored.id]
    return confirmed.message.body._replace(sources=confirmed.sources)


def _show(draft: Draft, body: StoredBody, text: str, *, unsent: bool) -> None:
    thread = draft.threads.get(body.conversation_id)
    if thread is None or thread.last is not None:
        return
    shown = conversations.preview(conversations.words_of(body.text, body.content))
    if body.sent_at == thread.last_message_at and shown == thread.last_preview:
        conversations.show_anew(thread, text, unsent=unsent)


def _remove_repeats(
    draft: Draft, collected: Mapping[Key, Annotations], here: Mapping[Key, Annotations]
) -> None:
    """Remove the content of redelivered messages that were unsent, even under another customer's name."""
    for key, said in here.items():
        new = draft.new.get(key)
        if new is not None and said.unsent_at is not None:
            draft.removals.events.update(new.sources)
    for key, item in (*draft.repeats, *draft.refused):
        kept, stored = collected.get(key), _stored(draft, key)
        if kept is not None and draft.is_of_another(key, kept.person):
            kept = None
        was_unsent = stored is not None and stored.unsent_at is not None
        if was_unsent or (kept is not None and kept.unsent_at is not None):
            draft.removals.files.update(item.stored.values())
            if item.event_id is not None:
                draft.removals.events.add(item.event_id)


def _note_looks(draft: Draft, here: Mapping[Key, Annotations], found: Annotated) -> None:
    """Collect the stored messages that look different now, and the messages that quote them."""
    for key, said in here.items():
        stored = _stored(draft, key)
        if stored is None or not said.new:
            continue
        found.looks.append(stored)
        if said.edit or said.unsent_at:
            found.quoted.append((key[1], stored))
    found.quoted += [(key[1], new.thread) for key, new in draft.new.items() if new.late]


# ---- reactions -----------------------------------------------------------------------------------------


def _merge_reactions(
    draft: Draft, collected: Mapping[Key, Annotations]
) -> dict[tuple[Key, str], StoredReaction]:
    """Keep the later of each new and each stored reaction; return the stored reactions."""
    marked = {mark.key for mark in draft.loaded.marks if mark.kind == MarkKind.REACTION}
    wanted = {key for key, said in collected.items() if said.reactions or key in marked}
    found = {}
    for row in draft.loaded.reactions:
        key = row.account_id, row.external_id
        if key in wanted:
            found[key, row.actor] = row
            reactions, reaction = collected[key].reactions, _reaction(row)
            reactions[row.actor] = max(reaction, reactions.get(row.actor, reaction))
    return found


def _reaction(row: StoredReaction) -> Reaction:
    return Reaction(row.at, row.removed_at is not None, row.name, row.emoji)


def _set_reactions(
    draft: Draft,
    here: Mapping[Key, Annotations],
    missing: Mapping[Key, Annotations],
    stored: Mapping[tuple[Key, str], StoredReaction],
    found: Annotated,
) -> None:
    for key, said in (*here.items(), *missing.items()):
        person = said.person
        place = person.newest if key in missing else draft.new.get(key) or draft.stored[key]
        for actor, reaction in said.reactions.items():
            row = stored.get((key, actor))
            if row is not None and _reaction(row) == reaction:
                values = {"at": row.at, "removed_at": row.removed_at, "state": row.state}
                values |= {"emoji": row.emoji, "name": row.name}
            else:
                values = {
                    "emoji": reaction.emoji,
                    "name": reaction.name,
                    "at": reaction.at,
                    "removed_at": reaction.at if reaction.removed else None,
                    "state": DeliveryState.SENT if actor == Actor.TEAM else None,
                }
            if key in here and actor == Actor.CUSTOMER and _is_told(draft, key, said, row, reaction):
                facts = OfReaction(
                    name=reaction.name or (row.name if row else ""),
                    emoji=reaction.emoji or (row.emoji if row else ""),
                    removed=reaction.removed,
                )
                message = draft.new.get(key) or draft.stored[key]
                found.happened.append(Annotation(message, MESSAGE_REACTED, reaction.at, facts))
            row_id = None if row is None else row.id
            workspace_id = person.account.workspace_id
            found.reactions.append(SetReaction(key, workspace_id, actor, row_id, place, values))


def _is_told(
    draft: Draft, key: Key, said: Annotations, row: StoredReaction | None, reaction: Reaction
) -> bool:
    """Return whether to record a reaction: it changed, or its message has just arrived."""
    message = draft.new.get(key)
    if message is not None:
        return message.imported_at is None
    return said.recent and (row is None or _reaction(row) != reaction)


# ---- missing messages --------------------------------------------------------------------------------


def _tell_lines(
    draft: Draft, here: Mapping[Key, Annotations], missing: Mapping[Key, Annotations], found: Annotated
) -> None:
    """Add lines about missing messages; remove the lines of those that have arrived."""
    gone: dict[Key, StoredMessage] = {}
    for key in here:
        gone |= {name: stored for name in line_keys(key) if (stored := draft.stored.get(name))}
    for key, said in missing.items():
        thread = conversations.for_lines(said.person, said.channel, said.until)
        told = {(line.account.id, line.external_id): line for line in _lines(key, said, thread)}
        for name in line_keys(key):
            stored = draft.stored.get(name)
            if stored is not None and name not in told:
                gone[name] = stored
            elif stored is not None:
                line = told.pop(name)
                found.lines[stored.id] = {
                    "text": line.text,
                    "content": line.content,
                    "sent_at": line.sent_at,
                }
                found.looks.append(stored)
        for line in told.values():
            draft.add(line)
    found.gone = list(gone.values())


def _lines(key: Key, said: Annotations, thread: Thread) -> Iterable[NewMessage]:
    """Yield the lines that show *said* until the message arrives."""
    if said.unsent_at is not None:
        yield _line(key, thread, MarkKind.UNSEND, MessageKind.UNSEND, said.unsent_at, ours=said.ours)
        return
    edit = said.edit
    if edit is not None:
        yield _line(key, thread, MarkKind.EDIT, MessageKind.EDIT, edit.at, edit.text, ours=said.ours)
    for actor, reaction in said.reactions.items():
        what = f"{MarkKind.REACTION}:{actor}"
        ours = actor == Actor.TEAM
        line = _line(key, thread, what, MessageKind.REACTION, reaction.at, reaction.emoji, ours=ours)
        line.content.update(emoji=reaction.emoji, reaction=reaction.name, removed=reaction.removed)
        yield line


def _line(
    key: Key, thread: Thread, what: str, kind: MessageKind, at: datetime, text: str = "", *, ours: bool
) -> NewMessage:
    return NewMessage(
        thread=thread,
        account=thread.person.account,
        external_id=line_key(what, key)[1],
        direction=Direction.OUTBOUND if ours else Direction.INBOUND,
        origin=Origin.PROVIDER if ours else Origin.CUSTOMER,
        kind=kind,
        text=text,
        content={"about": key[1]},
        sent_at=at,
    )


def _set_marks(
    draft: Draft, here: Mapping[Key, Annotations], missing: Mapping[Key, Annotations], found: Annotated
) -> None:
    """Keep annotations of missing messages as marks; drop the marks of those that have arrived."""
    stored = {(mark.key, mark.kind): mark.id for mark in draft.loaded.marks}
    for key, said in missing.items():
        for kind, values in _marks(said):
            id_ = stored.get((key, kind))
            if id_ is None:
                found.new_marks.append(NewMark(said.person, key, kind, values))
            else:
                found.marks[id_] = values
    found.done = [mark.id for mark in draft.loaded.marks if mark.key in here]


def _marks(said: Annotations) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the marks that store *said*: the kind and values of each."""
    sources = sorted(said.sources)
    unsent_at, edit = said.unsent_at, said.edit
    if unsent_at is not None:
        yield MarkKind.UNSEND, {"at": unsent_at, "number": 0, "text": "", "sources": sources}
    if edit is not None:
        text = "" if unsent_at else edit.text
        yield MarkKind.EDIT, {"at": edit.at, "number": edit.number, "text": text, "sources": sources}
    if said.reactions:
        at = max(reaction.at for reaction in said.reactions.values())
        yield MarkKind.REACTION, {"at": at, "number": 0, "text": "", "sources": []}
