"""The formatted form of a message in a separate frame, and the pictures in it.

The frame runs no scripts: neither the ``sandbox`` of the element nor that of the response allows them, and
the content security policy has no script source. It keeps our origin for two reasons: browsers send no
session cookie for pictures in a frame without an origin, and the page measures its height. Without scripts,
the content cannot use the origin. Pictures are loaded only from the desk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa
from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import escape
from sqlalchemy.orm import Session

from host.core import db, secrets, storage
from host.core.errors import InvalidError, NotFoundError
from host.events.writing import show
from host.media import formatted, passthrough, senders
from host.media.pages.blueprint import bp
from host.models.inbox import Attachment, AttachmentState
from host.sdk.channel import Located
from host.sdk.closings import ClosingKind
from host.sdk.messages import AttachmentRole, MessageKind
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, current_user, workspace_view

POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self' data:",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox",
    )
)
SHEET = """
:root { color-scheme: light; }
html { background: #fff; color: #1c1e21; overflow-x: auto; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 0; overflow-wrap: anywhere; padding: 12px 14px; }
img { height: auto; max-width: 100%; }
img:not([src]) { display: none; }
table { max-width: 100%; overflow-wrap: normal; }
blockquote { border-inline-start: 2px solid #d0d3d8; margin: 8px 0; padding-inline-start: 12px; }
a { color: #1257b8; }
.lobby-earlier { margin-block-start: 8px; }
.lobby-earlier > summary { background: #eceef1; border-radius: 8px; color: #43474d; cursor: pointer;
  display: inline-block; font: 13px/1 system-ui, sans-serif; list-style: none; padding: 6px 10px; }
.lobby-earlier > summary::-webkit-details-marker { display: none; }
"""
_PURPOSE = "picture"


class _Form(msgspec.Struct, frozen=True):
    storage_key: str
    size: int
    pictures: dict[str, int]
    remembered: bool
    unfolded: bool


@bp.get("/w/<int:workspace_id>/messages/<int:message_id>/formatted")
@workspace_view(Permission.READ)
def formatted_message(workspace_id: int, message_id: int) -> ResponseReturnValue:
    """Show the formatted form of a message; with ``?pictures=1``, including remote pictures."""
    with db.read() as session:
        form = _load(session, workspace_id, message_id)
    if form is None:
        raise NotFoundError()
    if form.size > formatted.MOST:
        raise NotFoundError()
    try:
        with storage.open_stored(form.storage_key) as file:
            html = file.read(formatted.MOST).decode("utf-8", "replace")
    except storage.NotStoredError:
        raise NotFoundError() from None

    if not formatted.is_cleaned_in_time(html):
        said = _("This message has too much formatting to show. Read its text instead.")
        return framed(f"<p>{escape(said)}</p>")

    def inline(content_id: str) -> str | None:
        id_ = form.pictures.get(content_id)
        return (
            None if id_ is None else url_for("media.attachment", workspace_id=workspace_id, attachment_id=id_)
        )

    def remote(url: str) -> str:
        signature = secrets.keyring().sign(_PURPOSE, message_id, url)
        return url_for(
            "media.picture_elsewhere",
            workspace_id=workspace_id,
            message_id=message_id,
            url=url,
            signature=signature,
        )

    asked = form.remembered or request.args.get("pictures") == "1"
    cleaned = formatted.clean(
        html,
        inline=inline,
        remote=remote if asked else None,
        earlier="" if form.unfolded else _("Quoted text"),
        names={
            ClosingKind.SIGNATURE: _("Signature"),
            ClosingKind.NOTICE: _("Legal notice"),
            ClosingKind.FOOTER: _("Mailing list footer"),
        },
    )
    return framed(cleaned.html)


def framed(html: str) -> Response:
    """Return cleaned *html* as a page for a frame in which no scripts run."""
    page = (
        '<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<style>{SHEET}</style></head><body>{html}</body></html>"
    )
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _load(session: Session, workspace_id: int, message_id: int) -> _Form | None:
    message = senders.load(session, workspace_id, message_id)
    if message is None:
        return None
    files = session.execute(
        sa.select(
            Attachment.id, Attachment.role, Attachment.content_id, Attachment.storage_key, Attachment.size
        )
        .where(Attachment.message_id == message_id, Attachment.state == AttachmentState.STORED)
        .order_by(Attachment.id)
    ).all()
    form = next((file for file in files if file.role == AttachmentRole.FORMATTED), None)
    if form is None or form.storage_key is None:
        return None
    pictures = {file.content_id: file.id for file in files if file.role == AttachmentRole.INLINE}
    remembered = bool(senders.shown_unasked(session, [message]))
    html = message.content.get("html")
    unfolded = isinstance(html, Mapping) and html.get("unfolded") is True
    return _Form(form.storage_key, form.size or 0, pictures, remembered, unfolded)


@bp.get("/w/<int:workspace_id>/messages/<int:message_id>/picture")
@workspace_view(Permission.READ)
def picture_elsewhere(workspace_id: int, message_id: int) -> ResponseReturnValue:
    """Proxy a remote picture of a message, so that its sender learns only the desk's IP address.

    ``signature`` proves that the desk wrote ``url`` into a frame; other URLs are refused.
    """
    url, signature = request.args.get("url", ""), request.args.get("signature", "")
    if not secrets.keyring().is_signed(signature, _PURPOSE, message_id, url):
        raise NotFoundError()
    with db.read() as session:
        if senders.load(session, workspace_id, message_id) is None:
            raise NotFoundError()
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise NotFoundError() from None
    # The desk requests only https; pictures with an http URL are nearly always available there.
    secure = url if passthrough.may_ask(url, host) else parts._replace(scheme="https").geturl()
    response = passthrough.pass_on(
        Located(secure),
        frozenset({host}),
        kind=MessageKind.IMAGE,
        name="picture",
        part=None,
        max_bytes=PICTURE,
    )
    # Content that is not a picture is not shown.
    response.headers["Referrer-Policy"] = "no-referrer"
    return cast(ResponseReturnValue, response)


PICTURE = 10 * 1024 * 1024
"""Maximum bytes of a remote picture."""


@bp.post("/w/<int:workspace_id>/messages/<int:message_id>/pictures")
@workspace_view(Permission.ANSWER)
def always_show_pictures(workspace_id: int, message_id: int) -> ResponseReturnValue:
    """Always show this sender's remote pictures in the workspace; with ``stop``, no longer."""
    user_id, stop = current_user().id, request.form.get("stop") == "1"

    def decide(session: Session) -> int:
        message = senders.load(session, workspace_id, message_id)
        if message is None:
            raise NotFoundError()
        if stop:
            senders.forget_sender_of(session, message)
        elif not senders.remember(session, message, user_id):
            raise InvalidError(
                _("Your mail server found that this did not come from the sender it claims."),
                next_step=_("Show its images once if you need to see them."),
            )
        show(session, workspace_id, "state", conversation_id=message.conversation_id, message_id=message.id)
        return message.conversation_id

    conversation_id = db.write(decide)
    there = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=conversation_id)
    return redirect(f"{there}#m-{message_id}", 303)
