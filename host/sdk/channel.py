"""The channel protocol: the contract between an adapter and the host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from host.sdk._account import AccountRef
from host.sdk._results import (
    Absent,
    CannotTell,
    Found,
    Held,
    NotSent,
    Pause,
    ProviderProblem,
    Rejected,
    SearchResult,
    SendLimit,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.approved import (
    ApprovalState,
    ApprovedButton,
    ApprovedHeader,
    ApprovedPage,
    ApprovedParameter,
    ApprovedTemplate,
)
from host.sdk.capabilities import (
    Ask,
    AutomaticLimit,
    ButtonsLimits,
    Capabilities,
    CaptionLimits,
    CopyLimits,
    IceBreakerLimits,
    InboundMedia,
    MediaLimits,
    MenuLimits,
    Moderation,
    PrivateReplyLimits,
    QuickReplyLimits,
    TemplateLimits,
    Threading,
)
from host.sdk.history import TellsHistory
from host.sdk.messages import (
    EnclosedMail,
    IceBreakers,
    InboundAttachment,
    InboundChange,
    Menu,
    MessageDetails,
    OutgoingPart,
    Post,
)
from host.sdk.outgoing import DeskEvent, OutgoingEvent, OutgoingKind, ToldMessage
from host.sdk.webhooks import Envelope

__all__ = [
    "OPEN_ALWAYS",
    "Absent",
    "AccountRef",
    "ApprovalState",
    "ApprovedButton",
    "ApprovedHeader",
    "ApprovedPage",
    "ApprovedParameter",
    "ApprovedTemplate",
    "Ask",
    "AutomaticLimit",
    "ButtonsLimits",
    "CannotTell",
    "Capabilities",
    "CaptionLimits",
    "ChannelAdapter",
    "ChannelMark",
    "CopyLimits",
    "ForwardedMessage",
    "Found",
    "Held",
    "IceBreakerLimits",
    "IceBreakers",
    "InboundMedia",
    "Located",
    "MediaLimits",
    "Menu",
    "MenuLimits",
    "ModerateRequest",
    "Moderated",
    "Moderation",
    "NoPost",
    "NoProfile",
    "NotSent",
    "Pause",
    "PostPage",
    "PrivateContext",
    "PrivateReplyLimits",
    "Profile",
    "ProviderProblem",
    "QuickReplyLimits",
    "QuotedMessage",
    "ReactRequest",
    "Rejected",
    "ReplyContext",
    "ReplyPhase",
    "ReplyPolicy",
    "ReplyState",
    "SearchRequest",
    "SearchResult",
    "SendLimit",
    "SendRequest",
    "SendResult",
    "Sent",
    "Signature",
    "TemplateLimits",
    "Threading",
    "Unknown",
]


@dataclass(frozen=True, slots=True)
class ChannelMark:
    """The mark of a channel in lists: two letters or one of the host's icons, and a tone from 1 to 6."""

    text: str = ""
    icon: str = ""
    tone: int = 1


