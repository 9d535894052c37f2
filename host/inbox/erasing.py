"""Removing what a message said once it was taken back: from rows, from the disk, from the journal."""

from __future__ import annotations

from collections.abc import Collection

from host.delivery import forgetting
from host.inbox.batch import Batch
from host.inbox.rows import Fresh
from host.media import removal


def erase(batch: Batch, messages: Collection[int]) -> None:
    """Remove the files of messages."""
    removal.forget(batch.session, messages)


def keep_erased(batch: Batch, fresh: Fresh) -> bool:
    """Let *fresh* say nothing if it was said before its customer was erased; return whether it was."""
    erased_at = fresh.thread.person.erased_at
    if erased_at is None or fresh.sent_at > erased_at:
        return False
    fresh.text, fresh.content, fresh.reply_to, fresh.attachments = "", {}, None, ()
    fresh.unsent_at = fresh.erased_at = erased_at
    batch.forgotten.files.update(fresh.stored.values())
    batch.forgotten.events.update(fresh.sources)
    batch.forgotten.messages.add(fresh.external_id)
    fresh.stored = {}
    return True


def forget(batch: Batch) -> None:
    """Have the disk and the journal forget what they hold of messages that were taken back."""
    forgotten = batch.forgotten
    removal.remove_later(batch.session, forgotten.files)
    forgetting.forget_events(batch.session, forgotten.events)
    forgetting.forget_keys(batch.session, forgotten.keys)
    if forgotten.messages:
        forgetting.clear_away(batch.session, forgotten.keys, forgotten.messages)
