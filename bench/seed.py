"""Filling a desk's SQLite file with as many messages as wanted, twenty to a conversation."""

from __future__ import annotations

import sqlite3
from pathlib import Path

PER_CONVERSATION = 20

# Texts of some forty words out of four thousand, so that searching finds common words and rare ones.
_TEXT = (
    "'Hello, is the blue mug number ' || n || ' still there? w' || (n * 7919 % 4000) "
    "|| ' w' || (n * 104729 % 4000) || ' w' || (n * 1299709 % 400)"
)
_AT = "strftime('%Y-%m-%d %H:%M:%f', '2026-11-01', '-' || ({0}) || ' seconds') || '000'"
_SERIES = "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {0}) "


def seed(database: Path, workspace: int, messages: int) -> None:
    """Write *messages* into the workspace's first account: every other conversation open, a third taken."""
    file = sqlite3.connect(database, isolation_level=None)
    conversations = max(1, messages // PER_CONVERSATION)
    try:
        file.execute("PRAGMA synchronous=OFF")
        file.execute("PRAGMA cache_size=-200000")
        (account,) = file.execute("SELECT min(id) FROM channel_accounts").fetchone()
        (agent,) = file.execute("SELECT min(id) FROM users").fetchone()
        file.execute("BEGIN")
        some, all_ = _SERIES.format(conversations), _SERIES.format(messages)
        now = _AT.format("n")
        file.execute(
            some + "INSERT INTO contacts (id, workspace_id, name, created_at) "
            f"SELECT n, {workspace}, 'Customer ' || n, {now} FROM series"
        )
        file.execute(
            some + "INSERT INTO contact_identities (id, workspace_id, contact_id, account_id, external_id, "
            f"username, profile, profile_failures, created_at) SELECT n, {workspace}, n, {account}, "
            f"'77' || n, 'customer' || n, '{{}}', 0, {now} FROM series"
        )
        file.execute(
            some + "INSERT INTO conversations (id, workspace_id, channel, account_id, contact_id, "
            "identity_id, status, assignee_id, unread_count, failed_count, last_message_at, last_preview, "
            "last_direction, last_kind, last_inbound_at, created_at) "
            f"SELECT n, {workspace}, 'instagram', {account}, n, n, iif(n % 2, 'open', 'closed'), "
            f"iif(n % 3, NULL, {agent}), n % 2, 0, {now}, 'Hello, is the blue mug still there?', 'inbound', "
            f"'text', {now}, {now} FROM series"
        )
        spread = f"((n - 1) % {conversations} + 1)"
        sent = _AT.format(f"{spread} + 60 * ((n - 1) / {conversations})")
        file.execute(
            all_ + "INSERT INTO messages (workspace_id, conversation_id, account_id, external_id, direction, "
            "origin, kind, text, content, position, sent_at, edit_count, created_at) "
            f"SELECT {workspace}, {spread}, {account}, 'seeded-' || n, 'inbound', 'customer', 'text', "
            f"{_TEXT}, '{{}}', 0, {sent}, 0, {now} FROM series"
        )
        file.execute("COMMIT")
        file.execute("ANALYZE")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        file.close()