class ReplyState(StrEnum):
    OPEN = "open"
    """Anyone may reply."""
    PEOPLE_ONLY = "people_only"
    """Only people may reply, not automations."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """The facts a reply policy may consider.

    :param last_inbound_at: provider's time of the last message that opens a reply window; None: no such
        message.
    :param by_person: whether a person is about to send, rather than an automation.
    """

    account: AccountRef
    now: datetime
    last_inbound_at: datetime | None
    by_person: bool = True


@dataclass(frozen=True, slots=True)
class PrivateContext:
    """The facts the policy of a private reply may consider.

    :param sent_at: provider's time of the message it answers; *content*: the content that
        :meth:`ChannelAdapter.parse` returned for that message besides its text.
    :param post: the post that message was written below, if known.
    """

    account: AccountRef
    now: datetime
    sent_at: datetime
    post: Post | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplyPhase:
    """A phase of a reply window: *state* holds until *until*. Phases follow each other without a gap."""

    state: ReplyState
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ReplyPolicy:
    """The decision whether and as whom the team may reply now, until when, and if not, why.

    :param until: when *state* ends; None: it does not end.
    :param phases: the whole window, for the clocks above the composer; empty if there is none.
    :param tag: passed back to :meth:`ChannelAdapter.send`, which interprets it.
    :param sentence: a sentence for the agent, if the usual rule does not apply.
    """

    state: ReplyState
    until: datetime | None = None
    phases: tuple[ReplyPhase, ...] = ()
    tag: str | None = None
    sentence: str = ""


OPEN_ALWAYS = ReplyPolicy(ReplyState.OPEN)


CLOSED_ALWAYS = ReplyPolicy(ReplyState.CLOSED)


NO_REACTIONS = ProviderProblem("no_reactions", "This channel has no reactions.")
NO_BLOCKS = ProviderProblem("no_blocks", "This channel cannot block anybody at its provider.")
NO_MODERATION = ProviderProblem(
    "no_moderation", "On this channel messages of customers cannot be hidden or deleted."
)
NO_POSTS = ProviderProblem("no_posts", "This channel cannot list posts.")
NO_TEMPLATES = ProviderProblem("no_templates", "This channel has no templates.")
NO_THREAD_CONTROL = ProviderProblem(
    "no_thread_control", "On this channel conversations are not passed between apps."
)


@dataclass(frozen=True, slots=True)
class QuotedMessage:
    """The message that a reply answers, for quoting it below the reply.

    :param text: plain text; if the team wrote it (``ours``), with the markup of :mod:`.formatting`.
    :param author: name and address of a participant who wrote it; empty if the team or the customer did.
    """

    text: str
    sent_at: datetime
    ours: bool
    author: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class ForwardedMessage:
    """A message to forward to someone else.

    :param author: the author's name; *address*: the author's address, if the channel has addresses; empty:
        unknown.
    :param to: its recipients: names and addresses, either of which may be empty.
    :param text: plain text; if the team wrote it (``ours``), with the markup of :mod:`.formatting` if its
        channel supports that.
    :param missing: names of its files that are not forwarded.
    :param html: returns its formatted form as HTML that is safe to send, empty if it has no longer one; None
        if it has none. Its inline pictures are ``cid:`` and the ``content_id`` of one of the files.
    :param pictures: for a text of ours: the ``content_id`` of the files by the names of the pictures in it.
    """

    author: str
    address: str
    to: tuple[tuple[str, str], ...]
    sent_at: datetime
    subject: str
    text: str = field(repr=False)
    ours: bool = False
    missing: tuple[str, ...] = ()
    html: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One part to send.

    :param recipient: the customer's external id. If ``part.content["to"]`` lists other addresses, it goes to
        them, and to the customer only if they are among them or the copies.
    :param tag: the tag from the reply policy; None within the ordinary window.
    :param attempt: 1 for the first.
    :param message_key: our own key, the same for every attempt (a UUID in hex), for channels that let us
        choose the id.
    :param references: for channels that thread by reference: external ids of the conversation, newest first.
    :param answers: for a private reply: the facts its policy considered, including the message it answers.
    :param automatic: whether a greeting, a rule or an assistant sent it. It is marked as automated if the
        channel supports that.
    :param recipient_name: the customer's name on the channel, never one entered by the team; empty: unknown.
    :param quoted: for channels that thread by reference: the newest message that whoever gets this one knows.
        None in automated messages, or if there is none.
    :param forwards: if the channel ``forwards``: messages to include below the text, in order.
        ``part.content["to"]`` lists all recipients with ``name`` and ``address``; *recipient* is the first. A
        forward answers no message, so it has no *references*. ``part.files`` belong to the forwarded
        messages.
    :param language: and *timezone*: those of the workspace, for texts the channel adds itself, see
        :func:`host.sdk.i18n.translate`.
    """

    account: AccountRef
    recipient: str
    part: OutgoingPart
    message_key: str
    tag: str | None = None
    attempt: int = 1
    subject: str | None = None
    references: tuple[str, ...] = ()
    answers: PrivateContext | None = None
    automatic: bool = False
    recipient_name: str = ""
    quoted: QuotedMessage | None = None
    forwards: tuple[ForwardedMessage, ...] = ()
    language: str = "en"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class ReactRequest:
    """A reaction of the team to one message. Sending it twice is harmless at the provider.

    :param recipient: the customer's external id.
    :param message: external id of the message reacted to.
    :param emoji: one emoji, which replaces an earlier one; empty: remove the reaction.
    """

    account: AccountRef
    recipient: str
    message: str
    emoji: str
    attempt: int = 1


