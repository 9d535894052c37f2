"""Ask all features what uses something."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.features import registry
from host.features.use import Use


def gathered(
    session: Session, workspace_id: int, kind: str, user_id: int | None = None
) -> dict[int, list[Use]]:
    """Return what uses things of a kind in a workspace, by the id of the thing.

    :param kind: as in :func:`host.features.hookspecs.uses`. *user_id*: likewise.
    """
    found: dict[int, list[Use]] = {}
    answers = registry.hooks().uses(session=session, workspace_id=workspace_id, kind=kind, user_id=user_id)
    for answer in answers:
        for id_, uses in answer.items():
            found.setdefault(id_, []).extend(uses)
    return {id_: sorted(uses, key=_order) for id_, uses in found.items()}


def _order(use: Use) -> tuple[bool, bool]:
    """Put what runs by itself first, and what is not named last."""
    return not use.name, not use.state
