"""A preview of a message in a frame next to the composer. Nothing is sent or stored."""

from __future__ import annotations

from collections.abc import Sequence

from flask import request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import escape

from host.channels.directory import current_directory
from host.core import db
from host.core.cleaning import clean_written
from host.core.errors import LobbyError
from host.core.ids import read_id
from host.inbox.composition.layout import laid_out
from host.inbox.drafts import MAX_FILES, check_pictures
from host.inbox.pages.action_views import CONVERSATION, signature_from_form
from host.inbox.pages.composition.shown import addresses
from host.inbox.pages.context import bp, with_conversation
from host.inbox.queries import Row
from host.media import formatted, uploads
from host.media.pages.formatted_views import framed
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.formatting import to_html
from host.sdk.messages import OWN_ADDRESS, MessageKind, OutgoingPart
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, current_user, passive, workspace_view


@bp.post(f"{CONVERSATION}/preview")
@passive
@workspace_view(Permission.ANSWER)
@with_conversation
def preview_reply(workspace_id: int, row: Row) -> ResponseReturnValue:
    """Show the reply of the form as it would be sent."""
    adapter = current_directory().adapter(row.channel)
    signature = signature_from_form(row, current_user().id)
    return page_of(workspace_id, row.account, adapter, signature, row)


def page_of(
    workspace_id: int,
    account: AccountRef,
    adapter: ChannelAdapter | None,
    signature: str,
    row: Row | None = None,
) -> ResponseReturnValue:
    """Return a preview of the form's message for a frame, or the reason why it would not be sent.

    :param row: the conversation it answers; None if it starts one.
    """
    text = clean_written(request.form.get("text", ""))
    files = _files(workspace_id, request.form.getlist("upload")[:MAX_FILES])
    try:
        check_pictures(text, [(one.name, one.content_type) for one in files])
    except LobbyError as error:
        return refused_page(error)

    def inline(content_id: str) -> str | None:
        place = read_id(content_id)
        if place is None or place >= len(files):
            return None
        return url_for("media.uploaded", workspace_id=workspace_id, upload_id=files[place].id)

    html = _laid_out(account, adapter, text, signature, files, row)
    return framed(formatted.clean(html, inline=inline, remote=None, earlier="").html)


def refused_page(error: LobbyError) -> ResponseReturnValue:
    """Return a page for the frame with the reason why the message would not be sent."""
    said = escape(str(_(error.sentence)))
    return framed(f"<p><b>{said}</b> {escape(str(error.next_step))}</p>"), error.status


def _files(workspace_id: int, ids: Sequence[str]) -> list[uploads.Upload]:
    with db.read() as session:
        found = [uploads.get_upload(session, workspace_id, one) for one in ids]
    return [one for one in found if one is not None]


def _laid_out(
    account: AccountRef,
    adapter: ChannelAdapter | None,
    text: str,
    signature: str,
    files: Sequence[uploads.Upload],
    row: Row | None,
) -> str:
    own = " ".join(request.form.get(OWN_ADDRESS, "").split())
    people = {name: addresses(request.form.get(name, "")) for name in ("to", "cc")}
    given = {"signature": signature, OWN_ADDRESS: own, **people}
    content = {name: value for name, value in given.items() if value}
    outgoing = tuple(uploads.outgoing(one, one.kind) for one in files)
    part = OutgoingPart(MessageKind.TEXT, text, files=outgoing, content=content)
    found = laid_out(account, adapter, part, row)
    return to_html(text) + to_html(signature) if found is None else found
