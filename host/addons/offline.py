"""Switching an addon off when nothing else works: one row, no lock, no code or file of the addon."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host import counters, db
from host.accounts import audit
from host.addons.failures import AddonError
from host.addons.models import Addon, AddonState


def disable(slug: str) -> None:
    """Have no process run the addon *slug* from now on, whatever state it is in. Its data stays.

    :raises AddonError: if no such addon is installed.
    """

    def use_case(session: Session) -> None:
        row = session.get(Addon, slug)
        if row is None:
            raise AddonError(f"No addon {slug} is installed.")
        row.state, row.wanted, row.operation = AddonState.INACTIVE, False, None
        counters.bump(session, counters.GENERATION)
        audit.record(session, "addon.disabled_offline", slug, user_id=None)

    db.write(use_case)
