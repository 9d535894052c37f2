"""Endpoints: who is told what happens in a workspace, of what, and signed with which secret."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, secrets
from host.core.errors import ConflictError, InvalidError, NotFoundError
from host.core.secrets import Place, Secret
from host.models.channels import ChannelAccount
from host.models.labels import Label
from host.models.outgoing import Endpoint, EndpointState, OffReason
from host.outgoing import policy, posting, signing, waiting

MAX_URL = 2000
EVERYTHING = "*"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\.([a-z][a-z_]{0,30}|\*)")


class EndpointNotFoundError(NotFoundError):
    """No such endpoint in this workspace."""

    code = "endpoint_not_found"
    default_sentence = _l("This endpoint does not exist in this workspace.")
    default_next_step = ""


class AddressError(InvalidError):
    """Nothing can be posted there."""

    code = "address_not_usable"
    default_sentence = _l("Lobby cannot send to this address.")
    default_next_step = _l("Use an https address on port 443, with a public name.")


class UnknownEventError(InvalidError):
    """No event has this name."""

    code = "unknown_event"
    default_sentence = _l("There is no event of that name.")
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
    """The workspace has as many endpoints as it may."""

    code = "too_many_endpoints"
    default_sentence = _l("A workspace can have twenty endpoints.")
    default_next_step = _l("Delete one that is not used any more.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of an endpoint; see :class:`~host.models.outgoing.Endpoint`."""

    url: str
    events: Sequence[str]
    accounts: Sequence[int] = ()
    both_names: bool = False
    ordered: bool = True
    labels: Sequence[int] = ()


def hears(patterns: Collection[str], name: str) -> bool:
    """Tell whether one of *patterns* stands for the event *name*."""
    return EVERYTHING in patterns or name in patterns or f"{name.partition('.')[0]}.*" in patterns


def check(session: Session, workspace_id: int, wanted: Wanted, known: Collection[str]) -> Wanted:
    """Return *wanted* tidied up.

    :param known: the names of all events.
    :raises AddressError, UnknownEventError, OtherAccountsError: for what cannot be.
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
            raise UnknownEventError(field="events")
    accounts = sorted(set(wanted.accounts))
    mine = sa.select(sa.func.count()).where(
        ChannelAccount.workspace_id == workspace_id, ChannelAccount.id.in_(accounts)
    )
    if accounts and session.scalar(mine) != len(accounts):
        raise OtherAccountsError(field="accounts")
    labels = sorted(set(wanted.labels))
    theirs = sa.select(sa.func.count()).where(Label.workspace_id == workspace_id, Label.id.in_(labels))
    if labels and session.scalar(theirs) != len(labels):
        raise OtherLabelsError(field="labels")
    return Wanted(url, events, accounts, wanted.both_names, wanted.ordered, labels)


def create(
    session: Session, workspace_id: int, wanted: Wanted, known: Collection[str], *, created_by: int | None
) -> tuple[Endpoint, Secret]:
    """Make an endpoint; return it and its secret, which is never shown again.

    :raises TooManyEndpointsError: and what :func:`check` raises.
    """
    wanted = check(session, workspace_id, wanted, known)
    count = sa.select(sa.func.count()).where(Endpoint.workspace_id == workspace_id)
    if (session.scalar(count) or 0) >= policy.MOST_ENDPOINTS:
        raise TooManyEndpointsError(limit=policy.MOST_ENDPOINTS)
    now = clock.now()
    secret = signing.new_secret()
    row = Endpoint(
        uuid=str(uuid.uuid4()),
        workspace_id=workspace_id,
        state=EndpointState.ACTIVE,
        created_at=now,
        changed_at=now,
        created_by=created_by,
    )
    _take(row, wanted)
    row.secret = secrets.keyring().seal(secret, _place(row, "secret"))
    session.add(row)
    session.flush()
    return row, secret


def change(
    session: Session, workspace_id: int, endpoint_id: int, wanted: Wanted, known: Collection[str]
) -> Endpoint:
    """Change an endpoint. What waits for it goes to its new address."""
    row = locked(session, workspace_id, endpoint_id)
    _take(row, check(session, workspace_id, wanted, known))
    session.flush()
    return row


def _take(row: Endpoint, wanted: Wanted) -> None:
    row.url, row.events, row.accounts = wanted.url, list(wanted.events), list(wanted.accounts)
    row.both_names, row.ordered, row.labels = wanted.both_names, wanted.ordered, list(wanted.labels)


def get(session: Session, workspace_id: int, endpoint_id: int) -> Endpoint:
    """Return an endpoint of a workspace.

    :raises EndpointNotFoundError: if it has no such one.
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
    """Return the endpoints of a workspace in the order they were made."""
    query = sa.select(Endpoint).where(Endpoint.workspace_id == workspace_id).order_by(Endpoint.id)
    return session.scalars(query).all()


