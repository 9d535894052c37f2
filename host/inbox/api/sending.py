"""API routes for sending all kinds of messages, and for starting a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api import shapes
from host.api.fetching import FetchFailedError, fetch
from host.api.http.bodies import (
    EXAMPLES,
    Button,
    Card,
    Copied,
    FileRef,
    FirstTemplate,
    OwnAddress,
    QuickReply,
    Send,
    Sendable,
    SendApprovedTemplate,
    SendAudio,
    SendButtons,
    SendContacts,
    SendFile,
    SendImage,
    SendLocation,
    SendProduct,
    SendSticker,
    SendTemplate,
    SendText,
    SendVideo,
    Text,
)
from host.api.http.call import Call, new_reply_key
from host.api.http.contents import EXAMPLES as EXAMPLES_OF_CONTENTS
from host.api.http.contents import SendContent
from host.api.http.declare import Id, OtherForm, Refused, Router, Wire
from host.api.http.errors import BodyError
from host.api.http.fields import name_field
from host.api.http.refusals import FILES, PARTS
from host.api.serialise import some_messages
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.core.backports.values import replace
from host.core.errors import LobbyError
from host.inbox import approved, approved_fetching
from host.inbox.api import conversations
from host.inbox.comments.private_reply import PrivateReplyEndedError, PrivateReplyUsedError
from host.inbox.composition import recipients
from host.inbox.conversations import get_conversation
from host.inbox.drafts import Draft, Overflow
from host.inbox.errors import (
    AccountDisconnectedError,
    AddressOfAnotherError,
    AnsweredElsewhereError,
    AnsweredMeanwhileError,
    AutomaticLimitError,
    ContactNotFoundError,
    ContactUnreachableError,
    ConversationNotFoundError,
    EmptyTextError,
    FromMachineError,
    GoesOnError,
    HandledByPersonError,
    KindNotSupportedError,
    MessageNotFoundError,
    NoWayOutError,
    OptedOutError,
    PeopleOnlyError,
    SendTimeError,
    TooLongError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.outreach.first_messages import start
from host.inbox.reply import AT_ONCE, Hold, Voice, check_may_send, queue_parts
from host.inbox.sendable import LONGEST_SUBJECT
from host.models.channels import ChannelAccount, ref
from host.models.inbox import OF_PERSON, ContactIdentity, Conversation, Origin
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import OWN_ADDRESS, MessageKind
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope

routes = Router("Messages", write=Scope.MESSAGES_WRITE)

T = TypeVar("T")


class NotWrittenFirstError(LobbyError):
    """No contact with that id has written to the account."""

    code = "not_written_first"
    status = 422
    default_sentence = _l("This person has not written to the account yet, so nothing can be sent to them.")
    default_next_step = _l("Wait until they write. On this channel you can't start a conversation.")


REFUSALS: tuple[Refused | type[LobbyError], ...] = (
    BodyError,
    AnsweredMeanwhileError,
    AutomaticLimitError,
    FromMachineError,
    PrivateReplyUsedError,
    PrivateReplyEndedError,
    AccountDisconnectedError,
    AccountNotFoundError,
    HandledByPersonError,
    AnsweredElsewhereError,
    OptedOutError,
    ContactUnreachableError,
    ConversationNotFoundError,
    EmptyTextError,
    FetchFailedError,
    KindNotSupportedError,
    MessageNotFoundError,
    NotWrittenFirstError,
    approved_fetching.TemplateNotFoundError,
    approved_fetching.TemplatesNotListedError,
    PeopleOnlyError,
    SendTimeError,
    TooLongError,
    UnknownChannelError,
    WindowClosedError,
    *PARTS,
    *FILES,
)


FIELDS = {
    "quick_replies": "quickReplies",
    "template": "elements",
    "own_post": "post",
    "template_id": "templateId",
    "uploads": "files",
    "provider_files": "files",
    OWN_ADDRESS: "ownAddress",
}
"""The inbox's name for a part of a message -> its name in the body."""

FIELDS_OF_ERRORS: dict[type[LobbyError], str] = {
    EmptyTextError: "text",
    TooLongError: "text",
    SendTimeError: "sendAt",
    MessageNotFoundError: "replyTo",
    AccountNotFoundError: "accountId",
    ConversationNotFoundError: "conversationId",
}
"""Errors of a message -> the field of its body."""


