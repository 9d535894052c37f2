"""The devices that get a person's pushes: added, confirmed when Lobby is opened there, and ended."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, secrets
from host.core.errors import ConflictError, InvalidError
from host.core.secrets import Place, Secret
from host.models.users import Membership, User, Workspace
from host.push import posting, vapid
from host.push.encrypting import AUTH, decoded, encoded, public_key
from host.push.models import PushDelivery, PushDevice
from host.users.actor import DeskWork

MOST = 20
"""Devices of one person."""
LONGEST = 2000
"""Characters of an endpoint."""
KEPT = timedelta(days=60)
"""Time after which a device is forgotten if nobody opened Lobby on it."""


class Subscription(msgspec.Struct, frozen=True):
    """The subscription of a browser at its push service.

    :param p256dh: its public key, *auth* its authentication secret, both in base64url.
    """

    endpoint: str
    p256dh: str
    auth: str


def hash_of(endpoint: str) -> str:
    """Return the hash by which a device is found."""
    return hashlib.sha256(endpoint.encode()).hexdigest()


def add(
    work: DeskWork,
    session_id: int,
    subscription: Subscription,
    *,
    name: str,
    more: tuple[str, ...],
    content: bool = False,
) -> PushDevice:
    """Have a person's pushes sent to a browser. A browser has one person, the one who added it last.

    :param session_id: their session in this browser.
    :param name: the browser and system, for its person.
    :param more: further push services of this desk.
    :raises InvalidError: for an unknown push service, or keys that are none.
    :raises ConflictError: if the person has :data:`MOST` devices.
    """
    session, user_id, endpoint = work.session, work.person_id, subscription.endpoint
    _check_endpoint(endpoint, more)
    _keys(subscription)
    session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())
    row = session.scalar(sa.select(PushDevice).where(PushDevice.endpoint_hash == hash_of(endpoint)))
    if row is not None and row.user_id != user_id:
        session.delete(row)
        session.flush()
        row = None
    vapid.public_key(session)
    if row is None:
        if len(own(session, user_id)) >= MOST:
            raise ConflictError(
                _l("You already have %(most)s devices.", most=MOST), next_step=_l("Remove one first.")
            )
        row = PushDevice(uuid=str(uuid.uuid4()), user_id=user_id, created_at=work.now, content=content)
        work.audit("push_device.added", name)
    row.session_id, row.key_id = session_id, vapid.ONLY
    _set_subscription(row, subscription, more)
    row.name, row.seen_at = name[:255], work.now
    session.add(row)
    session.flush()
    return row


def _keys(subscription: Subscription) -> tuple[bytes, bytes]:
    try:
        point, auth = decoded(subscription.p256dh), decoded(subscription.auth)
        public_key(point)
    except ValueError:
        auth = b""
    if len(auth) != AUTH:
        raise InvalidError(_l("This browser sent invalid keys for push notifications."))
    return point, auth


def auth_of(row: PushDevice) -> bytes:
    """Return the authentication secret of a device.

    :raises SecretUnreadableError: if it cannot be read.
    """
    return decoded(secrets.keyring().open(row.auth, _place(row.uuid)).reveal())


def _place(own_uuid: str) -> Place:
    return Place("push_devices", "auth", 0, own_uuid)


def own(session: Session, user_id: int) -> Sequence[PushDevice]:
    """Return the devices of a person, latest used first."""
    query = sa.select(PushDevice).where(PushDevice.user_id == user_id)
    return session.scalars(query.order_by(PushDevice.seen_at.desc(), PushDevice.id.desc())).all()


def confirm(work: DeskWork, session_id: int, endpoint: str) -> PushDevice | None:
    """Record that a person has Lobby open on a device, and return it; None if it is not one of theirs.

    If it is somebody else's, theirs ends: they no longer use this browser.
    """
    row = work.session.scalar(sa.select(PushDevice).where(PushDevice.endpoint_hash == hash_of(endpoint)))
    if row is None:
        return None
    if row.user_id != work.person_id:
        work.session.delete(row)
        work.session.flush()
        return None
    row.session_id, row.seen_at = session_id, work.now
    work.session.flush()
    return row


def move(
    work: DeskWork, session_id: int, old: str, subscription: Subscription, *, more: tuple[str, ...]
) -> PushDevice | None:
    """Give a device of a person the subscription that its browser has now; return it.

    None if *old* is not the endpoint of one of theirs, or the new one is somebody else's device: then nothing
    changes.

    :param more: further push services of this desk.
    :raises InvalidError: as :func:`add`.
    """
    session, user_id = work.session, work.person_id
    row = find(session, user_id, old)
    other = session.scalar(
        sa.select(PushDevice).where(PushDevice.endpoint_hash == hash_of(subscription.endpoint))
    )
    if row is None or (other is not None and other.user_id != user_id):
        return None
    if other is not None and other.id != row.id:
        session.delete(row)  # the new one is known already
        session.flush()
    kept = other or row
    _set_subscription(kept, subscription, more)
    kept.session_id, kept.key_id, kept.seen_at = session_id, vapid.ONLY, work.now
    session.flush()
    return kept


def _set_subscription(row: PushDevice, subscription: Subscription, more: tuple[str, ...]) -> None:
    endpoint = subscription.endpoint
    _check_endpoint(endpoint, more)
    point, auth = _keys(subscription)
    row.endpoint, row.endpoint_hash, row.host = endpoint, hash_of(endpoint), posting.host_of(endpoint)
    row.p256dh, row.auth = encoded(point), secrets.keyring().seal(Secret(encoded(auth)), _place(row.uuid))


def _check_endpoint(endpoint: str, more: tuple[str, ...]) -> None:
    if len(endpoint) > LONGEST or not posting.accepts(endpoint, more):
        raise InvalidError(
            _l("This browser uses a push service that this Lobby server does not know."),
            next_step=_l("An admin can add its host to LOBBY_PUSH_HOSTS."),
        )


def find(session: Session, user_id: int, endpoint: str) -> PushDevice | None:
    """Return the device of a person with this endpoint, or None."""
    query = sa.select(PushDevice).where(PushDevice.endpoint_hash == hash_of(endpoint))
    return session.scalar(query.where(PushDevice.user_id == user_id))


def allows_content(session: Session, user_id: int) -> bool:
    """Return whether a workspace of a person allows names and text in pushes."""
    query = sa.select(Workspace.id).join(Membership, Membership.workspace_id == Workspace.id)
    allowed = query.where(Membership.user_id == user_id, Workspace.pushes_content).limit(1)
    return session.scalar(allowed) is not None


def get(session: Session, user_id: int, device_id: int) -> PushDevice | None:
    """Return a device of a person, or None."""
    query = sa.select(PushDevice).where(PushDevice.id == device_id, PushDevice.user_id == user_id)
    return session.scalar(query)


def end(work: DeskWork, device_id: int) -> str | None:
    """Send no more pushes to a device of a person; return its name, None if it is not theirs."""
    row = get(work.session, work.person_id, device_id)
    if row is None:
        return None
    work.session.delete(row)
    work.session.flush()
    work.audit("push_device.removed", row.name)
    return row.name


def set_content(work: DeskWork, device_id: int, content: bool) -> bool:
    """Choose whether pushes to a device contain names and text; return whether the device is theirs."""
    row = get(work.session, work.person_id, device_id)
    if row is None:
        return False
    row.content = content
    work.session.flush()
    return True


def forget_left(session: Session, ids: Collection[int]) -> None:
    """Forget those of *ids* whose people are in no workspace any more, once nothing there is to be
    replaced."""
    if not ids:
        return
    has_workspace = sa.exists().where(Membership.user_id == PushDevice.user_id)
    waits = sa.exists().where(PushDelivery.device_id == PushDevice.id)
    session.execute(sa.delete(PushDevice).where(PushDevice.id.in_(sorted(ids)), ~has_workspace, ~waits))


def forget_old(session: Session) -> None:
    """Forget devices on which nobody opened Lobby for long."""
    session.execute(sa.delete(PushDevice).where(PushDevice.seen_at < clock.now() - KEPT))
