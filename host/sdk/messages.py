"""The values between a channel and the inbox: incoming changes and outgoing parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO

import msgspec

OWN_ADDRESS = "own_address"
"""Key in the content of a message: the additional address of the account that it was sent to, or is sent
from; see ``docs/addons.md``."""
ANSWER_TO = "answer_to"
"""Key in the content of a received message: the people its author wants the answer to go to, a list of
mappings with ``name`` and ``address``, if that isn't the author alone."""
INVITATION = "invitation"
"""Key in the content of a message: the events it invites to, or says something about; see
``docs/addons.md``."""
INVITATION_ANSWER = "invitation_answer"
"""Key in the content of a message of ours: the answer to an invitation that it carries."""
MAILING_LIST = "mailing_list"
"""Key in the content of a received message: the address of the mailing list it came through."""
THROUGH_LIST = "through_list"
"""Key in the content of a received message: the address of the mailing list, even if it is one of ours, that
a person wrote it to. Without it, an automatic message is of a program or for many."""
CLAIMED_WRITER = "claimed_writer"
"""Key in the content of a received message: ``name`` and ``address`` of the writer whom its sender, such as a
mailing list, only names. Nothing proves them."""


class MessageKind(StrEnum):
    """Kind of a message. A kind the inbox has no bubble for is shown as a neutral row, never dropped."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"
    STICKER = "sticker"
    SHARE = "share"
    STORY_MENTION = "story_mention"
    STORY_REPLY = "story_reply"
    POSTBACK = "postback"
    QUICK_REPLY = "quick_reply"
    REACTION = "reaction"
    REFERRAL = "referral"
    OPT_IN = "opt_in"
    """The customer opted in to or out of a kind of message: ``content["opt_in"]`` has its ``title`` and its
    ``state``: ``on``, ``stopped`` or ``resumed``."""
    FEEDBACK = "feedback"
    """The customer rated the message ``reply_to``: ``content["rating"]`` is ``good``, ``bad`` or empty."""
    LOCATION = "location"
    """A place: ``content["location"]`` has ``latitude`` and ``longitude``, and may have its ``name`` and
    ``address``; the text has both in words."""
    CONTACTS = "contacts"
    """Contact cards: ``content["contacts"]`` has their ``name``, ``phones``, ``emails`` and ``company``."""
    ORDER = "order"
    """An order: ``content["order"]["items"]`` has the ``product``, ``quantity``, ``price`` and ``currency``
    of each line; the text is what the customer wrote with it."""
    CALL = "call"
    """The customer called, and nobody took the call. It has no text; ``sent_at`` is when the call ended."""
    INVITATION = "invitation"
    """An invitation without further text: ``content["invitation"]`` has it, the text has it in words. Any
    other message may have one as well, beside its text."""
    CUSTOM = "custom"
    """A kind of one channel, such as a poll: one of its :class:`CustomKind`. ``content["custom"]`` has its
    ``kind`` and its ``data``; the text says the same in words."""
    EDIT = "edit"
    UNSEND = "unsend"
    TEMPLATE = "template"
    """Cards with buttons, or a text with buttons."""
    APPROVED_TEMPLATE = "approved_template"
    """A text that the provider approved in advance, filled in; see :mod:`host.sdk.approved`."""
    DISAPPEARING = "disappearing"
    UNSUPPORTED = "unsupported"
    """Anything the adapter does not know yet; ``content["event"]`` names it."""


@dataclass(frozen=True, slots=True)
class MessageCard:
    """A card in the thread that shows a message of a :class:`CustomKind`.

    :param rows: further lines, each a label and a value.
    :param href: an HTTP or HTTPS address to open; others are not shown.
    """

    title: str = ""
    detail: str = ""
    rows: Sequence[tuple[str, str]] = ()
    href: str = ""


@dataclass(frozen=True, slots=True)
class CustomKind:
    """A kind of message that only one channel has; see ``docs/addons.md``.

    :param name: its name in the content: lower-case ASCII letters, digits and underscores.
    :param label: its name for people, marked with :func:`host.sdk.i18n.noop`.
    :param icon: a name of :class:`host.sdk.panels.Icon`.
    :param data: the type of its data: a dataclass or a ``msgspec.Struct``.
    :param cards: returns the cards for its data. Pure and cheap: called whenever the thread is rendered.
    """

    name: str
    label: str
    icon: str
    data: type[Any]
    cards: Callable[[Any], Sequence[MessageCard]] = field(repr=False)

    def content(self, data: object) -> dict[str, Any]:
        """Return the content of a message with *data*."""
        return {"custom": {"kind": self.name, "data": msgspec.to_builtins(data)}}


class AttachmentRole(StrEnum):
    """Role of a file in the message it came with."""

    FILE = "file"
    """Attached; shown below the message."""
    FORMATTED = "formatted"
    """The message in its sender's layout: unchanged HTML in UTF-8, sanitized when shown. A message has at
    most one, with its bytes; ``text`` has the same as plain text."""
    INLINE = "inline"
    """A picture shown inside the formatted form, which refers to it as ``cid:`` and the *content_id*."""


MAIL_TYPES = frozenset({"message/rfc822", "message/global"})
"""Content types of attached mails."""


def is_mail(content_type: str, name: str) -> bool:
    """Return whether a file is a mail, by its type or the ending of its name."""
    bare = content_type.partition(";")[0].strip().lower()
    return bare in MAIL_TYPES or (bare != "text/html" and name.lower().endswith(".eml"))


@dataclass(frozen=True, slots=True)
class EnclosedMail:
    """An attached mail.

    :param author: names and addresses of its authors in one line; *to*: those of its recipients.
    :param html: its formatted form, unsafe as it came; empty if it has only text.
    :param pictures: type and bytes of the pictures in that form, by content id.
    :param files: names of its other files.
    :param mails: the mails attached to it, by file names.
    """

    subject: str
    author: str
    to: str
    sent_at: datetime | None
    text: str = field(repr=False)
    html: str = field(default="", repr=False)
    pictures: Mapping[str, tuple[str, bytes]] = field(default_factory=dict, repr=False)
    files: tuple[str, ...] = ()
    mails: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class InboundAttachment:
    """A file of a received message: its bytes if they came with it, else the provider's *url*.

    :param content_id: of an inline picture: its name in the formatted form.
    """

    kind: MessageKind
    url: str | None = None
    content: bytes | None = field(default=None, repr=False)
    name: str = ""
    content_type: str = ""
    role: AttachmentRole = AttachmentRole.FILE
    content_id: str = ""


class PostKind(StrEnum):
    """Kind of a post."""

    POST = "post"
    REEL = "reel"
    STORY = "story"
    AD = "ad"
    LIVE = "live"
    """A live broadcast: comments on it can only be answered while it lasts."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Post:
    """Something published at the provider that customers comment on. Unknown fields are empty.

    :param text: its caption.
    :param url: address of its page, for people.
    :param picture_url: a picture of it, on one of the hosts of
        :meth:`~host.sdk.channel.ChannelAdapter.inbound_media`.
    :param ended_at: when a broadcast ended.
    :param owner: the owner's handle, if the owner is not the account.
    """

    external_id: str
    kind: PostKind = PostKind.POST
    text: str = field(default="", repr=False)
    url: str = ""
    picture_url: str | None = None
    published_at: datetime | None = None
    ended_at: datetime | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A customer wrote.

    :param contact: the customer's id on this account; always a string.
    :param external_id: the provider's id of the message; None only if the provider gives none: then only the
        dedupe key prevents duplicates.
    :param sent_at: the provider's time, aware.
    :param opens_window: whether it opens a reply window on the channel.
    :param references: for channels that thread by reference: external ids this one answers, nearest first.
    :param reply_to: external id of the message this one quotes, from either side.
    :param post: the post it comments on, on a channel that threads by posts.
    :param content: among others, of ``QUICK_REPLY``: ``payload``, and ``ask`` if it is an answer to a request
        for contact details (:class:`host.sdk.channel.Ask`): then the payload is what they shared.
    :param contact_phone: the customer's phone number with its country code, as digits. Only if the provider
        has verified it: contacts with the same number become one.
    :param contact_email_verified: whether *contact_email* is proved to be theirs; the same applies to it.
    :param earlier: whether it predates the connection of the account, such as history: no notifications, no
        automatic answers, and no reply window.
    """

    contact: str
    external_id: str | None
    sent_at: datetime
    kind: MessageKind = MessageKind.TEXT
    text: str = ""
    attachments: tuple[InboundAttachment, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    opens_window: bool = True
    subject: str | None = None
    references: tuple[str, ...] = ()
    contact_name: str | None = None
    contact_username: str | None = None
    contact_email: str | None = None
    reply_to: str | None = None
    post: Post | None = None
    earlier: bool = False
    contact_phone: str | None = None
    contact_email_verified: bool = False


class Who(StrEnum):
    """A program that can answer a customer."""

    DESK = "desk"
    """This desk's app at the provider."""
    PROVIDER = "provider"
    """The provider's own app."""
    OTHER = "other"
    BOT = "bot"
    """The provider's own program that answers by itself."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can answer a customer, as identified by the provider.

    :param name: its display name; empty: only its *id* is known.
    """

    who: Who
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class MessageEchoed:
    """The provider reports a message from our side: sent by the host, or written in the provider's own app.

    :param contact: the customer's id; empty if unknown: then it is the author of the message *reply_to*, and
        without that message the echo is ignored.
    :param reply_to: external id of the message this one quotes.
    :param sent_by: the program that sent it; None: unknown.
    :param subject: the subject, if it starts a conversation.
    :param references: as in :class:`MessageReceived`, for channels that thread by reference.
    :param earlier: as in :class:`MessageReceived`.
    """

    contact: str
    external_id: str
    sent_at: datetime
    kind: MessageKind = MessageKind.TEXT
    text: str = ""
    attachments: tuple[InboundAttachment, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    sent_by: Program | None = None
    subject: str | None = None
    references: tuple[str, ...] = ()
    earlier: bool = False


@dataclass(frozen=True, slots=True)
class MessageReacted:
    """A reaction to the message *external_id* was added or removed.

    A person has at most one reaction to a message: the latest by time replaces it.

    :param emoji: the emoji to show; empty if removed.
    :param name: the provider's name for it, such as ``love``.
    :param ours: whether it is the team's rather than the customer's.
    """

    contact: str
    external_id: str
    at: datetime
    emoji: str
    name: str = ""
    removed: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The text of the message *external_id*, the customer's or ours, is now *text*.

    :param number: number of the edit of that message, from 1; None if the provider does not number edits:
        then the latest by time wins.
    :param ours: whether the team edited it, in the provider's app; shown so while the message isn't here.
    """

    contact: str
    external_id: str
    at: datetime
    text: str = field(repr=False)
    number: int | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True)
class MessageUnsent:
    """The message *external_id*, the customer's or ours, was unsent: its content is removed everywhere.

    :param carried_by: dedupe keys of all envelopes that may contain it, to remove it from the inbound log
        too: the keys of the message, of its echo and of its edits.
    :param ours: whether the team unsent it, in the provider's app; shown so while the message isn't here.
    """

    contact: str
    external_id: str
    at: datetime
    carried_by: tuple[str, ...] = ()
    ours: bool = False


class Handover(StrEnum):
    """Kind of change of control over a conversation that several programs can answer."""

    PASSED = "passed"
    TAKEN = "taken"
    REQUESTED = "requested"
    ROLES = "roles"
    """The roles of the programs changed."""


@dataclass(frozen=True, slots=True)
class ConversationHandedOver:
    """Another program now answers the customer, or requests to. Shown as an activity line, never unread.

    :param note: the other program's note.
    :param to: the program that now has the conversation, or requests it; None: unknown.
    :param summary: what was said until then, in the other program's words; shown below the line, folded.
    """

    contact: str
    at: datetime
    how: Handover
    note: str = ""
    to: Program | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class PersonId:
    """An id of a customer on an account.

    :param lasting: whether it never means anybody else, like an id for one business; a phone number may.
    :param former: whether another id of theirs replaced it.
    """

    external_id: str
    lasting: bool = False
    former: bool = False


class IdChange(StrEnum):
    """The kind of id that replaced an older one of a customer."""

    NUMBER = "number"
    """A new phone number."""
    ID = "id"
    """A new id at the provider."""


@dataclass(frozen=True, slots=True)
class ContactIdentified:
    """The provider names several ids of one customer: whatever id an event names, it is this customer's.

    It comes with the other changes of its event, in any order. An id that is not lasting moves on when it is
    named with the lasting id of somebody else; the one who had it keeps the conversation. Two known customers
    whose ids turn out to be one's become one contact, which people can undo.

    :param contact: the id that the other changes of the event name: a lasting one, if it has one.
    :param at: provider's time of the event.
    :param ids: the first that neither is lasting nor former is sent to, or else the first lasting one.
    :param changed: what replaced a former id, for a line in the conversation.
    """

    contact: str
    at: datetime
    ids: tuple[PersonId, ...]
    changed: IdChange | None = None


@dataclass(frozen=True, slots=True)
class AccountNoticed:
    """The provider reports something about the whole account: the people responsible are notified.

    :param kind: the subject; an account has one warning of each kind at a time. Lower-case letters and
        hyphens, at most 32.
    :param sentence: marked with :func:`host.sdk.i18n.noop`, with ``%(name)s`` for *details*.
    :param bad: whether it has already happened: it stays on the account's card until it is over or the
        account is reconnected. False: people are notified once.
    :param over: whether the problem is resolved, so that the warning is removed.
    """

    kind: str
    at: datetime
    sentence: str = ""
    next_step: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    bad: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """The provider accepted our message, and returns the key it was sent with.

    It confirms a message whose sending got no answer, so nobody sends it again. Ignored if the message is
    confirmed already, or if the key is none of ours.

    :param external_id: the provider's id of the message.
    :param message_key: :attr:`host.sdk.channel.SendRequest.message_key`.
    :param at: provider's time of the report.
    """

    contact: str
    external_id: str
    message_key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MessagesRead:
    """The customer has seen our message *external_id* and everything we sent before it."""

    contact: str
    external_id: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """Our message *external_id* was delivered to the customer, as opposed to accepted by the provider.

    Applied if :attr:`host.sdk.capabilities.Capabilities.delivery_reports` is set.

    :param at: provider's time of the delivery.
    """

    contact: str
    external_id: str
    at: datetime


class ReportKind(StrEnum):
    """Kind of a delivery report about a message of ours."""

    FAILED = "failed"
    """The message was not delivered, and will not be."""
    DELAYED = "delayed"
    """The message was not delivered yet; other servers keep trying."""
    READ = "read"
    DELETED = "deleted"
    """The message was deleted without being read."""


@dataclass(frozen=True, slots=True)
class MessageBounced:
    """A delivery report about our message *external_id*, which the provider had accepted.

    *sentence* is shown with the message: a failed one is marked as not delivered, a delayed one stays sent,
    and a receipt is recorded. If that message is unknown, or was never sent to *contact*, the report is shown
    as the message *report*, so nothing received is lost; if it may be about a message that is still being
    sent, after a day. Without *report*, as on channels where other programs send with the same account, it is
    a line in the customer's conversation, or is ignored if there is none. A message that was reported as
    delivered or read is not marked as failed.

    A report that names no message has an empty *external_id*, on a channel that threads by reference. It is
    about the message sent to *contact* in the week before it, if only one fits; otherwise it is shown in the
    conversation of the newest one that fits, with a hint.

    :param contact: the recipient the report is about.
    :param at: time of the report.
    :param sentence: the reason; *next_step*: what to do. Both are marked with :func:`host.sdk.i18n.noop`.
    :param raw: the other server's message, for people who want the details.
    :param whole_contact: with a failure: nothing else can be sent to this customer, either, as with
        :class:`~host.sdk.channel.Rejected`, until they write after *at*; *templates*: but approved templates.
    :param final: as in :class:`~host.sdk.channel.ProviderProblem`.
    """

    contact: str
    external_id: str
    at: datetime
    report: MessageReceived | None
    sentence: str = ""
    next_step: str = ""
    raw: str = field(default="", repr=False)
    kind: ReportKind = ReportKind.FAILED
    whole_contact: bool = False
    templates: bool = False
    final: bool = False

    @property
    def attachments(self) -> tuple[InboundAttachment, ...]:
        """Return the files of the report."""
        return () if self.report is None else self.report.attachments


@dataclass(frozen=True, slots=True)
class ToLookUp:
    """An event with incomplete data: the rest must be fetched from the provider.

    A worker calls :meth:`~host.sdk.channel.ChannelAdapter.look_up` for the complete events, or for details of
    the message that came with it.

    :param what: ids for the adapter; keys and values are plain text.
    """

    what: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MessageDetails:
    """Details of a message fetched from the provider. Webhook endpoints get ``message.completed``.

    :param external_id: external id of the message.
    :param content: merged into its ``content``, mappings recursively; plain JSON. Empty: the provider
        returned nothing and will not be asked again.
    """

    external_id: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing for the inbox; the inbound log keeps *reason* for the admin."""

    reason: str


InboundChange = (
    MessageReceived
    | MessageEchoed
    | MessageReacted
    | MessageEdited
    | MessageUnsent
    | MessagesRead
    | MessageAccepted
    | MessageDelivered
    | MessageBounced
    | ConversationHandedOver
    | ContactIdentified
    | AccountNoticed
    | ToLookUp
    | Ignored
)


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to send, stored by the host and already checked against the channel's limits.

    :param content_type: the type detected from its bytes, regardless of *name*.
    :param size: bytes.
    :param url: a temporary address at the desk where the provider can fetch the file without a login; None if
        the provider cannot reach the desk: then upload the bytes.
    :param open: opens the bytes for reading.
    :param width: and *height*: of a picture, in pixels, if known.
    :param content_id: of a file of a forwarded message: its name in the formatted forms.
    """

    kind: MessageKind
    name: str
    content_type: str
    size: int
    url: str | None
    open: Callable[[], BinaryIO] = field(repr=False, compare=False)
    width: int | None = None
    height: int | None = None
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """One message to send, as one call to the provider.

    *content* has further data by kind:

    ============  ========================================================================================
    ``TEXT``      ``quick_replies``: list of ``{title, payload}``, or ``{ask}``: ``phone`` or ``email``
    any           where the channel has them: ``to``, ``cc``, ``bcc``: lists of addresses, ``to`` in place of
                  the recipient; ``names``: names by address; ``subject``: of this one message;
                  ``signature``: a text to stand beneath; ``own_address``: where it goes from, if not from the
                  account's own address
    any           where the channel has them: ``invitation_answer``: ``{answer, attendee, event, message}``,
                  an answer to an invitation, see ``docs/addons.md``
    files         ``provider_files``: list of ids the provider gave files it has already, in place of *files*
    ``STICKER``   ``sticker``: ``heart``
    ``SHARE``     ``own_post``: id of a post of the account
    ``LOCATION``  ``location``: ``{latitude, longitude, name, address}``, the last two if known
    ``CONTACTS``  ``contacts``: list of ``{name, phones, emails, company}``, the last if known
    ``TEMPLATE``  ``template``: ``{elements: [{title, subtitle, image_url, url, buttons}]}``, where a button
                  is ``{title, url}`` or ``{title, payload}``; or ``{text, buttons}``: a text with buttons; or
                  ``products``: list of product ids
    ``APPROVED_TEMPLATE``  ``approved_template``: ``{id, name, language, category, header, footer, buttons,
                  parameters}``: *parameters* maps each key to its value; *text* and the rest are filled in
    ============  ========================================================================================

    :param files: of ``IMAGE``, ``VIDEO``, ``AUDIO`` and ``FILE``; only ``IMAGE`` may have several. If text
        and files are one message, ``TEXT`` may also have any number and kinds. ``APPROVED_TEMPLATE`` has one
        if its header is a file. With *text*, where the channel has captions, that is their caption.
    :param reply_to: external id of the message this one quotes or, on a public channel, answers.
    :param private: whether it is sent only to the customer, as the single private reply to the message
        *reply_to*.
    """

    kind: MessageKind
    text: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[OutgoingFile, ...] = ()
    reply_to: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class IceBreaker:
    """A question offered to a customer who has not written yet; a tap comes as a postback with *payload*."""

    question: str
    payload: str


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An item of the menu next to the customer's composer: it sends *payload* or opens *url*."""

    title: str
    payload: str = ""
    url: str = ""


IceBreakers = Mapping[str, tuple[IceBreaker, ...]]
"""The questions per locale. ``default`` is used for every locale without its own."""
Menu = Mapping[str, tuple[MenuItem, ...]]
"""The menu items per locale; ``default`` as with :data:`IceBreakers`."""
