"""Alembic's environment, the same for the host and for every addon.

``host.core.migrations`` hands over an open connection and the name of the version table; there is no ini
file.
"""

from __future__ import annotations

from typing import Any

from alembic import context

config = context.config

if context.is_offline_mode():
    raise RuntimeError(
        "these migrations look at the database before each step, so they cannot be printed as SQL"
    )


def check_step(ctx: Any, **_: Any) -> None:
    """Refuse, before it is committed, a step that did what it must not.

    On SQLite that is leaving rows that refer to rows that do not exist. Foreign keys are off while it is
    migrated: rebuilding a table with them on deletes its children.
    """
    check = config.attributes.get("check")
    if check is not None:
        check(ctx.connection)
    if ctx.dialect.name == "sqlite":
        broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"{len(broken)} rows would refer to rows that do not exist")


context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes.get("metadata"),
    version_table=config.attributes["version_table"],
    transactional_ddl=config.attributes["transactional_ddl"],
    transaction_per_migration=True,
    render_as_batch=False,
    on_version_apply=check_step,
)
with context.begin_transaction():
    context.run_migrations()
