"""Channel capabilities: the single declaration that pages, the API and the server check read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from host.sdk.history import HistoryRules, LookRules
from host.sdk.messages import CustomKind, MessageKind, PostKind
from host.sdk.text import TextLimit, TextUnit

MEDIA_KINDS = frozenset({MessageKind.IMAGE, MessageKind.VIDEO, MessageKind.AUDIO, MessageKind.FILE})
"""Kinds of messages that consist of files."""


class Threading(StrEnum):
    """How messages find their conversation."""

    CONTACT = "contact"
    """One conversation per contact and account; a new message reopens it."""
    REFERENCES = "references"
    """By the external ids a message answers; a message without any starts a conversation."""
    POST = "post"
    """One conversation per contact, account and post."""


class Moderation(StrEnum):
    """An action the team can take on a customer's message at the provider."""

    HIDE = "hide"
    """Hide it from everyone but its author, and show it again."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits for files of one kind.

    :param content_types: lower-case MIME types, as found in the bytes of a file, not in its name; empty: any.
    :param max_bytes: maximum size of one file.
    """

    content_types: frozenset[str]
    max_bytes: int


class Ask(StrEnum):
    """A contact detail a quick reply may ask for; the customer shares it with one tap, as the payload."""

    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class QuickReplyLimits:
    """Limits for answers offered below a text. Lengths are in characters (code points).

    :param asks: contact details that may be requested; empty if the channel does not know the customer's.
    :param unique: no two answers of a message may have the same title, in whatever case, or payload.
    :param ask_alone: a request for contact details cannot have other answers beside it.
    :param ask_text_length: maximum length of the text above one; None: that of any text.
    """

    most: int
    title_length: int
    payload_length: int
    asks: frozenset[Ask] = frozenset()
    unique: bool = False
    ask_alone: bool = False
    ask_text_length: int | None = None


@dataclass(frozen=True, slots=True)
class TemplateLimits:
    """Limits for cards with buttons that open a page or send a payload. Lengths are in characters.

    :param elements: maximum number of cards.
    :param buttons: maximum number of buttons per card.
    """

    elements: int
    buttons: int
    title_length: int
    subtitle_length: int
    button_title_length: int
    payload_length: int = 1000


@dataclass(frozen=True, slots=True)
class ButtonsLimits:
    """Limits for a text with buttons that open a page or send a payload. Lengths are in characters.

    :param buttons: maximum number of buttons; at least one.
    :param unique: no two buttons that send a payload may have the same title, in whatever case, or payload.
    """

    text_length: int
    buttons: int
    title_length: int
    payload_length: int = 1000
    unique: bool = False


@dataclass(frozen=True, slots=True)
class CaptionLimits:
    """Limits for a text below a file, both in one message.

    :param length: maximum length in the unit of the channel's texts.
    :param kinds: kinds of files that can have one.
    :param without: content types of these kinds that cannot.
    """

    length: int
    kinds: frozenset[MessageKind]
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PrivateReplyLimits:
    """Limits for the single private message to the author of a public one.

    :param text_limit_bytes: maximum UTF-8 bytes of its text.
    :param per_hour: maximum number per account and hour; None: the provider names none.
    :param uncounted: kinds of posts whose private replies do not count against *per_hour*.
    """

    text_limit_bytes: int
    quick_replies: QuickReplyLimits | None = None
    per_hour: int | None = None
    uncounted: frozenset[PostKind] = frozenset()


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """Limits for recipients besides the customer, visible to all (Cc) or hidden (Bcc).

    :param most: maximum number of both together.
    :param clean: returns an address normalised, or None if it is invalid. Pure and cheap.
    """

    most: int
    clean: Callable[[str], str | None] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AutomaticLimit:
    """Limit for automated messages to one contact, because a machine may answer them.

    :param most: maximum number of messages within any *seconds*.
    """

    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class IceBreakerLimits:
    """Limits for questions offered to new customers, per locale. Lengths are in characters."""

    most: int
    question_length: int
    payload_length: int


@dataclass(frozen=True, slots=True)
class MenuLimits:
    """Limits for the menu next to the customer's composer, per locale. Lengths are in characters."""

    most: int
    title_length: int
    payload_length: int


