"""A mail attached to a message, opened on a page of its own."""

from __future__ import annotations

import base64

import sqlalchemy as sa
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from markupsafe import escape

from host.channels.directory import current_directory
from host.core import db, storage
from host.core.cleaning import clean_file_name
from host.core.errors import LobbyError, NotFoundError
from host.media import formatted
from host.media.pages import name_warnings
from host.media.pages.blueprint import bp
from host.media.pages.formatted_views import framed
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, AttachmentState, Message
from host.sdk.channel import ChannelAdapter
from host.sdk.messages import EnclosedMail, is_mail
from host.web.languages import gettext as _
from host.web.request_helpers import Permission, workspace_view

MOST = 10 * 1024 * 1024
"""Maximum bytes of a mail that is opened."""
DEEPEST = 4
"""Maximum number of mails within each other that are opened."""
MOST_WORDS = 200_000
_MOST_PICTURES = 3 * 1024 * 1024
"""Maximum bytes of the pictures shown in a mail."""


class MailUnreadableError(LobbyError):
    """The attached mail is broken, too large or too deep within others."""

    code = "mail_unreadable"
    status = 422
    title = _l("This mail cannot be shown")
    default_sentence = _l("The attached mail is damaged or too large.")
    default_next_step = _l("Download it and open it in a mail program.")


@bp.get("/w/<int:workspace_id>/media/<int:attachment_id>/mail")
@workspace_view(Permission.READ)
def enclosed_mail(workspace_id: int, attachment_id: int) -> ResponseReturnValue:
    """Show a mail attached to a message.

    ``?within=0.2`` shows the third mail attached to its first one; ``?form=1`` the formatted form, in
    a frame.
    """
    content, adapter, conversation_id, message_id = _load(workspace_id, attachment_id)
    within = request.args.get("within", "")
    mail = _read(adapter, content)
    for place in within.split(".") if within else ():
        number = int(place) if place.isdecimal() and len(place) < 4 else -1
        if not 0 <= number < len(mail.mails):
            raise NotFoundError()
        mail = _read(adapter, mail.mails[number][1])
    depth = len(within.split(".")) if within else 0
    if depth >= DEEPEST:
        raise MailUnreadableError()
    if request.args.get("form") == "1":
        return framed(_form(mail))

    def at(place: str | None, form: int | None = None) -> str:
        return url_for(
            "media.enclosed_mail",
            workspace_id=workspace_id,
            attachment_id=attachment_id,
            within=place,
            form=form,
        )

    inner = [
        (
            clean_file_name(name) or _("Email"),
            at(f"{within}.{number}".strip(".")),
        )
        for number, (name, _content) in enumerate(mail.mails)
    ]
    names = [clean_file_name(one) for one in mail.files]
    back = url_for("inbox.conversation", workspace_id=workspace_id, conversation_id=conversation_id)
    return render_template(
        "inbox/enclosed.html",
        mail=mail,
        text=mail.text[:MOST_WORDS],
        form=at(within or None, 1) if mail.html.strip() else "",
        mails=inner if depth + 1 < DEEPEST else [],
        files=[(one, name_warnings.warning(one)) for one in names],
        back=f"{back}#m-{message_id}",
    )


def _load(workspace_id: int, attachment_id: int) -> tuple[bytes, ChannelAdapter, int, int]:
    query = (
        sa.select(Attachment, Message.conversation_id, ChannelAccount.channel)
        .join(Message, Message.id == Attachment.message_id)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .where(
            Attachment.id == attachment_id,
            Attachment.workspace_id == workspace_id,
            Attachment.state == AttachmentState.STORED,
            Message.unsent_at.is_(None),
            Message.hidden_at.is_(None),
        )
    )
    with db.read() as session:
        row = session.execute(query).one_or_none()
    if row is None or row[0].storage_key is None or not is_mail(row[0].content_type, row[0].name):
        raise NotFoundError()
    adapter = current_directory().adapter(row[2])
    if adapter is None or not adapter.capabilities.originals:
        raise NotFoundError()
    if (row[0].size or 0) > MOST:
        raise MailUnreadableError()
    try:
        with storage.open_stored(row[0].storage_key) as file:
            return file.read(MOST), adapter, row[1], row[0].message_id
    except storage.NotStoredError:
        raise NotFoundError() from None


def _read(adapter: ChannelAdapter, content: bytes) -> EnclosedMail:
    mail = adapter.read_enclosed(content)
    if mail is None:
        raise MailUnreadableError()
    return mail


def _form(mail: EnclosedMail) -> str:
    """Return the formatted form of *mail* for a frame: with its own pictures and no remote ones."""
    if len(mail.html) > formatted.MOST or not formatted.is_cleaned_in_time(mail.html):
        return f'<div style="white-space:pre-wrap">{escape(mail.text[:MOST_WORDS])}</div>'
    left = _MOST_PICTURES

    def inline(content_id: str) -> str | None:
        nonlocal left
        kind, content = mail.pictures.get(content_id, ("", b""))
        left -= len(content)
        if not content or left < 0:
            return None
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"

    return formatted.clean(mail.html, inline=inline, remote=None, earlier=_("Quoted text")).html
