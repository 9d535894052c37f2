"""Retention and erasure of webhook data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.features.use import Use, named
from host.features.while_off import WhileOff
from host.web.languages import gettext as _
from host.webhooks import endpoints, erasing, policy, queue
from host.webhooks.models import Endpoint, EventBody, HookDelivery, HookState


@hookimpl
def clean_up(most: int) -> None:
    """Remove expired secrets and old deliveries."""
    db.write(endpoints.forget_old_secrets)
    while db.write(queue.remove_old, clock.now() - policy.KEPT, most) == most:
        pass


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the endpoints that get only events of things of a kind."""
    found: dict[int, list[Use]] = {}
    if kind not in ("account", "label"):
        return found
    query = sa.select(Endpoint.id, Endpoint.url, Endpoint.accounts, Endpoint.labels)
    for id_, url, accounts, labels in session.execute(
        query.where(Endpoint.workspace_id == workspace_id).order_by(Endpoint.id)
    ):
        use = Use(_("Webhook endpoint"), url, "", ("integrations.edit", {"endpoint_id": id_}), "keys")
        for one in named({"accounts": accounts, "labels": labels}, kind):
            found.setdefault(one, []).append(use)
    return found


@hookimpl
def forget_messages(session: Session, ids: Collection[int]) -> None:
    """Remove the content of these messages, and receivers' answers to it."""
    erasing.forget_messages(session, ids)


@hookimpl
def forget_contacts(session: Session, ids: Collection[int]) -> None:
    """Remove all data about these contacts."""
    for id_ in ids:
        erasing.forget_contact(session, id_)


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the webhook data of a workspace."""
    return db.delete_some(session, EventBody, EventBody.workspace_id == workspace_id, most) > 0 or None


@hookimpl
def restored(session: Session) -> None:
    """Pause all endpoints until a person resumes them: the original desk may still be sending."""
    endpoints.pause_all(session)


@hookimpl
def holdings(session: Session, workspace_id: int) -> Mapping[str, int]:
    """Return the number of the workspace's endpoints."""
    query = sa.select(sa.func.count()).select_from(Endpoint).where(Endpoint.workspace_id == workspace_id)
    return {"endpoints": session.scalar(query) or 0}


@hookimpl
def while_off(session: Session, name: str, workspace_id: int) -> WhileOff | None:
    """Return the endpoints."""
    if name != "webhooks":
        return None
    mine = sa.select(Endpoint.url).where(Endpoint.workspace_id == workspace_id)
    return WhileOff([(url, "") for url in session.scalars(mine.order_by(Endpoint.id))])


@hookimpl
def resting(session: Session, workspaces: Collection[int]) -> Collection[int]:
    """Return the endpoints of these workspaces."""
    return session.scalars(sa.select(Endpoint.id).where(Endpoint.workspace_id.in_(workspaces))).all()


@hookimpl
def clock_moved_back(session: Session, latest: datetime) -> None:
    """Retry deliveries soon."""
    statement = sa.update(HookDelivery).where(
        HookDelivery.next_at > latest, HookDelivery.state == HookState.WAITING
    )
    session.execute(statement.values(next_at=latest).execution_options(synchronize_session=False))
