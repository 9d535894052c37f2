"""Webhook endpoints of a workspace: address, subscribed events and secrets."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, secrets
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.secrets import Place, Secret
from host.events.bodies.choosing import EVERYTHING
from host.inbox.labels import queries as label_queries
from host.models.channels import ChannelAccount
from host.programs import posting, signing
from host.users.actor import UnitOfWork
from host.webhooks import policy, queue
from host.webhooks.models import Endpoint, EndpointState, OffReason

MAX_URL = 2000

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\.([a-z][a-z_]{0,30}|\*)")


class EndpointNotFoundError(NotFoundError):
    """The workspace has no such endpoint."""

    code = "endpoint_not_found"
    default_sentence = _l("This endpoint does not exist in this workspace.")
    default_next_step = ""


class AddressError(InvalidError):
    """Events cannot be posted to this address."""

    code = "address_not_usable"
    default_sentence = _l("Lobby can't send to this URL.")
    default_next_step = _l("Use an https URL on port 443 with a public hostname.")


class UnknownEventError(InvalidError):
    """No event has this name."""

    code = "unknown_event"
    default_sentence = _l("There is no event with that name.")
    default_next_step = _l("The events are listed in the documentation.")


class OtherAccountsError(InvalidError):
    """An account is not one of the workspace."""

    code = "account_not_found"
    default_sentence = _l("One of these accounts does not exist in this workspace.")
    default_next_step = ""


class OtherLabelsError(InvalidError):
    """A label is not one of the workspace."""

    code = "label_not_found"
    default_sentence = _l("One of these labels does not exist in this workspace.")
    default_next_step = ""


class TooManyEndpointsError(ConflictError):
    """The workspace has the maximum number of endpoints."""

    code = "too_many_endpoints"
    default_sentence = _l("A workspace can have up to 20 endpoints.")
    default_next_step = _l("Delete one you no longer use.")


class EndpointSettings(msgspec.Struct, frozen=True):
    """The settings of an endpoint; see :class:`~host.webhooks.models.Endpoint`."""

    url: str
    events: Sequence[str]
    accounts: Sequence[int] = ()
    both_names: bool = False
    ordered: bool = True
    labels: Sequence[int] = ()


def check(
    session: Session, workspace_id: int, wanted: EndpointSettings, known: Collection[str]
) -> EndpointSettings:
    """Return validated and normalised settings.

    :param known: the names of all events.
    :raises AddressError, UnknownEventError, OtherAccountsError: for invalid settings.
    """
    url = wanted.url.strip()
    if len(url) > MAX_URL or not posting.allows(url):
        raise AddressError(field="url")
    events = list(dict.fromkeys(wanted.events))
    groups = {f"{name.partition('.')[0]}.*" for name in known}
    if not events:
        raise UnknownEventError(_l("Choose at least one event."), field="events")
    for name in events:
        if name != EVERYTHING and (not _NAME.fullmatch(name) or name not in {*known, *groups}):
            raise UnknownEventError(field="events", wrong_values=[name])
    accounts = sorted(set(wanted.accounts))
    mine = sa.select(ChannelAccount.id).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.id.in_(accounts)
    )
    if accounts and (unknown := {*accounts}.difference(session.scalars(mine))):
        raise OtherAccountsError(field="accounts", wrong_values=unknown)
    labels = sorted(set(wanted.labels))
    if labels and (unknown := set(labels) - label_queries.existing(session, workspace_id, labels)):
        raise OtherLabelsError(field="labels", wrong_values=unknown)
    return EndpointSettings(url, events, accounts, wanted.both_names, wanted.ordered, labels)


def create(work: UnitOfWork, wanted: EndpointSettings, known: Collection[str]) -> tuple[Endpoint, Secret]:
    """Create an endpoint; return it and its secret, which is never shown again.

    :raises TooManyEndpointsError: and the errors of :func:`check`.
    """
    wanted = check(work.session, work.workspace_id, wanted, known)
    count = sa.select(sa.func.count()).where(Endpoint.workspace_id == work.workspace_id)
    if (work.session.scalar(count) or 0) >= policy.MOST_ENDPOINTS:
        raise TooManyEndpointsError(limit=policy.MOST_ENDPOINTS)
    secret = signing.new_secret()
    row = Endpoint(
        uuid=str(uuid.uuid4()),
        workspace_id=work.workspace_id,
        state=EndpointState.ACTIVE,
        created_at=work.now,
        changed_at=work.now,
        created_by=work.actor.id,
    )
    _take(row, wanted)
    row.secret = secrets.keyring().seal(secret, _place(row, "secret"))
    work.session.add(row)
    work.session.flush()
    work.audit("endpoint.added", row.url)
    return row, secret


def change(
    work: UnitOfWork, endpoint_id: int, changes: Mapping[str, Any], known: Collection[str]
) -> Endpoint:
    """Change an endpoint. Pending deliveries go to its new address.

    :param changes: fields of :class:`EndpointSettings`; the others keep their values.
    :raises EndpointNotFoundError: if it does not exist in the workspace; and the errors of :func:`check`.
    """
    row = locked(work.session, work.workspace_id, endpoint_id)
    wanted = msgspec.structs.replace(settings_of(row), **changes)
    # Events of a channel whose addon is inactive are kept.
    _take(row, check(work.session, work.workspace_id, wanted, {*known, *row.events}))
    work.session.flush()
    work.audit("endpoint.changed", row.url)
    return row


def settings_of(row: Endpoint) -> EndpointSettings:
    """Return the settings of an endpoint."""
    return EndpointSettings(row.url, row.events, row.accounts, row.both_names, row.ordered, row.labels or ())


def _take(row: Endpoint, wanted: EndpointSettings) -> None:
    row.url, row.events, row.accounts = wanted.url, list(wanted.events), list(wanted.accounts)
    row.both_names, row.ordered, row.labels = wanted.both_names, wanted.ordered, list(wanted.labels)


def get(session: Session, workspace_id: int, endpoint_id: int) -> Endpoint:
    """Return an endpoint of a workspace.

    :raises EndpointNotFoundError: if it does not exist there.
    """
    row = session.get(Endpoint, endpoint_id)
    if row is None or row.workspace_id != workspace_id:
        raise EndpointNotFoundError()
    return row


def locked(session: Session, workspace_id: int, endpoint_id: int) -> Endpoint:
    """Return an endpoint of a workspace, locked for the rest of this write."""
    row = session.get(Endpoint, endpoint_id, with_for_update=True)
    if row is None or row.workspace_id != workspace_id:
        raise EndpointNotFoundError()
    return row


def listing(session: Session, workspace_id: int) -> Sequence[Endpoint]:
    """Return the endpoints of a workspace in order of creation."""
    query = sa.select(Endpoint).where(Endpoint.workspace_id == workspace_id).order_by(Endpoint.id)
    return session.scalars(query).all()


def in_need(session: Session, workspace_id: int) -> int:
    """Return the number of a workspace's endpoints that are failing, or were disabled because of that."""
    fails = sa.or_(
        sa.and_(Endpoint.state == EndpointState.ACTIVE, Endpoint.failing_since.is_not(None)),
        Endpoint.state == EndpointState.OFF,
    )
    query = sa.select(sa.func.count()).where(Endpoint.workspace_id == workspace_id, fails)
    return session.scalar(query) or 0