class Moderated(StrEnum):
    """State of a customer's message at the provider after moderation by the team."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    """Only its author sees it."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ModerateRequest:
    """A request to moderate a customer's message at the provider. Sending it twice is harmless there.

    :param message: external id of the message; *recipient*: of its author.
    """

    account: AccountRef
    recipient: str
    message: str
    wanted: Moderated
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A message to look for in the provider's thread after an :class:`Unknown`.

    :param known: external ids of messages already stored, because the same text may have been sent twice.
    """

    account: AccountRef
    recipient: str
    part: OutgoingPart
    message_key: str
    attempted_at: datetime
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's profile at the provider; fields the provider does not return stay empty.

    :param picture_url: address of their picture, on one of the hosts of :meth:`ChannelAdapter.inbound_media`,
        or a made-up one there that :meth:`ChannelAdapter.locate_picture` finds. The desk proxies it and
        stores no copy.
    """

    name: str | None = None
    username: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture_url: str | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """The current address and the name of a file. *url* is empty if only the name is known.

    :param headers: headers for the request, such as ``{"Authorization": "Bearer ..."}``. They are sent only
        to the hosts of :meth:`ChannelAdapter.inbound_media`, dropped on a redirect to another host, and never
        stored, logged or shown. With headers, an address elsewhere is refused.
    """

    url: str
    name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature below a person's messages.

    :param text: may contain the variables of canned replies, such as ``{{agent.name}}``; empty: not set yet.
    :param url: the page where that person edits it.
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class NoProfile:
    """No profile this time. *retry*: whether to ask again later.

    :param retry_after: seconds until the provider answers again, if it limits the account rather than just
        this call. Until then no profile of the account is requested, and this does not count as a failure.
    """

    reason: str
    retry: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class NoPost:
    """Nothing about a post this time. *retry*: whether to ask again later.

    :param gone: whether the provider reports it as deleted.
    :param retry_after: seconds until the provider answers again, where it limits the account.
    """

    reason: str
    retry: bool
    gone: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class PostPage:
    """A page of the account's own posts, newest first.

    :param after: the cursor of the next page; empty on the last.
    """

    posts: Sequence[Post]
    after: str = ""