@routes.post(
    "/messages",
    "Send a message",
    limited=True,
    other_form=OtherForm("content", SendContent),
    location="/messages/{data.0.id}",
    errors=REFUSALS,
    examples=EXAMPLES | EXAMPLES_OF_CONTENTS,
    fields=FIELDS_OF_ERRORS,
)
def send_message(call: Call, body: Sendable) -> shapes.Sent:
    """Each `kind` has its own form of body. The account lists what its channel can send.

    A body with `content` is accepted, too: a channel by its public id, a recipient, a content, and what every
    message can have, such as `replyTo` and `sendAt`.

    It does not start a conversation: the contact must have written first (`not_written_first`).

    The returned messages are queued; `GET /messages/{message_id}` returns their current state. A long text or
    several files may become several messages: all of them are written, or none. With `sendAt` a message is
    scheduled, and later messages may be sent before it. On channels with a reply window, the API can write
    while the window is open to programs; after that, only a person can, in the inbox. An
    `approved_template` is sent outside the window, too.

    Messages of a key that is marked as automatic are refused while a person handles the conversation
    (`handled_by_person`), for customers who opted out of automated messages (`opted_out`), in answer to an
    automated message (`from_machine`), and if an address got several within minutes (`automatic_limit`).
    Messages of any other key are treated as written by a person.

    If the channel has `copies`, a message goes to everyone on the newest message unless `answer` or `cc` says
    otherwise, and can have hidden recipients in `bcc`; if the account has several addresses, it is sent from
    `ownAddress`. The answer has these in `content`. If the channel has
    `textWithFiles`, a text and its `files` are one message.
    """
    return in_own_form(call, body, _send)


def in_own_form(call: Call, body: Any, act: Callable[[Call, Any], T]) -> T:
    """Call *act* with a body of sending, in the form with a `kind`; errors name the fields that were sent."""
    if not isinstance(body, SendContent):
        return act(call, body)
    with db.read() as session:
        account = find_account(session, call, body.channel_id, field="channelId")
    try:
        return act(call, body.as_sendable(account.id))
    except LobbyError as error:
        name_field(call.route, error)
        error.field = body.place_of(error.field)
        raise


def in_body(field: str) -> str:
    """Return the name in the body of a part of a message, with the place in it: ``quickReplies[1].title``."""
    name, bracket, place = field.partition("[")
    return FIELDS.get(name, name) + bracket + place


@contextmanager
def fields_of_body() -> Iterator[None]:
    """Give the field of an error that the block raises its name in the body; see :data:`FIELDS`."""
    try:
        yield
    except LobbyError as error:
        error.field = error.field and in_body(error.field)
        raise


def voice_of(call: Call) -> Voice:
    """Return on whose behalf the key of a request sends."""
    return Voice.AUTOMATION if call.caller.automatic else Voice.PERSON


def _send(call: Call, body: Any) -> shapes.Sent:
    voice = voice_of(call)
    with db.read() as session:
        conversation, adapter = target(session, call, body)
        conversation_id = conversation.id
        if not _is_private(body):  # another check, made where the message is written
            check_may_send(
                session,
                conversation,
                adapter,
                call.now,
                by_person=False,
                voice=voice,
                approved=isinstance(body, SendApprovedTemplate),
            )
        account = ref(session.get_one(ChannelAccount, conversation.account_id))
        people = recipients_of(call, session, body, conversation, adapter)
    with fields_of_body():
        draft = draft_of(call, body, adapter, account)
        draft = replace(draft, content={**draft.content, **people})

    def queued(work: UnitOfWork) -> shapes.Sent:
        messages = queue_parts(
            work,
            conversation_id,
            [draft],
            reply_key=new_reply_key(),
            adapter=adapter,
            overflow=overflow_of(body),
            by_person=False,
            voice=voice,
            seen_id=body.if_last_message_id,
            hold=AT_ONCE if body.send_at is None else Hold(body.send_at, body.unless_written),
        )
        for message in () if voice is Voice.AUTOMATION else messages:
            message.origin = Origin.API
        work.session.flush()
        return shapes.Sent(data=some_messages(work.session, work.workspace_id, [one.id for one in messages]))

    with fields_of_body():
        return call.write(queued)


def _along(body: Send | CreateConversation) -> dict[str, Any]:
    """Return the extras of a message, in the form of :mod:`host.inbox.sendable`."""
    found = {"cc": list(body.cc), "bcc": list(body.bcc), OWN_ADDRESS: body.own_address}
    return {name: value for name, value in found.items() if value}


