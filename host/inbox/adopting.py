"""Applying what marks remember to messages that turned out to be here.

A message of ours gets its id when the provider answers, not when something is received. Then, and wherever a
mark and its message were written at the same time by two processes, this brings them together.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import db
from host.channels.models import ChannelAccount
from host.inbox.about import gather, target_of
from host.inbox.batch import Batch
from host.inbox.lines import line_keys
from host.inbox.rows import Key
from host.inbox.settling import settle
from host.inbox.tables import IDENTITIES, MARKS, MESSAGES, has_name, names
from host.sdk.accounts import ref

log = logging.getLogger(__name__)

MOST = 100


def adopt(keys: Collection[Key]) -> None:
    """Apply the marks about the messages *keys*, if there are any; to be called after a commit."""
    try:
        with db.read() as session:
            marked = _marked(session, keys)
        if marked:
            db.write(_adopt, marked)
    except Exception:
        log.exception("what was said about a message could not be applied yet; it is tried again")


def adopt_all() -> None:
    """Apply every mark whose message is here."""
    with db.read() as session:
        query = (
            sa.select(MARKS.c.account_id, MARKS.c.external_id)
            .join(MESSAGES, _same(MESSAGES))
            .distinct()
            .limit(MOST)
        )
        keys = [(row.account_id, row.external_id) for row in session.execute(query)]
    if keys:
        db.write(_adopt, keys)


def _same(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.account_id == MARKS.c.account_id, table.c.external_id == MARKS.c.external_id)


_about = sa.select(MARKS.c.account_id, MARKS.c.external_id).where(has_name(MARKS))


def _marked(session: Session, keys: Collection[Key]) -> list[Key]:
    rows = session.connection().execute(_about, names(keys))
    return [key for row in rows if (key := (row.account_id, row.external_id)) in keys]


def _adopt(session: Session, keys: Collection[Key]) -> None:
    query = (
        sa.select(ChannelAccount, IDENTITIES.c.external_id)
        .join(MARKS, MARKS.c.account_id == ChannelAccount.id)
        .join(IDENTITIES, IDENTITIES.c.id == MARKS.c.identity_id)
        .where(
            MARKS.c.account_id.in_({account for account, _ in keys}),
            MARKS.c.external_id.in_({external for _, external in keys}),
        )
    )
    people = [(ref(account), contact) for account, contact in session.execute(query)]
    batch = Batch(session)
    batch.load(people, {name for key in keys for name in (key, *line_keys(key))})
    abouts = {key: about for key, about in gather(batch, ()).items() if target_of(batch, key, about)}
    for about in abouts.values():
        about.news = True
    batch.flush(settle(batch, abouts).write)