class ChannelAdapter(TellsHistory, ABC):
    """A translator between one provider and the inbox.

    It has no state except caches. Its methods are called from many threads.
    """

    key: ClassVar[str]
    """The channel's key: lower-case ASCII letters, digits and hyphens, at most 32."""
    label: ClassVar[str]
    """The channel's name for people; usually a proper name, so not translated."""
    mark: ClassVar[ChannelMark]
    capabilities: ClassVar[Capabilities]
    contact_id_name: ClassVar[str] = "id"
    """The channel's name for the external id of a contact, as programs read it: ``toy_id``.
    Pages say “Toy ID”."""
    beside: ClassVar[str] = ""
    """The channel whose accounts this channel's accounts are attached to:
    :func:`host.sdk.accounts.open_beside` and ``close_beside`` connect and disconnect them, both accounts
    share credentials, and a contact's external id means the same person on both. Empty: this channel's
    accounts are independent."""
    withdrawn_asks: ClassVar[Mapping[Ask, object]] = {}
    """Contact details that quick replies can no longer request, each with a sentence that says why and since
    when. Sending one is refused with that sentence."""
    outgoing_kinds: ClassVar[Sequence[OutgoingKind]] = ()
    """All event names that :meth:`outgoing` uses; owners choose from them for each webhook endpoint."""

    @abstractmethod
    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        """Convert an envelope to changes. Pure: no database or network. An exception counts as an attempt."""

    @abstractmethod
    def send(self, request: SendRequest) -> SendResult:
        """Send one part. Called outside any transaction; must not raise for any response of a provider.

        An exception counts as :class:`Unknown`, because the request may have reached the provider.
        """

    def capabilities_of(self, account: AccountRef) -> Capabilities:
        """Return the :attr:`capabilities` of *account*, if accounts of the provider differ.

        Only ``reactions`` and ``blocks`` may differ. Pure and cheap: called whenever a composer is rendered.
        """
        return self.capabilities

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        """Return whether a reply may be sent. Pure and cheap: called for every row of a list."""
        return OPEN_ALWAYS

    def approved_policy(self, context: ReplyContext) -> ReplyPolicy:
        """Return whether an approved template may be sent, whatever the reply window.

        Called if :attr:`Capabilities.approved_templates` is set. Pure and cheap, like :meth:`reply_policy`.
        """
        return OPEN_ALWAYS

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        """Return the external id on *account* of the person with *address*, or None.

        Called if :attr:`Capabilities.can_start` is set, with a contact's email address, each of their phone
        numbers, such as ``+4915112345678``, and their ids on accounts of this channel. For an id it returned,
        it returns the same id. Pure and cheap: called whenever a composer with a closed reply window is
        rendered.
        """
        return None

    def own_addresses(self, account: AccountRef) -> Sequence[str]:
        """Return the addresses of *account* other than its external id; none of them is a customer.

        A message whose content names one as ``own_address`` was sent to it and is answered from it; see
        ``docs/addons.md``. The agent may choose another one, or the external id. Cheap: called whenever a
        composer is rendered, and in the transaction that stores a message.
        """
        return ()

    def signature(self, account: AccountRef, user_id: int) -> Signature | None:
        """Return the signature of a person's messages, or None.

        Called if :attr:`Capabilities.signatures` is set, whenever a composer is rendered, outside any write
        transaction.
        """
        return None

    def laid_out(self, account: AccountRef, part: OutgoingPart) -> str | None:
        """Return *part* as the HTML that would be sent, for a preview; None: show it as the thread does.

        Called if :attr:`Capabilities.formatting` is set, outside any write transaction. A picture of
        ``part.files`` is referred to by its index: ``cid:0`` is the first. The host sanitizes the HTML. The
        method must not send anything or open files.
        """
        return None

    def preview(self, request: SendRequest) -> str | None:
        """Return the HTML that *request* would send, like :meth:`laid_out`, including all text below it.

        The message has no key yet.
        """
        return self.laid_out(request.account, request.part)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        """Return whether a message may be answered privately, until when, and if not, why.

        Called if :attr:`Capabilities.private_replies` is set. The host ensures that each message is answered
        privately only once. Pure and cheap: called for every message of a thread.
        """
        return CLOSED_ALWAYS

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        """Return the provider's rate limits that *request* counts against; empty if there are none.

        Pure and cheap: called before each call. If a limit is used up, the call waits in this process or, if
        the operator shares the counters, in all processes; the agent sees :attr:`SendLimit.sentence`.
        """
        return ()

    def search(self, request: SearchRequest) -> SearchResult:
        """Look for a message whose sending was not confirmed.

        After a :class:`Pause` the host retries for a while; after :class:`Held`, once the account is
        reconnected.
        """
        return CannotTell("this channel cannot be searched")

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        """Fetch the profile of *contact* from the provider."""
        return NoProfile("this channel has no profiles", retry=False)

    def fetch_profiles(
        self, account: AccountRef, contacts: Sequence[str]
    ) -> Mapping[str, Profile | NoProfile]:
        """Fetch the profiles of several *contacts* in fewer requests, by contact.

        Leave out those for which a request of their own may have a better answer: :meth:`fetch_profile` is
        called for each, unless an answer has a ``retry_after``. By default, for all of them. A single contact
        is always requested by itself.
        """
        return {}

    def other_ids(self, contact: str) -> Sequence[str]:
        """Return the other external ids that the provider may have for a person, such as a number written in
        another way.

        A report about our message counts for the person it was sent to, whichever of their ids it names. Pure
        and cheap: called for each report, in the transaction that stores it.
        """
        return ()

    def contact_label(self, contact: str) -> str:
        """Return a label for a contact without a name."""
        return contact

    def id_kind(self, contact: str) -> str:
        """Return what people call the kind of the external id *contact*, for a person who has several.

        Marked with :func:`host.sdk.i18n.noop`. Empty: a phone number is called so, and anything else as
        :attr:`contact_id_name` says. Pure and cheap.
        """
        return ""

    def profile_url(self, username: str) -> str | None:
        """Return the address of a contact's public page at the provider, or None."""
        return None

    def write_url(self, account: AccountRef) -> str | None:
        """Return the address that opens a chat with *account*, for a link and a QR code, or None.

        By default the public page of its handle. Pure and cheap.
        """
        handle = account.handle.removeprefix("@")
        return self.profile_url(handle) if handle else None

    def inbound_media(self) -> InboundMedia:
        """Return the hosts of received files, and which files may be stored. Pure and cheap."""
        return InboundMedia()

    def locate(self, account: AccountRef, url: str) -> str | Located:
        """Return the current address of the file that :meth:`parse` named by *url*, an id or an old address.

        Return a :class:`Located` if the provider reveals the file's name only now, or wants headers with the
        request. May use the network. The host fetches the file immediately; it does not store, log or show
        that address.

        :raises FileEndedError: if the provider no longer has it.
        :raises FetchError: if the address cannot be determined now.
        """
        return url

    def locate_picture(self, account: AccountRef, url: str) -> str | Located:
        """Return the current address of a picture that a :class:`Profile` or a post named by *url*.

        As :meth:`locate`, for a picture of a contact or a post, each time it is fetched; its name is not
        used.

        :raises FileEndedError: if the provider no longer has it.
        :raises FetchError: if the address cannot be determined now.
        """
        return url

    def read_enclosed(self, content: bytes) -> EnclosedMail | None:
        """Return a mail attached to a message, taken apart; None if it can't be read.

        Called if :attr:`Capabilities.originals` is set, each time somebody opens the file. The host cleans
        the HTML. Pure: no database, no network.
        """
        return None

    def named_files(self, account: AccountRef, content: Mapping[str, Any]) -> Sequence[InboundAttachment]:
        """Return objects that a reply's *content* names by id, such as products, as files for :meth:`locate`.

        They are shown with the reply like those of a received message, but are not attached to it. Called
        once, before the first attempt, outside any transaction. Empty by default.
        """
        return ()

    def react(self, request: ReactRequest) -> SendResult:
        """Set, change or remove the team's reaction to a message; ``Sent`` names that message.

        Called outside any transaction, and again after an :class:`Unknown`.
        """
        return Rejected(NO_REACTIONS)

    def moderate(self, request: ModerateRequest) -> SendResult:
        """Hide, show or delete a customer's message at the provider; ``Sent`` names that message.

        Called outside any transaction, for the actions in :attr:`Capabilities.moderation`, and again after an
        :class:`Unknown`.
        """
        return Rejected(NO_MODERATION)

    def fetch_post(self, account: AccountRef, external_id: str) -> Post | NoPost:
        """Fetch a post from the provider. Called outside any transaction."""
        return NoPost("this channel has no posts", retry=False)

    def recent_posts(self, account: AccountRef, after: str) -> PostPage | ProviderProblem:
        """List the account's own posts, whether or not anybody commented; return the problem if it failed.

        Called if :attr:`Capabilities.recent_posts` is set, outside any transaction, while a person waits: one
        call, about ten seconds at most. The host caches a page for two minutes.

        :param after: the cursor of the page; empty for the first.
        """
        return NO_POSTS

    def find_post(self, account: AccountRef, named: str) -> Post | ProviderProblem:
        """Find one of the account's own posts by its external id or the address of its page.

        Called like :meth:`recent_posts`; looking for an address may take a few calls.
        """
        return NO_POSTS

    def approved_templates(self, account: AccountRef, after: str) -> ApprovedPage | ProviderProblem:
        """List the account's approved templates, in every state; return the problem if it failed.

        Called if :attr:`Capabilities.approved_templates` is set, outside any transaction, while a person or a
        program waits: one call, about ten seconds at most. The host caches a page for two minutes.

        :param after: the cursor of the page; empty for the first.
        """
        return NO_TEMPLATES

    def find_approved_template(
        self, account: AccountRef, external_id: str
    ) -> ApprovedTemplate | ProviderProblem:
        """Find one of the account's approved templates by its external id.

        Called like :meth:`approved_templates`, for a template on none of the cached pages.
        """
        return NO_TEMPLATES

    def look_up(self, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope | MessageDetails]:
        """Fetch the data of a :class:`~host.sdk.messages.ToLookUp` from the provider.

        An envelope it returns is stored in the inbound log as if it had been delivered; details are added to
        the message. Called outside any transaction. An exception counts as one attempt.
        """
        return ()

    def show_typing(self, account: AccountRef, contact: str, on: bool) -> None:
        """Show the customer that an agent is typing, or has stopped. A failure is not reported."""

    def mark_seen(self, account: AccountRef, contact: str) -> None:
        """Show the customer that their messages were seen. A failure is not reported."""

    def show_typing_after(
        self, account: AccountRef, contact: str, on: bool, newest: Callable[[], str | None]
    ) -> None:
        """Show the customer that an agent is typing, for providers that want to know after which message.

        The host calls this, and the default calls :meth:`show_typing`.

        :param newest: returns the external id of the customer's newest message, or None. Reads it from the
            database.
        """
        self.show_typing(account, contact, on)

    def mark_seen_until(self, account: AccountRef, contact: str, newest: Callable[[], str | None]) -> None:
        """Show the customer that their messages were seen, for providers that want to know until which.

        The host calls this, and the default calls :meth:`mark_seen`.

        :param newest: as in :meth:`show_typing_after`.
        """
        self.mark_seen(account, contact)

    def take_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        """Take over the conversation with *contact* from another app; return the problem if it failed.

        :param note: for the other app; may be empty.
        """
        return NO_THREAD_CONTROL

    def pass_thread(self, account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
        """Pass the conversation with *contact* to the app *to*; return the problem if it failed."""
        return NO_THREAD_CONTROL

    def release_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        """Let go of the conversation with *contact*: the provider chooses who answers what they write next.

        Called if :attr:`Capabilities.thread_release` is set. Return the problem if it failed.
        """
        return NO_THREAD_CONTROL

    def block(self, account: AccountRef, contact: str, on: bool) -> ProviderProblem | None:
        """Have the provider block *contact*, or unblock if *on* is false; return the problem if it failed.

        Called outside any transaction if :attr:`Capabilities.blocks` is set, and again after a failure.
        """
        return NO_BLOCKS

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        """Read the account's ice breakers from the provider; empty if there are none."""
        return {}

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        """Replace the account's ice breakers, or delete them if *wanted* is empty; return the new ones."""
        return {}

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        """Read the account's menu from the provider; empty if there is none."""
        return {}

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        """Replace the account's menu, or delete it if *wanted* is empty; return the new one."""
        return {}

    def outgoing(self, event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
        """Return the channel's own outgoing events for *event*; usually none.

        Called for each ``message.received`` and ``message.reacted``. Pure and cheap: no database, no network.
        Data the provider did not send is left out of ``data``, never invented.

        :param message: the message of the event; None: the desk does not have it.
        """
        return ()