def recipients_of(
    call: Call, session: Session, body: Any, conversation: Conversation, adapter: ChannelAdapter
) -> dict[str, Any]:
    """Return the recipients of a message as the content of its draft; empty: the contact alone.

    :raises NotSendableError: as :func:`host.inbox.composition.recipients.for_program`.
    """
    if voice_of(call) is not Voice.PERSON or _is_private(body):
        return {}
    account = ref(session.get_one(ChannelAccount, conversation.account_id))
    audience = recipients.audience_of(session, conversation.id, adapter, account)
    return recipients.for_program(audience, body.answer, body.cc)


def _is_private(body: Any) -> bool:
    return isinstance(body, SendText) and body.private


def overflow_of(body: Any) -> Overflow:
    """Return what is done with a text that is too long for one message."""
    return body.overflow if isinstance(body, SendText) else "split"


def target(session: Session, call: Call, body: Send) -> tuple[Conversation, ChannelAdapter]:
    """Return the conversation that a body names, and the adapter of its channel."""
    conversation: Conversation | None
    if body.conversation_id is not None:
        if body.account_id is not None or body.to is not None:
            raise BodyError(
                _l("Give either a conversation, or an account and a contact, not both."),
                field="conversationId",
            )
        try:
            conversation = get_conversation(
                session, call.workspace_id, body.conversation_id, accounts=call.accounts
            )
        except ConversationNotFoundError:
            raise ConversationNotFoundError(next_step="", field="conversationId") from None
    elif body.account_id is None or body.to is None:
        missing = "conversationId" if body.account_id is None and body.to is None else "to"
        missing = "accountId" if body.account_id is None and body.to is not None else missing
        raise BodyError(_l("Give either a conversation, or an account and a contact."), field=missing)
    else:
        conversation = _latest(session, call, body.account_id, body.to)
    adapter = call.adapter(conversation.channel)
    if adapter is None:
        raise UnknownChannelError()
    return conversation, adapter


def _latest(session: Session, call: Call, account_id: int, to: str) -> Conversation:
    """Return the latest conversation with the contact *to* of an account."""
    find_account(session, call, account_id, field="accountId")
    query = (
        sa.select(Conversation)
        .join(ContactIdentity, Conversation.identity_id == OF_PERSON)
        .where(ContactIdentity.account_id == account_id, ContactIdentity.external_id == to)
        .order_by(Conversation.id.desc())
        .limit(1)
    )
    conversation = session.scalars(query).one_or_none()
    if conversation is None:
        raise NotWrittenFirstError(field="to")
    return conversation


def draft_of(call: Call, body: Any, adapter: ChannelAdapter, account: AccountRef) -> Draft:
    """Return the draft for a body to be sent through *account*.

    Fetches files given by address, and an approved template from the provider, so do not call it inside a
    transaction.
    """
    if isinstance(body, SendApprovedTemplate):
        draft = replace(_approved(call, body, adapter, account), reply_to=body.reply_to)
    else:
        draft = _draft(call, body, adapter)
    return replace(draft, content={**draft.content, **_along(body)})


def _draft(call: Call, body: Any, adapter: ChannelAdapter) -> Draft:
    quoted = body.reply_to
    if isinstance(body, SendText):
        offered = [_quick_reply(one, f"quickReplies[{at}]") for at, one in enumerate(body.quick_replies)]
        content = {"quick_replies": offered} if offered else {}
        ids = [_file(call, one, adapter, f"files[{at}]") for at, one in enumerate(body.files)]
        return Draft(
            text=body.text, uploads=tuple(ids), content=content, reply_to=quoted, private=body.private
        )
    if isinstance(body, SendImage | SendVideo | SendAudio | SendFile):
        kind = MessageKind(str(body.__struct_config__.tag))
        known = _provider_files(body.files)
        if known:
            return Draft(kind, content={"provider_files": known}, reply_to=quoted)
        ids = [_file(call, one, adapter, f"files[{at}]") for at, one in enumerate(body.files)]
        return Draft(kind, uploads=tuple(ids), reply_to=quoted)
    if isinstance(body, SendSticker):
        return Draft(MessageKind.STICKER, content={"sticker": body.sticker}, reply_to=quoted)
    if isinstance(body, SendTemplate):
        cards = [_card(call, one, adapter, f"elements[{at}]") for at, one in enumerate(body.elements)]
        return Draft(MessageKind.TEMPLATE, content={"template": {"elements": cards}}, reply_to=quoted)
    if isinstance(body, SendButtons):
        template = {"text": body.text, "buttons": [_button(one) for one in body.buttons]}
        return Draft(MessageKind.TEMPLATE, content={"template": template}, reply_to=quoted)
    if isinstance(body, SendProduct):
        return Draft(MessageKind.TEMPLATE, content={"products": body.products}, reply_to=quoted)
    if isinstance(body, SendLocation):
        place = {name: getattr(body, name) for name in ("latitude", "longitude", "name", "address")}
        return Draft(MessageKind.LOCATION, content={"location": place}, reply_to=quoted)
    if isinstance(body, SendContacts):
        cards = [{name: getattr(one, name) for name in one.__struct_fields__} for one in body.contacts]
        return Draft(MessageKind.CONTACTS, content={"contacts": cards}, reply_to=quoted)
    return Draft(MessageKind.SHARE, content={"own_post": body.post}, reply_to=quoted)


