"""Settling what is said about messages: in rows that are there, in rows to be, in marks for those to come.

Each step is one statement, or none where nothing asks for it, however many messages there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from host import db
from host.inbox.about import About, Edit, Reacted, lines, settle_fresh, show_anew, target_of, thread_for_lines
from host.inbox.batch import Batch
from host.inbox.erasing import erase, forget
from host.inbox.lines import line_keys
from host.inbox.models import Actor, DeliveryState, MarkKind
from host.inbox.preview import preview
from host.inbox.rows import Fresh, Key, Known
from host.inbox.tables import MARKS, MESSAGES, REACTIONS
from host.live.publish import Change


def settle(batch: Batch, abouts: dict[Key, About]) -> Settled:
    """Apply *abouts* to what the batch holds in memory; the rest is written by :meth:`Settled.write`."""
    found = Settled(batch)
    for key, about in abouts.items():
        target = target_of(batch, key, about)
        if isinstance(target, Fresh):
            settle_fresh(batch, target, about)
            found.here[key] = about
        elif target is not None:
            found.here[key] = about
        elif about.news and key not in batch.fresh and key not in batch.known:
            found.missing[key] = about
        if about.unsent_at is not None and about.news:
            batch.forgotten.messages.add(key[1])
            batch.forgotten.events.update(about.sources)
            batch.forgotten.keys.update((about.channel, key[0], name) for name in about.carried_by)
    found.read()
    found.settle_known()
    found.settle_missing()
    found.forget_doubles(abouts)
    return found


@dataclass(slots=True)
class Settled:
    """What is to be written about messages.

    :param here: what is said about messages that are here, or are about to be.
    :param missing: what is said about messages nobody has seen.
    """

    batch: Batch
    here: dict[Key, About] = field(default_factory=dict)
    missing: dict[Key, About] = field(default_factory=dict)
    rows: dict[Key, Any] = field(default_factory=dict)
    """Rows of messages that were there before and are changed or may be, locked."""
    reactions: dict[tuple[Key, str], Any] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    gone: dict[Key, Known] = field(default_factory=dict)
    """Lines whose message has come, or that tell of something no longer so."""
    moved: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """Lines that say something else now."""

    def read(self) -> None:
        """Read what has to be compared with: messages that were there before, and reactions."""
        connection = self.batch.connection
        ids = {
            known.id: key
            for key, about in self.here.items()
            if (known := self._known(key)) is not None and (about.edit or about.unsent_at)
        }
        if ids:
            query = sa.select(MESSAGES).where(MESSAGES.c.id.in_(ids)).order_by(MESSAGES.c.id)
            self.rows = {ids[row.id]: row for row in connection.execute(query.with_for_update())}
        marked = {
            (row.account_id, row.external_id) for row in self.batch.marks if row.kind == MarkKind.REACTION
        }
        both = {**self.here, **self.missing}
        wanted = {key for key, about in both.items() if about.reactions or key in marked}
        if wanted:
            query = (
                sa.select(REACTIONS)
                .where(
                    REACTIONS.c.account_id.in_({account for account, _ in wanted}),
                    REACTIONS.c.external_id.in_({external for _, external in wanted}),
                )
                .order_by(REACTIONS.c.id)
                .with_for_update()
            )
            for row in connection.execute(query):
                key = row.account_id, row.external_id
                if key in wanted:
                    self.reactions[key, row.actor] = row
                    self._merge(both[key], row)

    def _known(self, key: Key) -> Known | None:
        return None if key in self.batch.fresh else self.batch.known.get(key)

    def _merge(self, about: About, row: Any) -> None:
        """Let *about* hold the later of what it says and what a row of ``reactions`` says."""
        stored = Reacted(row.at, row.removed_at is not None, row.name, row.emoji)
        about.reactions[row.actor] = max(stored, about.reactions.get(row.actor, stored))

    def settle_known(self) -> None:
        """Work out what becomes of messages that were there before."""
        for key, row in self.rows.items():
            about = self.here[key]
            before = _edit_of(row)
            edit = about.edit if before is None or (about.edit and about.edit > before) else before
            unsent_at = min((at for at in (row.unsent_at, about.unsent_at) if at), default=None)
            sources = sorted({*(row.sources or ()), *about.sources})
            if edit == before and unsent_at == row.unsent_at:
                if unsent_at is not None:
                    self.batch.forgotten.events.update(sources)
                continue
            text = "" if unsent_at else edit.text if edit else row.text
            self.updates.append(
                {
                    "b_id": row.id,
                    "text": text,
                    "content": {} if unsent_at else row.content,
                    "reply_to": None if unsent_at else row.reply_to,
                    "edited_at": edit.at if edit else None,
                    "edit_count": edit.number if edit else 0,
                    "unsent_at": unsent_at,
                    "sources": sources,
                }
            )
            if unsent_at is not None:
                self.erased.append(row.id)
                self.batch.forgotten.events.update(sources)
            self._show(row, text, unsent=unsent_at is not None)

    def _show(self, row: Any, text: str, *, unsent: bool) -> None:
        thread = self.batch.threads.get(row.conversation_id)
        if thread is None or thread.last is not None:
            return
        if row.sent_at == thread.last_message_at and preview(row.text) == thread.last_preview:
            show_anew(thread, text, unsent=unsent)

    def settle_missing(self) -> None:
        """Let the conversation tell of messages that are not here, and no longer of those that have come."""
        for key in self.here:
            self.gone |= {name: known for name in line_keys(key) if (known := self.batch.known.get(name))}
        for key, about in self.missing.items():
            thread = thread_for_lines(self.batch, about.person, about.channel, about.until)
            told = {(line.account.id, line.external_id): line for line in lines(key, about, thread)}
            for name in line_keys(key):
                known = self.batch.known.get(name)
                if known is not None and name not in told:
                    self.gone[name] = known
                elif known is not None:
                    line = told.pop(name)
                    values = {"text": line.text, "content": line.content, "sent_at": line.sent_at}
                    self.moved[name] = {"b_id": known.id, **values}
            for line in told.values():
                self.batch.add(line)

    def forget_doubles(self, abouts: Mapping[Key, About]) -> None:
        """Keep nothing of what came once more, or from somebody else, and had been taken back."""
        forgotten = self.batch.forgotten
        for key, about in self.here.items():
            fresh = self.batch.fresh.get(key)
            if fresh is not None and about.unsent_at is not None:
                forgotten.events.update(fresh.sources)
        for key, item in (*self.batch.doubles, *self.batch.refused):
            said, known = abouts.get(key), self._known(key)
            if said is not None and self.batch.is_of_another(key, said.person):
                said = None
            if (known is not None and known.unsent) or (said is not None and said.unsent_at is not None):
                forgotten.files.update(item.stored.values())
                if item.event_id is not None:
                    forgotten.events.add(item.event_id)

    # ---- writing, once the new messages have ids ---------------------------------------------------

    def write(self, ids: Mapping[Key, int]) -> None:
        """Write everything; *ids* are those of the batch's new messages."""
        connection = self.batch.connection
        if self.updates:
            statement = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id"))
            connection.execute(statement, self.updates)
        erase(self.batch, self.erased)
        self._write_lines()
        self._write_reactions(ids)
        self._write_marks()
        self._publish()
        forget(self.batch)

    def _write_lines(self) -> None:
        connection = self.batch.connection
        if self.moved:
            statement = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id"))
            connection.execute(statement, list(self.moved.values()))
        if self.gone:
            ids = [known.id for known in self.gone.values()]
            connection.execute(sa.delete(MESSAGES).where(MESSAGES.c.id.in_(ids)))

    def _write_reactions(self, ids: Mapping[Key, int]) -> None:
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for key, about, actor, said in self._said_reactions():
            message_id, conversation_id = self._place(key, about, ids)
            place = {"message_id": message_id, "conversation_id": conversation_id}
            values = {
                "emoji": said.emoji,
                "name": said.name,
                "at": said.at,
                "removed_at": said.at if said.removed else None,
                "state": DeliveryState.SENT if actor == Actor.TEAM else None,
            }
            row = self.reactions.get((key, actor))
            if row is None:
                identity = {"workspace_id": about.account.workspace_id, "account_id": key[0]}
                new.append({**identity, "external_id": key[1], "actor": actor, **place, **values})
            else:
                stored = Reacted(row.at, row.removed_at is not None, row.name, row.emoji)
                kept = {name: getattr(row, name) for name in values} if stored == said else values
                changed.append({"b_id": row.id, **place, **kept})
        connection = self.batch.connection
        if new:
            connection.execute(db.insert_ignore(REACTIONS, connection.dialect.name), new)
        if changed:
            connection.execute(sa.update(REACTIONS).where(REACTIONS.c.id == sa.bindparam("b_id")), changed)

    def _said_reactions(self) -> Iterable[tuple[Key, About, str, Reacted]]:
        for key, about in (*self.here.items(), *self.missing.items()):
            for actor, said in about.reactions.items():
                yield key, about, actor, said

    def _place(self, key: Key, about: About, ids: Mapping[Key, int]) -> tuple[int | None, int | None]:
        """Return the message and the conversation a reaction belongs to."""
        if key in self.missing:
            thread = about.person.newest
            return None, None if thread is None else thread.id
        fresh = self.batch.fresh.get(key)
        if fresh is not None:
            return ids[key], fresh.thread.id
        known = self.batch.known[key]
        return known.id, known.conversation_id

    def _write_marks(self) -> None:
        """Keep what is said about messages that are not here; forget it for those that have come."""
        connection = self.batch.connection
        stored = {(row.account_id, row.external_id, row.kind): row for row in self.batch.marks}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        for key, about in self.missing.items():
            for kind, values in _marks(about):
                row = stored.get((*key, kind))
                if row is not None:
                    changed.append({"b_id": row.id, **values})
                    continue
                place = {"workspace_id": about.account.workspace_id, "identity_id": about.person.id}
                new.append({**place, "account_id": key[0], "external_id": key[1], "kind": kind, **values})
        done = [row.id for row in self.batch.marks if (row.account_id, row.external_id) in self.here]
        if done:
            connection.execute(sa.delete(MARKS).where(MARKS.c.id.in_(done)))
        if changed:
            connection.execute(sa.update(MARKS).where(MARKS.c.id == sa.bindparam("b_id")), changed)
        if new:
            connection.execute(db.insert_ignore(MARKS, connection.dialect.name), new)
            if connection.dialect.name != "sqlite":
                # Elsewhere its message may be written at this very moment.
                from host.inbox.adopting import adopt

                db.after_commit(self.batch.session, partial(adopt, frozenset(self.missing)))

    def _publish(self) -> None:
        """Tell browsers which messages look different now, those that quote them too."""
        known = self.batch.known
        looks = {key for key, about in self.here.items() if about.news and self._known(key)} | set(self.moved)
        self._tell("changed", ((key[0], known[key].conversation_id, known[key].id) for key in looks))
        self._tell("changed", self._quoting())
        self._tell("gone", ((key[0], one.conversation_id, one.id) for key, one in self.gone.items()))

    def _tell(self, topic: str, messages: Iterable[tuple[int, int, int]]) -> None:
        """Publish *topic* for messages, each given by account, conversation and its own id."""
        workspaces = {
            account: person.account.workspace_id for (account, _), person in self.batch.people.items()
        }
        for account, conversation, message in sorted(set(messages)):
            payload = {"conversation": conversation, "message": message}
            self.batch.events.append(Change(workspaces[account], topic, payload))

    def _quoting(self) -> Iterable[tuple[int, int, int]]:
        """Return the messages that quote one which looks different now, or came late."""
        conversations: set[int | None] = set()
        quoted: set[str] = set()
        for key, about in self.here.items():
            known = self._known(key)
            if known is not None and about.news and (about.edit or about.unsent_at):
                conversations.add(known.conversation_id)
                quoted.add(key[1])
        for key, fresh in self.batch.fresh.items():
            if fresh.late:
                conversations.add(fresh.thread.id)
                quoted.add(key[1])
        if not quoted:
            return ()
        columns = MESSAGES.c.account_id, MESSAGES.c.conversation_id, MESSAGES.c.id
        query = sa.select(*columns).where(
            MESSAGES.c.conversation_id.in_(conversations), MESSAGES.c.reply_to.in_(quoted)
        )
        return [tuple(row) for row in self.batch.connection.execute(query)]


def _edit_of(row: Any) -> Edit | None:
    return None if row.edited_at is None else Edit(row.edit_count, row.edited_at, row.text)


def _marks(about: About) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the marks that remember *about*: the kind of each, and its values."""
    sources = sorted(about.sources)
    if about.unsent_at is not None:
        yield MarkKind.UNSEND, {"at": about.unsent_at, "number": 0, "text": "", "sources": sources}
    if about.edit is not None:
        text = "" if about.unsent_at else about.edit.text
        yield (
            MarkKind.EDIT,
            {"at": about.edit.at, "number": about.edit.number, "text": text, "sources": sources},
        )
    if about.reactions:
        at = max(said.at for said in about.reactions.values())
        yield MarkKind.REACTION, {"at": at, "number": 0, "text": "", "sources": []}