@dataclass(frozen=True, slots=True)
class InboundMedia:
    """Rules for fetching and storing the files that received messages link to.

    :param hosts: hosts to fetch them from, as for :class:`host.sdk.http.Client`. Other addresses are never
        requested, and at most shown as links.
    :param stored: kinds of attachment that may be stored, for as long as the account's setting allows. All
        others are proxied to the viewer and never stored.
    """

    hosts: frozenset[str] = frozenset()
    stored: frozenset[MessageKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Everything a channel can send and receive. Pages, the composer, the API and the server all read this.

    :param text_limit_bytes: maximum length of a text message in *text_limit_unit*; None: no limit.
    :param sends: kinds of message that may be sent.
    :param has_subject: conversations carry a subject line.
    :param can_start: the team may write first, to the ids that :meth:`ChannelAdapter.id_for_address` returns.
        Where the reply window is closed until a contact writes, only with an approved template.
    :param media: limits of each kind of file that may be sent; each of these kinds is in *sends*.
    :param images_per_message: maximum number of pictures per message.
    :param text_with_files: a text and its files are one message, a ``TEXT`` with *files* of every kind.
    :param captions: a text with a file is one message of the file's kind, with *text* and *files*; of several
        files, the last that can have one. None: not supported, or *text_with_files*.
    :param files_bytes: maximum total bytes of a message's files; None: no limit.
    :param formatting: text is written in the light Markdown of :mod:`host.sdk.formatting`, and shown
        formatted.
    :param copies: limits for Cc and Bcc recipients; None: not supported.
    :param signatures: messages written by a person end with their signature, see
        :meth:`ChannelAdapter.signature`.
    :param forwards: messages of any channel of the workspace may be forwarded to addresses that *copies* can
        clean, see :attr:`SendRequest.forwards`.
    :param automatic: limit for automated messages to one contact; None: no limit.
    :param quick_replies: answers that may be offered with a text; None: none.
    :param template: cards that may be sent as a ``TEMPLATE``; None: none.
    :param buttons: a text with buttons may be sent as a ``TEMPLATE``; None: none.
    :param product_template: maximum number of products of the account's catalogue in one ``TEMPLATE``; None:
        none.
    :param provider_files: a file the provider already has may be sent by its provider id.
    :param own_post: a post of the account may be sent as a ``SHARE``.
    :param heart: a heart may be sent as a ``STICKER``.
    :param reply_quote: a message may quote an earlier one.
    :param reactions: emoji the team may react with; empty: any emoji; None: none.
    :param typing: the customer can be shown that an agent is typing.
    :param mark_seen: the customer can be shown that their messages were seen.
    :param thread_control: a conversation can be taken over from, and passed to, another app at the provider.
    :param thread_release: a conversation can also be released: the provider then chooses who answers.
    :param responder_keeps: another program may have a conversation instead of the desk, which hears of it by
        ``standby`` in the content of messages and by :class:`host.sdk.messages.ConversationHandedOver`.
        Meanwhile nothing automatic answers there, and whoever writes is told that sending takes the
        conversation over. The program keeps it for this long after the customer's last message. None: such
        messages and lines are only shown.
    :param blocks: the provider can be asked to block a customer.
    :param mobile_only: kinds of content that the customer only sees in the provider's mobile app:
        ``quick_replies``, ``template``, ``product_template``.
    :param history: how to read earlier conversations from the provider; None: not supported.
    :param second_look: with ``history``: how to look for messages the provider did not deliver; None: not
        supported.
    :param public: everyone can read sent messages, and each one answers a message of the customer.
    :param private_only: kinds of post that we cannot answer publicly; empty: none.
    :param private_replies: limits for private replies to the author of a message; None: not supported.
    :param recent_posts: the account's own posts can be listed and found, see
        :meth:`ChannelAdapter.recent_posts`.
    :param moderation: actions the team can take on a customer's message at the provider.
    :param delivery_reports: the provider tells when a message was delivered, see
        :class:`host.sdk.messages.MessageDelivered`; until then it is shown as sent.
    :param originals: one envelope is one message exactly as its sender made it, so the team may view it;
        False: it may contain more than the message.
    :param receives: kinds of message that customers can send, and of events they can cause. Rules, sequences,
        greetings and assistants offer only these. None: texts, files, stickers, reactions, edits and unsent
        messages, and taps on what the team can offer.
    :param ads: customers can come from an ad of the account, which a ``REFERRAL`` names.
    :param approved_templates: the account has templates that its provider approved, which may be sent as
        ``APPROVED_TEMPLATE`` outside the reply window, see :meth:`ChannelAdapter.approved_templates`.
    :param custom_kinds: kinds of messages that only this channel has, each name once.
    :param answers_invitations: invitations in received messages can be answered, by a ``TEXT`` with
        ``invitation_answer``.
    :param text_limit_unit: unit of *text_limit_bytes*: UTF-8 bytes unless the provider counts otherwise.
    """

    text_limit_bytes: int | None = None
    sends: frozenset[MessageKind] = frozenset({MessageKind.TEXT})
    threading: Threading = Threading.CONTACT
    has_subject: bool = False
    can_start: bool = False
    media: Mapping[MessageKind, MediaLimits] = field(default_factory=dict)
    images_per_message: int = 1
    text_with_files: bool = False
    files_bytes: int | None = None
    formatting: bool = False
    copies: CopyLimits | None = None
    signatures: bool = False
    forwards: bool = False
    automatic: AutomaticLimit | None = None
    quick_replies: QuickReplyLimits | None = None
    template: TemplateLimits | None = None
    buttons: ButtonsLimits | None = None
    product_template: int | None = None
    provider_files: bool = False
    own_post: bool = False
    heart: bool = False
    reply_quote: bool = False
    reactions: frozenset[str] | None = None
    typing: bool = False
    mark_seen: bool = False
    ice_breakers: IceBreakerLimits | None = None
    menu: MenuLimits | None = None
    thread_control: bool = False
    thread_release: bool = False
    responder_keeps: timedelta | None = None
    mobile_only: frozenset[str] = frozenset()
    history: HistoryRules | None = None
    second_look: LookRules | None = None
    blocks: bool = False
    public: bool = False
    private_only: frozenset[PostKind] = frozenset()
    private_replies: PrivateReplyLimits | None = None
    recent_posts: bool = False
    moderation: frozenset[Moderation] = frozenset()
    originals: bool = False
    receives: frozenset[MessageKind] | None = None
    ads: bool = False
    delivery_reports: bool = False
    approved_templates: bool = False
    text_limit_unit: TextUnit = TextUnit.BYTES
    custom_kinds: Sequence[CustomKind] = ()
    answers_invitations: bool = False
    captions: CaptionLimits | None = None

    @property
    def text_limit(self) -> TextLimit | None:
        """Return the maximum length of a text message with its unit; None: no limit."""
        most = self.text_limit_bytes
        return None if most is None else TextLimit(most, self.text_limit_unit)