def _approved(
    call: Call, body: SendApprovedTemplate | FirstTemplate, adapter: ChannelAdapter, account: AccountRef
) -> Draft:
    if not adapter.capabilities.approved_templates:
        raise KindNotSupportedError()
    try:
        template = approved_fetching.find(adapter, account, body.template_id)
    except approved_fetching.TemplateNotFoundError as error:
        error.field = "templateId"
        raise
    draft = approved.draft_of(template, body.parameters or {})
    if body.file is None:
        return draft
    return replace(draft, uploads=(_file(call, body.file, adapter, "file"),))


def _card(call: Call, card: Card, adapter: ChannelAdapter, field: str) -> dict[str, Any]:
    """Return a card in the form of :mod:`host.inbox.sendable`. The provider fetches its picture."""
    made: dict[str, Any] = {"title": card.title}
    if card.subtitle is not None:
        made["subtitle"] = card.subtitle
    if card.url is not None:
        made["url"] = card.url
    if card.image is not None:
        _check_ref(card.image, f"{field}.image")
        made |= {"image_url": card.image.url} if card.image.url else {"upload": card.image.upload}
    if card.buttons:
        made["buttons"] = [_button(one) for one in card.buttons]
    return made


def _button(one: Button) -> dict[str, str]:
    given = (("title", one.title), ("url", one.url), ("payload", one.payload))
    return {name: value for name, value in given if value}


def _quick_reply(one: QuickReply, field: str) -> dict[str, str]:
    if (one.title is None) == (one.ask is None):
        raise BodyError(
            _l("A quick reply either has a title or asks for something. Give one of the two."), field=field
        )
    if one.ask is not None:
        return {"ask": one.ask.value}
    return {"title": one.title or "", "payload": one.payload}


def _provider_files(files: list[FileRef]) -> list[str]:
    """Return the provider's ids of the files of a body; empty if they are our own files."""
    known = [one.provider_id for one in files if one.provider_id is not None]
    if not known:
        return []
    if len(known) < len(files) or any(one.url is not None or one.upload is not None for one in files):
        raise BodyError(
            _l("Provider file IDs can't be mixed with other files. Send the others in a separate message."),
            field="files",
        )
    return known


def _file(call: Call, ref: FileRef, adapter: ChannelAdapter, field: str) -> str:
    """Return the id of the upload a body names, or of the file fetched from its address."""
    _check_ref(ref, field)
    if ref.upload is not None:
        return ref.upload
    assert ref.url is not None
    return fetch(
        ref.url, workspace_id=call.workspace_id, media=adapter.capabilities.media, field=f"{field}.url"
    )


def _check_ref(ref: FileRef, field: str) -> None:
    if (ref.url is None) == (ref.upload is None) or ref.provider_id is not None:
        raise BodyError(_l("A file has either a URL or an upload. Give one of the two."), field=field)


# ---- starting a conversation ---------------------------------------------------------------------------


