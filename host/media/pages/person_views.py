"""Pictures of people, passed through from the provider: browsers never contact the provider."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import NotFoundError
from host.media import files, passthrough, person_pictures
from host.media.pages.blueprint import bp
from host.models.channels import ChannelAccount
from host.models.inbox import ContactIdentity
from host.queue import policy
from host.web.request_helpers import Permission, workspace_view


@bp.get("/w/<int:workspace_id>/media/people/<int:identity_id>")
@workspace_view(Permission.READ)
def person(workspace_id: int, identity_id: int) -> ResponseReturnValue:
    """Show the picture of a contact of the workspace."""
    with db.read() as session:
        row = session.execute(
            sa.select(ContactIdentity.picture_url, ChannelAccount.channel)
            .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
            .where(ContactIdentity.id == identity_id, ContactIdentity.workspace_id == workspace_id)
        ).one_or_none()
    adapter = None if row is None else current_directory().adapter(row.channel)
    if row is None or row.picture_url is None or adapter is None:
        raise NotFoundError()
    picture = person_pictures.recall(row.picture_url)
    if picture is None:
        try:
            picture = person_pictures.fetch(row.picture_url, adapter.inbound_media().hosts)
        except passthrough.FileGoneError:
            db.write(_end, identity_id, row.picture_url)
            raise
    if not picture.content:
        raise NotFoundError()
    response = Response(picture.content)
    files.harmless(response, content_type=picture.content_type, name="picture", download=False)
    response.headers["Cache-Control"] = f"private, max-age={int(person_pictures.KEPT.total_seconds())}"
    return response


def _end(session: Session, identity_id: int, url: str) -> None:
    """Note that the address of a picture has ended, and make the profile due for fetching soon."""
    identity = session.get(ContactIdentity, identity_id, with_for_update=True)
    if identity is None or identity.picture_url != url:
        return
    identity.picture_url = None
    now = clock.now()
    if identity.profile_due_at is None:
        told = identity.profile_at or now
        identity.profile_due_at = max(now, told + policy.PICTURE_FRESH)
