"""Turn drafts of a reply into messages a channel accepts: files first, then the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.backports.values import replace
from host.core.cleaning import clean_written, is_providers
from host.inbox.conversations import message_of
from host.inbox.errors import EmptyTextError, KindNotSupportedError, MessageNotFoundError, TooLongError
from host.inbox.sendable import NotSendableError, check_along, check_ask_text, check_content, words_of
from host.media import limits, links
from host.models.inbox import ContactIdentity, Conversation, Direction, Message
from host.models.media import Upload
from host.models.posts import Post
from host.sdk.capabilities import MEDIA_KINDS, Capabilities
from host.sdk.formatting import PICTURE_TYPES, pictures
from host.sdk.messages import MessageKind
from host.sdk.text import TextUnit, length, split, truncate, unit_of

MAX_LENGTH = 20_000
"""Maximum characters of one text, regardless of the channel."""
MAX_FILES = 50
"""Maximum number of files in one reply."""

Overflow = Literal["split", "truncate", "reject"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A part of a reply.

    A text with files becomes one message if the channel supports that, or the caption of the last file that
    can have one; otherwise the files are sent first, then the text.

    :param kind: of the message; with *uploads*, the kind the files must have, or ``TEXT`` for any.
    :param uploads: ids of uploaded files, in order.
    :param content: data of the kind besides text and files, see :class:`host.sdk.messages.OutgoingPart`; a
        card of a template may name an uploaded picture as ``upload``.
    :param reply_to: id of the message of this conversation it quotes, or answers on a public channel.
    :param private: whether it is the one private reply to *reply_to*, a text.
    """

    kind: MessageKind = MessageKind.TEXT
    text: str = field(default="", repr=False)
    uploads: tuple[str, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: int | None = None
    private: bool = False


class Planned(msgspec.Struct, frozen=True):
    """A message to write.

    :param uploads: ids of its files.
    :param reply_to: external id of the message it quotes.
    """

    kind: MessageKind
    text: str = ""
    content: Mapping[str, Any] = msgspec.field(default_factory=dict)
    uploads: tuple[str, ...] = ()
    reply_to: str | None = None

    @property
    def private(self) -> bool:
        """Whether it is a private reply to *reply_to*."""
        return self.content.get("private") is True


def parts_of(text: str, limit: int | None, overflow: Overflow) -> list[str]:
    """Return the messages that *text* becomes on a channel with a limit of *limit* each.

    :param limit: in bytes, or with its unit.
    :raises TooLongError: if it does not fit in one and *overflow* is ``reject``.
    """
    if limit is None:
        return [text]
    unit = unit_of(limit)
    count, most = length(text, unit), int(limit)
    if count <= limit:
        return [text]
    if overflow == "reject":
        if unit is TextUnit.BYTES:
            sentence = _l(
                "The text has %(count)s bytes; a message on this channel can have %(most)s. Nothing was "
                "sent.",
                count=count,
                most=most,
            )
        else:
            sentence = _l(
                "The text has %(count)s characters; a message on this channel can have %(most)s. Nothing was "
                "sent.",
                count=count,
                most=most,
            )
        raise TooLongError(sentence, limit=most)
    return [truncate(text, limit)] if overflow == "truncate" else split(text, limit)


def plan(
    session: Session,
    conversation: Conversation,
    drafts: Sequence[Draft],
    capabilities: Capabilities,
    overflow: Overflow,
) -> list[Planned]:
    """Return the messages *drafts* become, each within the channel's limits. It writes nothing.

    :raises EmptyTextError: if nothing is left to send.
    :raises TooLongError: for more than :data:`MAX_LENGTH` characters, or if *overflow* forbids splitting.
    :raises MessageNotFoundError: if the conversation has no message a draft quotes.
    :raises KindNotSupportedError: for a kind the channel does not support.
    :raises FileRefusedError: for a file that the channel does not accept, or that is missing.
    :raises NotSendableError: for every other limit; see :func:`host.inbox.sendable.check_content`, and
        ``too_many_files``, ``text_with_kind``, ``quick_replies_need_text``, ``quote_not_supported``,
        ``quote_unknown``, ``private_only``, and those of :func:`check_pictures`.
    """
    found = _files(session, conversation.workspace_id, drafts)
    planned: list[Planned] = []
    for draft in drafts:
        if draft.private:
            planned.append(_plan_private(session, conversation, draft, capabilities))
        else:
            planned += _plan_one(session, conversation, draft, capabilities, overflow, found)
    if not planned:
        raise EmptyTextError()
    if any("to" in one.content for one in planned):
        planned = _without_customer(session, conversation, planned)
    if len(planned) > 1 and any(one.private for one in planned):
        raise NotSendableError(
            "private_alone",
            _l("A private reply can only contain one text."),
            next_step=_l("Send the rest separately."),
        )
    if capabilities.public:
        if not planned[0].private:
            _check_public(session, conversation, capabilities)
        return _answering(session, conversation, planned)
    return planned


def _without_customer(
    session: Session, conversation: Conversation, planned: Sequence[Planned]
) -> list[Planned]:
    """Return *planned* without recipients where it goes to the customer, as it does if none are given."""
    customer = session.get_one(ContactIdentity, conversation.identity_id).external_id
    found = []
    for one in planned:
        content = {name: value for name, value in one.content.items() if name not in {"to", "names"}}
        names = {name: value for name, value in one.content.get("names", {}).items() if name != customer}
        given = {"names": names} if names else {}
        found.append(replace(one, content=content | given) if one.content.get("to") == [customer] else one)
    return found


def _plan_private(
    session: Session, conversation: Conversation, draft: Draft, capabilities: Capabilities
) -> Planned:
    """Return the private reply to a message of the customer."""
    limits_ = capabilities.private_replies
    if limits_ is None or draft.reply_to is None:
        raise NotSendableError(
            "private_not_supported",
            _l("This channel does not support private replies to messages."),
            next_step=_l("Write a reply instead."),
            status=409,
        )
    theirs = replace(
        capabilities,
        text_limit_bytes=limits_.text_limit_bytes,
        quick_replies=limits_.quick_replies,
        reply_quote=True,
    )
    if draft.kind is not MessageKind.TEXT or draft.uploads:
        raise KindNotSupportedError()
    answered = message_of(session, conversation, draft.reply_to)
    if answered.direction != Direction.INBOUND:
        raise MessageNotFoundError()
    planned = _plan_one(session, conversation, replace(draft, private=False), theirs, "reject", {})
    if not planned:
        raise EmptyTextError()
    return replace(planned[0], content={**planned[0].content, "private": True})


def _check_public(session: Session, conversation: Conversation, capabilities: Capabilities) -> None:
    """Refuse a public answer below a post that does not allow one."""
    if not capabilities.private_only or conversation.post_id is None:
        return
    kind = session.scalar(sa.select(Post.kind).where(Post.id == conversation.post_id))
    if kind in capabilities.private_only:
        raise NotSendableError(
            "private_only",
            _l("Comments on this post cannot be replied to publicly. Nothing was sent."),
            next_step=_l("Reply privately while that is still possible."),
            status=409,
        )


def _answering(session: Session, conversation: Conversation, planned: Sequence[Planned]) -> list[Planned]:
    """Return *planned*, each answering a message: by default the customer's newest."""
    if all(one.reply_to is not None for one in planned):
        return list(planned)
    query = (
        sa.select(Message.external_id)
        .where(
            Message.conversation_id == conversation.id,
            Message.account_id == conversation.account_id,
            Message.direction == Direction.INBOUND,
            Message.external_id.is_not(None),
            Message.unsent_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    newest = session.scalar(query)
    if newest is None or not is_providers(newest):
        raise NotSendableError(
            "nothing_to_answer",
            _l("The comment was deleted, so there is nothing to reply to."),
            next_step=_l("Wait until they write again."),
            status=409,
        )
    return [one if one.reply_to is not None else replace(one, reply_to=newest) for one in planned]


def _files(session: Session, workspace_id: int, drafts: Sequence[Draft]) -> dict[str, Upload]:
    """Return the uploads that *drafts* name, by id, including those already sent."""
    wanted = {one for draft in drafts for one in draft.uploads} | {
        card["upload"] for draft in drafts for card in _cards(draft) if isinstance(card.get("upload"), str)
    }
    if not wanted:
        return {}
    if len(wanted) > MAX_FILES:
        raise NotSendableError(
            "too_many_files",
            _l(
                "You attached %(count)s files; at most %(most)s can be sent at once.",
                count=len(wanted),
                most=MAX_FILES,
            ),
            next_step=_l("Send some of them first."),
            field="uploads",
            limit=MAX_FILES,
        )
    query = sa.select(Upload).where(Upload.workspace_id == workspace_id, Upload.uuid.in_(wanted))
    return {row.uuid: row for row in session.scalars(query)}


def _cards(draft: Draft) -> list[Mapping[str, Any]]:
    template = draft.content.get("template")
    elements = template.get("elements") if isinstance(template, Mapping) else None
    listed = elements if isinstance(elements, list | tuple) else []
    return [one for one in listed if isinstance(one, Mapping)]


def _plan_one(
    session: Session,
    conversation: Conversation,
    draft: Draft,
    capabilities: Capabilities,
    overflow: Overflow,
    found: Mapping[str, Upload],
) -> list[Planned]:
    text = clean_written(draft.text)
    along = check_along(draft.content, capabilities)
    content, named = check_content(draft.kind, along.rest, capabilities)
    if draft.kind is MessageKind.APPROVED_TEMPLATE:
        planned = [_approved(text, content, draft.uploads, capabilities, found)]
    else:
        planned = _media(draft, capabilities, found) or _known_files(draft.kind, content, capabilities)
    if draft.uploads and content.get("provider_files"):
        raise NotSendableError(
            "bad_content",
            _l("A message can contain either uploaded files or provider file IDs, not both."),
            next_step=_l("Send them as two messages."),
        )
    if draft.kind in MEDIA_KINDS and not planned:
        raise limits.FileRefusedError(
            "file_missing", _l("No file was uploaded."), next_step=_l("Choose one and try again."), status=422
        )
    if draft.kind is MessageKind.APPROVED_TEMPLATE:
        pass  # it is complete
    elif draft.kind not in MEDIA_KINDS | {MessageKind.TEXT}:
        if text or draft.uploads:
            raise NotSendableError("text_with_kind", _l("This kind of message cannot contain text or files."))
        for one in named:
            _check_picture(one, capabilities, found)
        planned.append(Planned(draft.kind, words_of(draft.kind, content), content, tuple(named)))
    elif text:
        planned = _with_text(draft, text, content, planned, capabilities, overflow, found)
    elif content and draft.kind is MessageKind.TEXT:
        raise NotSendableError(
            "quick_replies_need_text",
            _l("Quick replies need a text above them."),
            next_step=_l("Write the question they answer."),
        )
    if draft.reply_to is not None and planned:
        quoted = _quoted(session, conversation, draft.reply_to, capabilities)
        # The text carries the quote; without a text, the first file.
        at = next((i for i, one in enumerate(planned) if one.kind is MessageKind.TEXT or one.text), 0)
        planned[at] = replace(planned[at], reply_to=quoted)
    return [replace(one, content={**one.content, **along.content}) for one in planned]


def _with_text(
    draft: Draft,
    text: str,
    content: Mapping[str, Any],
    planned: list[Planned],
    capabilities: Capabilities,
    overflow: Overflow,
    found: Mapping[str, Upload],
) -> list[Planned]:
    """Return *planned*, the messages of a draft's files, with its text: in one of them, or after them."""
    at = None if content else _captioned(planned, capabilities, found)
    if at is not None:
        planned[at] = replace(planned[at], text=_caption(text, capabilities))
        return planned
    below = content if draft.kind is MessageKind.TEXT else {}
    check_ask_text(text, below, capabilities.quick_replies)
    written = _texts(text, below, capabilities, overflow)
    if capabilities.formatting and capabilities.text_with_files:
        files = [found[one] for one in draft.uploads if one in found]
        check_pictures(text, [(one.name, one.content_type) for one in files])
    if capabilities.text_with_files and draft.uploads:
        return [replace(written[0], uploads=draft.uploads), *written[1:]]
    return [*planned, *written]


def _captioned(
    planned: Sequence[Planned], capabilities: Capabilities, found: Mapping[str, Upload]
) -> int | None:
    """Return the index of the message whose file can have a text below it, the last of them, or None."""
    captions = capabilities.captions
    if captions is None:
        return None
    fits = [
        at
        for at, one in enumerate(planned)
        if one.kind in captions.kinds
        and one.uploads
        and not any(found[each].content_type in captions.without for each in one.uploads)
    ]
    return fits[-1] if fits else None


def _caption(text: str, capabilities: Capabilities) -> str:
    """Return *text* as the caption of a file. It is never split: the rest would stand apart from the file."""
    assert capabilities.captions is not None
    count, most = length(text, capabilities.text_limit_unit), capabilities.captions.length
    if count <= most:
        return text
    if capabilities.text_limit_unit is TextUnit.BYTES:
        sentence = _l(
            "The text has %(count)s bytes; below a file it can have %(most)s. Nothing was sent.",
            count=count,
            most=most,
        )
    else:
        sentence = _l(
            "The text has %(count)s characters; below a file it can have %(most)s. Nothing was sent.",
            count=count,
            most=most,
        )
    raise TooLongError(
        sentence,
        next_step=_l("Make it shorter, or send the file and the text separately."),
        field="text",
        limit=most,
    )


def _approved(
    text: str,
    content: Mapping[str, Any],
    uploads: tuple[str, ...],
    capabilities: Capabilities,
    found: Mapping[str, Upload],
) -> Planned:
    """Return the message of a filled-in approved template, with the file above its text."""
    if not text:
        raise EmptyTextError()
    header = content["approved_template"].get("header") or {}
    wanted = header.get("kind", MessageKind.TEXT)
    kinds = [_check_file(one, capabilities, found) for one in uploads]
    if kinds != ([] if wanted == MessageKind.TEXT else [wanted]):
        raise limits.FileRefusedError(
            "template_file",
            _l("The file does not match the template.")
            if uploads
            else _l("The template needs a file above its text."),
            next_step=_l("Choose one file of the type that the template shows."),
            field="file",
            status=422,
        )
    return Planned(MessageKind.APPROVED_TEMPLATE, text, content, uploads)


def check_pictures(text: str, files: Collection[tuple[str, str]]) -> None:
    """Refuse a text that places a picture which is not among the files of its message.

    :param files: name and content type of each.
    :raises NotSendableError: codes ``picture_missing``, ``picture_twice``, ``picture_not_shown``.
    """
    for name in pictures(text):
        there = [content_type for called, content_type in files if called == name]
        if not there:
            raise NotSendableError(
                "picture_missing",
                _l("The text refers to “%(name)s”, which is not attached. Nothing was sent.", name=name),
                next_step=_l("Attach it, or remove ![%(name)s] from the text.", name=name),
                field="text",
            )
        if len(there) > 1:
            raise NotSendableError(
                "picture_twice",
                _l("Two attached files are named “%(name)s”, so the text is ambiguous.", name=name),
                next_step=_l("Remove or rename one of them."),
                field="text",
            )
        if there[0] not in PICTURE_TYPES:
            raise NotSendableError(
                "picture_not_shown",
                _l("“%(name)s” is not an image that can be shown in the text.", name=name),
                next_step=_l("Remove ![%(name)s] from the text. The file will be attached below.", name=name),
                field="text",
            )


def _texts(
    text: str, content: Mapping[str, Any], capabilities: Capabilities, overflow: Overflow
) -> list[Planned]:
    """Return the messages of a text, with quick replies below the last."""
    if MessageKind.TEXT not in capabilities.sends:
        raise KindNotSupportedError()
    if len(text) > MAX_LENGTH:
        raise TooLongError(
            _l(
                "The text has %(count)s characters; a reply can have %(most)s. Nothing was sent.",
                count=len(text),
                most=MAX_LENGTH,
            ),
            limit=MAX_LENGTH,
        )
    if capabilities.public and overflow == "split":
        overflow = "reject"  # the parts would be public
    parts = parts_of(text, capabilities.text_limit, overflow)
    planned = [Planned(MessageKind.TEXT, part) for part in parts]
    planned[-1] = replace(planned[-1], content=content)
    return planned


def _media(draft: Draft, capabilities: Capabilities, found: Mapping[str, Upload]) -> list[Planned]:
    """Return the messages of a draft's files: consecutive pictures grouped, other files one each.

    If the channel supports a text with files, all files are one message.
    """
    planned: list[Planned] = []
    if len(set(draft.uploads)) != len(draft.uploads):
        raise limits.FileRefusedError(
            "file_twice", _l("The same file is attached twice."), next_step=_l("Remove one."), field="uploads"
        )
    size = sum(found[one].size for one in draft.uploads if one in found)
    if capabilities.files_bytes is not None and size > capabilities.files_bytes:
        raise limits.too_large_together(capabilities.files_bytes, size)
    for one in draft.uploads:
        kind = _check_file(one, capabilities, found)
        if draft.kind is not MessageKind.TEXT and kind is not draft.kind:
            raise limits.FileRefusedError(
                "other_kind",
                _l("The file type does not match the message type."),
                next_step=_l("Send it as its own type."),
                field="uploads",
            )
        last = planned[-1] if planned else None
        if (
            last is not None
            and last.kind is kind is MessageKind.IMAGE
            and len(last.uploads) < capabilities.images_per_message
        ):
            planned[-1] = replace(last, uploads=(*last.uploads, one))
        else:
            planned.append(Planned(kind, uploads=(one,)))
    if capabilities.text_with_files and len(planned) > 1:
        kinds = {one.kind for one in planned}
        return [Planned(kinds.pop() if len(kinds) == 1 else MessageKind.FILE, uploads=draft.uploads)]
    return planned


def _known_files(kind: MessageKind, content: Mapping[str, Any], capabilities: Capabilities) -> list[Planned]:
    """Return the messages of files the provider already has: pictures grouped, other files one each."""
    ids = content.get("provider_files", ())
    together = capabilities.images_per_message if kind is MessageKind.IMAGE else 1
    return [
        Planned(kind, content={"provider_files": ids[at : at + together]})
        for at in range(0, len(ids), together)
    ]


def _check_file(one: str, capabilities: Capabilities, found: Mapping[str, Upload]) -> MessageKind:
    """Return the kind of an uploaded file, refusing one that the channel does not accept."""
    upload = found.get(one)
    if upload is None:
        raise limits.FileRefusedError(
            "upload_gone",
            _l("A file expired after a day, or was already sent."),
            next_step=_l("Add it again."),
            status=409,
        )
    kind = MessageKind(upload.kind)
    limits.check(kind, upload.content_type, upload.size, capabilities.media, name=upload.name)
    return kind


def _check_picture(one: str, capabilities: Capabilities, found: Mapping[str, Upload]) -> None:
    if _check_file(one, capabilities, found) is not MessageKind.IMAGE:
        raise limits.FileRefusedError(
            "other_kind", _l("A card can only show an image."), next_step=_l("Choose an image.")
        )
    if not links.reachable():
        # The provider fetches a card's picture by its URL; it accepts no upload there.
        raise limits.FileRefusedError(
            "not_reachable",
            _l("Card images are loaded from this server, which cannot be reached from the internet."),
            next_step=_l("Enter the URL of an image on the web instead."),
            status=409,
        )


def _quoted(session: Session, conversation: Conversation, message_id: int, capabilities: Capabilities) -> str:
    """Return the external id of a message to quote.

    :raises MessageNotFoundError: if the conversation has no such message.
    :raises NotSendableError: codes ``quote_not_supported``, ``quote_unknown``.
    """
    message = message_of(session, conversation, message_id)
    if not capabilities.reply_quote:
        raise NotSendableError(
            "quote_not_supported",
            _l("This channel cannot quote a message, so nothing was sent."),
            next_step=_l("Send it without the quote."),
            status=409,
        )
    if not is_providers(message.external_id) or message.unsent_at is not None:
        raise NotSendableError(
            "quote_unknown",
            _l("That message cannot be quoted: it was not sent, or was unsent."),
            next_step=_l("Send it without the quote."),
            status=409,
        )
    assert message.external_id is not None
    return message.external_id
