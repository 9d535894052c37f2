"""Pictures of people and posts, proxied so that browsers never contact the provider."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import Response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import NotFoundError
from host.media import files, passthrough, person_pictures, portraits
from host.media.pages.blueprint import bp
from host.models.channels import ChannelAccount, ref
from host.models.inbox import ContactIdentity
from host.models.posts import Post
from host.queue import policy
from host.sdk.channel import AccountRef, ChannelAdapter
from host.web.request_helpers import Permission, workspace_view

MOST_OF_POST = 4 * 1024 * 1024
"""Maximum bytes of the picture of a post at the provider."""


@bp.get("/w/<int:workspace_id>/media/people/<int:identity_id>")
@workspace_view(Permission.READ)
def person(workspace_id: int, identity_id: int) -> ResponseReturnValue:
    """Show the picture of a contact of the workspace."""

    def end(session: Session, url: str) -> None:
        row = session.get(ContactIdentity, identity_id, with_for_update=True)
        if row is None or row.picture_url != url:
            return
        row.picture_url = None
        if row.profile_due_at is None:
            row.profile_due_at = _soon(row.profile_at)

    return _picture(workspace_id, ContactIdentity, identity_id, end)


@bp.get("/w/<int:workspace_id>/media/posts/<int:post_id>")
@workspace_view(Permission.READ)
def post(workspace_id: int, post_id: int) -> ResponseReturnValue:
    """Show the picture of a post of the workspace as a small square."""

    def end(session: Session, url: str) -> None:
        row = session.get(Post, post_id, with_for_update=True)
        if row is None or row.picture_url != url:
            return
        row.picture_url = None
        if row.due_at is None:
            row.due_at = _soon(row.fetched_at)

    return _picture(workspace_id, Post, post_id, end, most=MOST_OF_POST, made=portraits.thumbnail)


def _picture(
    workspace_id: int,
    kind: type[ContactIdentity | Post],
    id_: int,
    end: Callable[[Session, str], None],
    **fetching: Any,
) -> ResponseReturnValue:
    """Return a response with a picture from the provider.

    :param end: records that its URL has expired, and schedules fetching a new one.
    """
    with db.read() as session:
        row = session.execute(
            sa.select(kind.picture_url, ChannelAccount)
            .join(ChannelAccount, ChannelAccount.id == kind.account_id)
            .where(kind.id == id_, kind.workspace_id == workspace_id)
        ).one_or_none()
        account = None if row is None else ref(row.ChannelAccount)
    adapter = None if account is None else current_directory().adapter(account.channel)
    if row is None or row.picture_url is None or account is None or adapter is None:
        raise NotFoundError()
    try:
        return _shown(row.picture_url, account, adapter, **fetching)
    except passthrough.FileGoneError:
        db.write(end, row.picture_url)
        raise


def post_picture(url: str, account: AccountRef, adapter: ChannelAdapter) -> ResponseReturnValue:
    """Return a response with the picture at *url*, of a post of *account*, as a small square."""
    return _shown(url, account, adapter, most=MOST_OF_POST, made=portraits.thumbnail)


def _shown(url: str, account: AccountRef, adapter: ChannelAdapter, **fetching: Any) -> ResponseReturnValue:
    picture = person_pictures.recall(account, url)
    if picture is None:
        picture = person_pictures.fetch(adapter, account, url, **fetching)
    if not picture.content:
        raise NotFoundError()
    response = Response(picture.content)
    files.harmless(response, content_type=picture.content_type, name="picture", download=False)
    response.headers["Cache-Control"] = f"private, max-age={int(person_pictures.KEPT.total_seconds())}"
    return response


def _soon(told: datetime | None) -> datetime:
    now = clock.now()
    return max(now, (told or now) + policy.PICTURE_FRESH)