class CreateConversation(Wire, frozen=True):
    """The account to start from, and the first message."""

    account_id: Annotated[Id, Meta(description="An account whose channel has `canStart`.")]
    text: Annotated[Text | None, Meta(description="Omitted with `template`.")] = None
    template: Annotated[
        FirstTemplate | None,
        Meta(
            description=(
                "An approved template, instead of `text` and `files`: all that can be sent where the reply "
                "window is closed until they write."
            )
        ),
    ] = None
    to: (
        Annotated[
            str,
            Meta(max_length=512, description="Their external id there; omitted: a known address of theirs."),
        ]
        | None
    ) = None
    previous_id: Annotated[
        Id | None,
        Meta(
            description=(
                "The conversation it continues, with the same contact. It is closed; its assignee, "
                "team and labels are carried over. Each can be continued once."
            )
        ),
    ] = None
    subject: (
        Annotated[
            str, Meta(max_length=LONGEST_SUBJECT, description="Omitted: a subject that names the account.")
        ]
        | None
    ) = None
    files: Annotated[tuple[FileRef, ...], Meta(max_length=10)] = ()
    cc: Annotated[tuple[Copied, ...], Meta(max_length=50)] = ()
    bcc: Annotated[tuple[Copied, ...], Meta(max_length=50)] = ()
    own_address: OwnAddress | None = None


class Started(Wire, frozen=True):
    """The conversation that was started, and its first messages."""

    conversation: conversations.Conversation
    messages: list[shapes.Message]


@routes.post(
    "/contacts/{contact_id}/conversations",
    "Start a conversation with a contact",
    tag="Contacts",
    limited=True,
    location="/conversations/{conversation.id}",
    errors=(*REFUSALS, ContactNotFoundError, AddressOfAnotherError, GoesOnError, NoWayOutError),
    examples={
        "By email, where the reply window is closed": {
            "accountId": 2,
            "previousId": 42,
            "text": "The blue mugs are back.",
        },
        "With a subject": {"accountId": 2, "subject": "Your order", "text": "It ships on Friday."},
        "With an approved template": {
            "accountId": 3,
            "template": {"templateId": "812734", "parameters": {"1": "Ana"}},
        },
    },
    fields={
        EmptyTextError: "text",
        TooLongError: "text",
        AccountNotFoundError: "accountId",
        ConversationNotFoundError: "previousId",
    },
)
def start_conversation(call: Call, contact_id: int, body: CreateConversation) -> Started:
    """The conversation and its first message are written together, or neither is.

    Only if the account's channel has `canStart`, and to a known address of the contact: their id on an
    account of that channel, their email address, or their phone number with its country code. An address of
    another contact is refused (`address_of_another`) until the two are merged. Where each contact has only
    one conversation, as in a chat, the message goes into the one they have.
    """
    with db.read() as session:
        account = find_account(session, call, body.account_id, field="accountId")
    adapter = call.adapter(account.channel)
    if adapter is None:
        raise UnknownChannelError()
    draft = _first(call, body, adapter, ref(account))
    voice = voice_of(call)

    def started(work: UnitOfWork) -> Started:
        made = start(
            work,
            body.account_id,
            [draft],
            contact_id=contact_id,
            before_id=body.previous_id,
            to=body.to,
            reply_key=new_reply_key(),
            directory=call.directory,
            by_person=False,
            voice=voice,
        )
        for message in () if voice is Voice.AUTOMATION else made.messages:
            message.origin = Origin.API
        work.session.flush()
        row = conversations.get(work.session, call, made.conversation_id)
        return Started(
            conversation=conversations.shown(work.session, call, row),
            messages=some_messages(work.session, work.workspace_id, [one.id for one in made.messages]),
        )

    with fields_of_body():
        return call.write(started)


def _first(call: Call, body: CreateConversation, adapter: ChannelAdapter, account: AccountRef) -> Draft:
    """Return the draft of the first message. An approved template is fetched from the provider."""
    content = _along(body) | ({"subject": body.subject} if body.subject else {})
    if body.template is None:
        if body.text is None:
            raise BodyError(_l("A conversation begins with a text or a template."), field="text")
        ids = [_file(call, one, adapter, f"files[{at}]") for at, one in enumerate(body.files)]
        return Draft(text=body.text, uploads=tuple(ids), content=content)
    if body.text is not None or body.files:
        field = "files" if body.text is None else "text"
        raise BodyError(_l("A template is sent without another text and without files."), field=field)
    try:
        draft = _approved(call, body.template, adapter, account)
    except LobbyError as error:
        error.field = f"template.{in_body(error.field)}" if error.field else "template"
        raise
    return replace(draft, content={**draft.content, **content})