def in_need(session: Session, workspace_id: int) -> int:
    """Return how many endpoints of a workspace fail, or were switched off because they did."""
    fails = sa.or_(
        sa.and_(Endpoint.state == EndpointState.ACTIVE, Endpoint.failing_since.is_not(None)),
        Endpoint.state == EndpointState.OFF,
    )
    query = sa.select(sa.func.count()).where(Endpoint.workspace_id == workspace_id, fails)
    return session.scalar(query) or 0


def active(session: Session) -> Sequence[Endpoint]:
    """Return every endpoint that is told what happens."""
    return session.scalars(sa.select(Endpoint).where(Endpoint.state == EndpointState.ACTIVE)).all()


def rotate(session: Session, workspace_id: int, endpoint_id: int) -> tuple[Endpoint, Secret]:
    """Give an endpoint a new secret. For a day requests are signed with the old one too."""
    row = locked(session, workspace_id, endpoint_id)
    before = secrets.keyring().open(row.secret, _place(row, "secret"))
    secret = signing.new_secret()
    row.old_secret = secrets.keyring().seal(before, _place(row, "old_secret"))
    row.old_until = clock.now() + policy.OLD_SECRET
    row.secret = secrets.keyring().seal(secret, _place(row, "secret"))
    session.flush()
    return row, secret


def keys(row: Endpoint) -> Sequence[Secret]:
    """Return what requests to an endpoint are signed with now: its secret, for a day the one before too.

    :raises SecretUnreadableError: if it cannot be read.
    """
    found = [secrets.keyring().open(row.secret, _place(row, "secret"))]
    if row.old_secret is not None and row.old_until is not None and clock.now() < row.old_until:
        found.append(secrets.keyring().open(row.old_secret, _place(row, "old_secret")))
    return found


def _place(row: Endpoint, column: str) -> Place:
    return Place("endpoints", column, row.workspace_id, row.uuid)


def pause(session: Session, workspace_id: int, endpoint_id: int) -> Endpoint:
    """Send nothing to an endpoint until it is resumed. What happens meanwhile is not kept for it."""
    row = locked(session, workspace_id, endpoint_id)
    if row.state == EndpointState.ACTIVE:
        _put(row, EndpointState.PAUSED, None, clock.now())
    session.flush()
    return row


def pause_all(session: Session) -> None:
    """Send nothing to any endpoint until somebody resumes it."""
    session.execute(
        sa.update(Endpoint)
        .where(Endpoint.state == EndpointState.ACTIVE)
        .values(state=EndpointState.PAUSED, changed_at=clock.now())
    )


def resume(session: Session, workspace_id: int, endpoint_id: int) -> Endpoint:
    """Send to an endpoint again, what waited first."""
    get(session, workspace_id, endpoint_id)
    waiting.resume(session, endpoint_id)  # lanes first: senders lock in that order
    row = locked(session, workspace_id, endpoint_id)
    if row.state != EndpointState.ACTIVE:
        _put(row, EndpointState.ACTIVE, None, clock.now())
        row.failing_since = None
    session.flush()
    return row


def switch_off(row: Endpoint, reason: OffReason) -> None:
    """Send nothing to an endpoint any more: it is gone, or fails for too long."""
    _put(row, EndpointState.OFF, reason, clock.now())


def _put(row: Endpoint, state: EndpointState, reason: OffReason | None, now: datetime) -> None:
    row.state, row.reason, row.changed_at = state, reason, now


def delete(session: Session, workspace_id: int, endpoint_id: int) -> str:
    """Delete an endpoint with all that waits for it and was sent to it; return its address."""
    row = locked(session, workspace_id, endpoint_id)
    session.delete(row)
    session.flush()
    return row.url


def forget_old_secrets(session: Session) -> None:
    """Remove old secrets that count no more."""
    session.execute(
        sa.update(Endpoint).where(Endpoint.old_until < clock.now()).values(old_secret=None, old_until=None)
    )
