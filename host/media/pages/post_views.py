"""Pictures of posts, passed through from the provider as small squares."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Response
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import clock, db
from host.core.errors import NotFoundError
from host.media import files, passthrough, person_pictures, portraits
from host.media.pages.blueprint import bp
from host.models.channels import ChannelAccount
from host.models.posts import Post
from host.queue import policy
from host.web.request_helpers import Permission, workspace_view

MOST_BYTES = 4 * 1024 * 1024
"""Most bytes of the picture at the provider."""


@bp.get("/w/<int:workspace_id>/media/posts/<int:post_id>")
@workspace_view(Permission.READ)
def post(workspace_id: int, post_id: int) -> ResponseReturnValue:
    """Show the picture of a post that customers of the workspace write below."""
    with db.read() as session:
        row = session.execute(
            sa.select(Post.picture_url, ChannelAccount.channel)
            .join(ChannelAccount, ChannelAccount.id == Post.account_id)
            .where(Post.id == post_id, Post.workspace_id == workspace_id)
        ).one_or_none()
    adapter = None if row is None else current_directory().adapter(row.channel)
    if row is None or row.picture_url is None or adapter is None:
        raise NotFoundError()
    picture = person_pictures.recall(row.picture_url)
    if picture is None:
        try:
            picture = person_pictures.fetch(
                row.picture_url, adapter.inbound_media().hosts, most=MOST_BYTES, made=portraits.thumbnail
            )
        except passthrough.FileGoneError:
            db.write(_end, post_id, row.picture_url)
            raise
    if not picture.content:
        raise NotFoundError()
    response = Response(picture.content)
    files.harmless(response, content_type=picture.content_type, name="picture", download=False)
    response.headers["Cache-Control"] = f"private, max-age={int(person_pictures.KEPT.total_seconds())}"
    return response


def _end(session: Session, post_id: int, url: str) -> None:
    """Note that the address of a picture has ended, and have the provider asked for another soon."""
    row = session.get(Post, post_id, with_for_update=True)
    if row is None or row.picture_url != url:
        return
    row.picture_url = None
    now = clock.now()
    if row.due_at is None:
        row.due_at = max(now, (row.fetched_at or now) + policy.PICTURE_FRESH)