def active(session: Session) -> Sequence[Endpoint]:
    """Return every active endpoint."""
    return session.scalars(sa.select(Endpoint).where(Endpoint.state == EndpointState.ACTIVE)).all()


def rotate(work: UnitOfWork, endpoint_id: int) -> tuple[Endpoint, Secret]:
    """Create a new secret for an endpoint. For a day, requests are signed with the old one too."""
    row = locked(work.session, work.workspace_id, endpoint_id)
    before = secrets.keyring().open(row.secret, _place(row, "secret"))
    secret = signing.new_secret()
    row.old_secret = secrets.keyring().seal(before, _place(row, "old_secret"))
    row.old_until = work.now + policy.OLD_SECRET
    row.secret = secrets.keyring().seal(secret, _place(row, "secret"))
    work.session.flush()
    work.audit("endpoint.rotated", row.url)
    return row, secret


def keys(row: Endpoint) -> Sequence[Secret]:
    """Return the secrets that sign requests: the current one and, for a day, the previous one.

    :raises SecretUnreadableError: if a secret cannot be read.
    """
    found = [secrets.keyring().open(row.secret, _place(row, "secret"))]
    if row.old_secret is not None and row.old_until is not None and clock.now() < row.old_until:
        found.append(secrets.keyring().open(row.old_secret, _place(row, "old_secret")))
    return found


def _place(row: Endpoint, column: str) -> Place:
    return Place("endpoints", column, row.workspace_id, row.uuid)


def pause(work: UnitOfWork, endpoint_id: int) -> Endpoint:
    """Pause an endpoint until it is resumed. Events in between are not kept for it."""
    row = locked(work.session, work.workspace_id, endpoint_id)
    if row.state == EndpointState.ACTIVE:
        _put(row, EndpointState.PAUSED, None, work.now)
    work.session.flush()
    work.audit("endpoint.paused", row.url)
    return row


def pause_all(session: Session) -> None:
    """Pause every endpoint until a person resumes it."""
    session.execute(
        sa.update(Endpoint)
        .where(Endpoint.state == EndpointState.ACTIVE)
        .values(state=EndpointState.PAUSED, changed_at=clock.now())
    )


def resume(work: UnitOfWork, endpoint_id: int) -> Endpoint:
    """Resume an endpoint; pending deliveries are sent first."""
    get(work.session, work.workspace_id, endpoint_id)
    queue.resume(work.session, endpoint_id)  # lanes first: senders lock in that order
    row = locked(work.session, work.workspace_id, endpoint_id)
    if row.state != EndpointState.ACTIVE:
        _put(row, EndpointState.ACTIVE, None, work.now)
        row.failing_since = None
    work.session.flush()
    work.audit("endpoint.resumed", row.url)
    return row


def switch_off(row: Endpoint, reason: OffReason) -> None:
    """Disable an endpoint: it returned 410, or has been failing for too long."""
    _put(row, EndpointState.OFF, reason, clock.now())


def _put(row: Endpoint, state: EndpointState, reason: OffReason | None, now: datetime) -> None:
    row.state, row.reason, row.changed_at = state, reason, now


def delete(work: UnitOfWork, endpoint_id: int) -> None:
    """Delete an endpoint with its pending deliveries and its log."""
    row = locked(work.session, work.workspace_id, endpoint_id)
    work.session.delete(row)
    work.session.flush()
    work.audit("endpoint.deleted", row.url)


def forget_old_secrets(session: Session) -> None:
    """Remove expired secrets."""
    session.execute(
        sa.update(Endpoint).where(Endpoint.old_until < clock.now()).values(old_secret=None, old_until=None)
    )
