"""API route for a preview of a message: how it would be sent, or why it would be refused."""

from __future__ import annotations

from typing import Annotated, Any

from flask_babel import lazy_gettext as _l
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api.http.bodies import (
    EXAMPLES,
    Sendable,
    SendApprovedTemplate,
    SendAudio,
    SendFile,
    SendImage,
    SendText,
    SendVideo,
)
from host.api.http.call import Call
from host.api.http.contents import EXAMPLES as EXAMPLES_OF_CONTENTS
from host.api.http.contents import SendContent
from host.api.http.declare import Id, OtherForm, Router, Wire
from host.api.http.errors import BodyError
from host.core import db
from host.core.backports.values import replace
from host.inbox.api import conversations
from host.inbox.api.sending import (
    FIELDS_OF_ERRORS,
    REFUSALS,
    draft_of,
    fields_of_body,
    in_own_form,
    overflow_of,
    recipients_of,
    target,
    voice_of,
)
from host.inbox.composition.layout import laid_out
from host.inbox.drafts import Planned
from host.inbox.reply import preview_parts
from host.media import uploads
from host.models.channels import ChannelAccount, ref
from host.sdk.messages import MessageKind, OutgoingPart
from host.sdk.text import byte_length
from host.users.api_keys import Scope

routes = Router("Messages", write=Scope.MESSAGES_WRITE)


class PreviewedMessage(Wire, frozen=True):
    """One of the messages that would be sent."""

    kind: Annotated[str, Meta(description="Its kind, as in `GET /messages/{message_id}`.")]
    text: Annotated[str, Meta(description="Its text, cut to what fits in one message of the channel.")]
    bytes: Annotated[int, Meta(description="The size of the text, of which the channel allows so many.")]
    files: Annotated[list[str], Meta(description="The ids of the uploads that are its files, in order.")]
    html: Annotated[
        str | None,
        Meta(
            description=(
                "How the channel lays it out, as in an email with earlier messages quoted below. A picture "
                "in the text has the address `cid:` with its place in `files`. Null: the channel sends the "
                "text as it is."
            )
        ),
    ]


class MessagePreview(Wire, frozen=True):
    """The messages that `POST /messages` would send."""

    conversation_id: Id
    data: Annotated[list[PreviewedMessage], Meta(description="The messages, in the order they would go out.")]


@routes.post(
    "/messages/preview",
    "Preview a message",
    limited=True,
    other_form=OtherForm("content", SendContent),
    errors=REFUSALS,
    examples=EXAMPLES | EXAMPLES_OF_CONTENTS,
    fields=FIELDS_OF_ERRORS,
)
def preview_message(call: Call, body: Sendable) -> MessagePreview:
    """Takes the body of `POST /messages`, and answers with the messages that would be sent, or refuses it for
    the same reasons. It sends and stores nothing.

    Files have to be uploaded first: a preview doesn't fetch a `url`. Whether the provider accepts a message
    is only known once it is sent.
    """
    return in_own_form(call, body, _preview)


def _preview(call: Call, body: Any) -> MessagePreview:
    if isinstance(body, SendText | SendImage | SendVideo | SendAudio | SendFile):
        for place, file in enumerate(body.files):
            if file.url is not None:
                raise BodyError(
                    _l("A preview doesn't fetch files. Upload the file first, and name the upload."),
                    field=f"files[{place}].url",
                )
    if isinstance(body, SendApprovedTemplate) and body.file is not None and body.file.url is not None:
        raise BodyError(
            _l("A preview doesn't fetch files. Upload the file first, and name the upload."), field="file.url"
        )
    with db.read() as session:
        conversation, adapter = target(session, call, body)
        account = ref(session.get_one(ChannelAccount, conversation.account_id))
        people = recipients_of(call, session, body, conversation, adapter)
    with fields_of_body():
        draft = draft_of(call, body, adapter, account)
        draft = replace(draft, content={**draft.content, **people})
    with fields_of_body(), db.read() as session:
        conversation, adapter = target(session, call, body)
        planned = preview_parts(
            session,
            conversation,
            [draft],
            adapter,
            call.now,
            overflow=overflow_of(body),
            by_person=False,
            voice=voice_of(call),
            seen_id=body.if_last_message_id,
            at=body.send_at,
        )
        row = conversations.get(session, call, conversation.id)
        parts = [_outgoing(session, call, part) for part in planned]
    return MessagePreview(
        conversation_id=row.id,
        data=[
            PreviewedMessage(
                kind=str(part.kind),
                text=part.text,
                bytes=byte_length(part.text),
                files=list(part.uploads),
                html=laid_out(row.account, adapter, outgoing, row) if part.kind is MessageKind.TEXT else None,
            )
            for part, outgoing in zip(planned, parts, strict=True)
        ],
    )


def _outgoing(session: Session, call: Call, part: Planned) -> OutgoingPart:
    found = [uploads.get_upload(session, call.workspace_id, one) for one in part.uploads]
    files = tuple(uploads.outgoing(one, one.kind) for one in found if one is not None)
    return OutgoingPart(part.kind, part.text, files=files, content=part.content)
