"""The channel protocol: what an adapter promises and what the host asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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
from host.sdk.capabilities import (
    Ask,
    AutomaticLimit,
    ButtonsLimits,
    Capabilities,
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
    "Ask",
    "AutomaticLimit",
    "ButtonsLimits",
    "CannotTell",
    "Capabilities",
    "ChannelAdapter",
    "ChannelMark",
    "CopyLimits",
    "ForwardedMessage",
    "Found",
    "Held",
    "IceBreakerLimits",
    "IceBreakers",
    "InboundMedia",
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
    """The mark of a channel in lists: two letters or an icon of the host's, and a tone 1 to 6."""

    text: str = ""
    icon: str = ""
    tone: int = 1


class ReplyState(StrEnum):
    OPEN = "open"
    """Anybody may reply."""
    PEOPLE_ONLY = "people_only"
    """Only a person may, never an automatic sender."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ReplyContext:
    """What a reply policy may look at.

    :param last_inbound_at: provider's time of the last message that opens a reply window; None: never.
    :param by_person: whether a person is about to send, as opposed to something automatic.
    """

    account: AccountRef
    now: datetime
    last_inbound_at: datetime | None
    by_person: bool = True


@dataclass(frozen=True, slots=True)
class PrivateContext:
    """What the policy of a private reply may look at.

    :param sent_at: provider's time of the message it answers; *content*: what :meth:`ChannelAdapter.parse`
        gave of that message beyond its text.
    :param post: what that message stands below, as far as it is known.
    """

    account: AccountRef
    now: datetime
    sent_at: datetime
    post: Post | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplyPhase:
    """A stretch of a reply window: until *until*, *state* holds. Phases follow each other without a gap."""

    state: ReplyState
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ReplyPolicy:
    """Whether the team may reply now, until when, as whom, and if not, why.

    :param until: when *state* ends; None: it does not end.
    :param phases: the whole window, for the clocks above the composer; empty where there is none.
    :param tag: handed back to :meth:`ChannelAdapter.send`, which knows what to do with it.
    :param sentence: one plain sentence for the agent, where the usual rule does not hold.
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
NO_THREAD_CONTROL = ProviderProblem(
    "no_thread_control", "On this channel conversations are not passed between apps."
)


@dataclass(frozen=True, slots=True)
class QuotedMessage:
    """The message that a reply answers, as it may be quoted below it.

    :param text: of the customer, plain text; of the team (``ours``), with the marks of :mod:`.formatting`.
    """

    text: str
    sent_at: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class ForwardedMessage:
    """A message that is passed on to somebody else.

    :param author: the name of who wrote it; *address*: theirs, where the channel has such; empty: unknown.
    :param to: whom it was written to: names and addresses, each may be empty.
    :param text: plain text; of the team (``ours``), with the marks of :mod:`.formatting` where the channel
        of the message has them.
    :param missing: names of its files that do not go along.
    """

    author: str
    address: str
    to: tuple[tuple[str, str], ...]
    sent_at: datetime
    subject: str
    text: str = field(repr=False)
    ours: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One part to send.

    :param recipient: the customer's external id.
    :param tag: what the reply policy said; None inside the ordinary window.
    :param attempt: 1 for the first.
    :param message_key: ours, stable over attempts (a UUID in hex); for channels that let us choose the id.
    :param references: for channels that thread by reference: external ids of the conversation, newest first.
    :param answers: of a private reply: what its policy looked at, the message it answers among it.
    :param automatic: nobody's word: a greeting, a rule, an assistant. It says so, where the channel can.
    :param recipient_name: the name the customer goes by on the channel, never one the team gave them; empty:
        unknown.
    :param quoted: for channels that thread by reference: the newest message of the customer or to them. None
        in what nobody wrote, and where there is none.
    :param forwards: where the channel ``forwards``: messages to pass on below the text, in their order.
        ``part.content["to"]`` has everybody it goes to, a list of ``name`` and ``address``; *recipient*
        is the first. It answers nothing: it has no *references*. ``part.files`` are theirs.
    :param language: of the workspace, and *timezone*: for what the channel says itself, see
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
    """A reaction of the team to one message. Asking twice for the same is harmless at the provider.

    :param recipient: the customer's external id.
    :param message: external id of the message reacted to.
    :param emoji: one emoji, which replaces an earlier one; empty: take the reaction away.
    """

    account: AccountRef
    recipient: str
    message: str
    emoji: str
    attempt: int = 1


class Moderated(StrEnum):
    """How a customer's message stands at the provider, by what the team did."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    """Its author alone sees it."""
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class ModerateRequest:
    """What becomes of a customer's message at the provider. Asking twice for the same is harmless there.

    :param message: external id of the message; *recipient*: of its author.
    """

    account: AccountRef
    recipient: str
    message: str
    wanted: Moderated
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for in the provider's thread after an :class:`Unknown`.

    :param known: external ids of messages already stored: the same text may have been sent twice.
    """

    account: AccountRef
    recipient: str
    part: OutgoingPart
    message_key: str
    attempted_at: datetime
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """What the provider tells about a customer; the rest stays empty.

    :param picture_url: where their picture is, on one of the hosts of :meth:`ChannelAdapter.inbound_media`.
        People see it by way of the desk, which keeps no copy.
    """

    name: str | None = None
    username: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture_url: str | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """Where a file is by now, and what it is called. An empty *url*: there is none, the name is all."""

    url: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """What stands beneath what a person writes.

    :param text: may have the variables of canned replies, such as ``{{agent.name}}``; empty: none yet.
    :param url: the page where that person changes it.
    """

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class NoProfile:
    """No profile this time. *retry* tells whether asking again later makes sense.

    :param retry_after: seconds until the provider answers again, where it limits the account and not this
        question alone: until then nobody of the account is asked for, and it is no failure.
    """

    reason: str
    retry: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class NoPost:
    """Nothing about a post this time. *retry* tells whether asking again later makes sense.

    :param gone: the provider says that it is no longer there.
    :param retry_after: seconds until the provider answers again, where it limits the account.
    """

    reason: str
    retry: bool
    gone: bool = False
    retry_after: float | None = None


class ChannelAdapter(TellsHistory, ABC):
    """A translator between one provider and the inbox.

    Holds no state of its own beyond caches. Its methods are called from many threads.
    """

    key: ClassVar[str]
    """The channel's key: lower-case ASCII letters, digits and hyphens, 32 at most."""
    label: ClassVar[str]
    """The channel's name for people; usually a proper name, so not translated."""
    mark: ClassVar[ChannelMark]
    capabilities: ClassVar[Capabilities]
    contact_id_name: ClassVar[str] = "id"
    """What the channel calls the external id of a contact, as programs and people read it: ``toy_id``."""
    beside: ClassVar[str] = ""
    """The channel whose accounts the accounts of this one stand beside: they are connected and disconnected
    by :func:`host.sdk.accounts.open_beside` and ``close_beside``, share the other's credentials, and an
    external id of a contact is the same person on both. Empty: accounts of this channel stand alone."""
    withdrawn_asks: ClassVar[Mapping[Ask, object]] = {}
    """What a quick reply could once ask for and cannot any more, each with a sentence for people that says
    why and since when. Whoever tries to send one is refused with it."""
    outgoing_kinds: ClassVar[Sequence[OutgoingKind]] = ()
    """Every name :meth:`outgoing` uses: owners choose among them what an endpoint hears of."""

    @abstractmethod
    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        """Turn one envelope into changes. Pure: no database, no network; a raise counts as one try."""

    @abstractmethod
    def send(self, request: SendRequest) -> SendResult:
        """Send one part. Called outside any transaction; must not raise for anything a provider may answer.

        An exception counts as :class:`Unknown`, because it is unknown what had been written by then.
        """

    def capabilities_of(self, account: AccountRef) -> Capabilities:
        """Return the :attr:`capabilities` that hold for *account*, where accounts of the provider differ.

        Only ``reactions`` and ``blocks`` may differ. Pure and cheap: called whenever a composer is drawn.
        """
        return self.capabilities

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        """Tell whether a reply may be sent. Pure and cheap: called for every row of a list."""
        return OPEN_ALWAYS

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        """Return the external id that whoever has the e-mail *address* has on *account*; None: it has none.

        Asked where :attr:`Capabilities.can_start` says that the team may write first, with what is known of
        a contact, whatever that is. Of an id it returned it returns that id. Pure and cheap: called whenever
        a composer is drawn whose reply window is closed.
        """
        return None

    def own_addresses(self, account: AccountRef) -> Sequence[str]:
        """Return the further addresses of *account* besides its external id: none of them is a person.

        A message whose content names one as ``own_address`` was written to it, and is answered from it; see
        ``docs/addons.md``. Whoever answers may choose another of them, or the external id. Cheap: called
        whenever a composer is drawn and when a message is written, in its transaction.
        """
        return ()

    def signature(self, account: AccountRef, user_id: int) -> Signature | None:
        """Return the signature of a person's messages; None: they have none here.

        Asked where :attr:`Capabilities.signatures` says that there are such, whenever a composer is drawn,
        and outside any transaction that writes.
        """
        return None

    def laid_out(self, account: AccountRef, part: OutgoingPart) -> str | None:
        """Return *part* as HTML as it would go out, for who looks at it before; None: as the thread shows it.

        Asked where :attr:`Capabilities.formatting` says that texts are formatted, and outside any transaction
        that writes. A picture of ``part.files`` is named by its place among them: ``cid:0`` is the first.
        The host cleans the HTML like that of a stranger. Nothing is sent, and no file is opened.
        """
        return None

    def preview(self, request: SendRequest) -> str | None:
        """Return as :meth:`laid_out` does what *request* would send, with what stands below its text.

        The message has no key yet.
        """
        return self.laid_out(request.account, request.part)

    def private_policy(self, context: PrivateContext) -> ReplyPolicy:
        """Tell whether a message may be answered privately, until when, and if not, why.

        Asked where :attr:`Capabilities.private_replies` says that there are such. That each message is
        answered privately once is the host's to see to. Pure and cheap: called for every message of a thread.
        """
        return CLOSED_ALWAYS

    def limits(
        self, request: SendRequest | ReactRequest | ModerateRequest | SearchRequest
    ) -> Sequence[SendLimit]:
        """Return the provider's limits that doing *request* counts against; none where it has none.

        Pure and cheap: asked before each call. Where one is used up the call waits, here and, where the
        operator shares the counting, in every process; the agent is told :attr:`SendLimit.sentence`.
        """
        return ()

    def search(self, request: SearchRequest) -> SearchResult:
        """Look for a message whose sending was not confirmed.

        After a :class:`Pause` the host asks again, for a while; after :class:`Held` once the account was
        connected again.
        """
        return CannotTell("this channel cannot be searched")

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile | NoProfile:
        """Ask the provider who *contact* is."""
        return NoProfile("this channel has no profiles", retry=False)

    def contact_label(self, contact: str) -> str:
        """Return a label for a contact without a name."""
        return contact

    def profile_url(self, username: str) -> str | None:
        """Return the address of a contact's public page at the provider; None where there is none."""
        return None

    def inbound_media(self) -> InboundMedia:
        """Tell where the files of received messages are, and which of them may be kept. Pure and cheap."""
        return InboundMedia()

    def locate(self, account: AccountRef, url: str) -> str | Located:
        """Return the current address of the file that :meth:`parse` named by *url*, an id or an old address.

        A :class:`Located` where the provider tells only there what it is called. May use the network. The
        host fetches from it at once; it does not store, log or show that address.

        :raises FileEndedError: if the provider no longer has it.
        :raises FetchError: if that cannot be found out now.
        """
        return url

    def named_files(self, account: AccountRef, content: Mapping[str, Any]) -> Sequence[InboundAttachment]:
        """Return what the *content* of a reply names by an id, such as products, for :meth:`locate`.

        They are shown with the reply as those of a received message are, and are no files of it. Called once,
        before the first attempt, outside any transaction. None by default.
        """
        return ()

    def react(self, request: ReactRequest) -> SendResult:
        """Set, change or take away the team's reaction to a message; ``Sent`` names that message.

        Called outside any transaction, and again after an :class:`Unknown`.
        """
        return Rejected(NO_REACTIONS)

    def moderate(self, request: ModerateRequest) -> SendResult:
        """Hide, show or delete a customer's message at the provider; ``Sent`` names that message.

        Called outside any transaction, for what :attr:`Capabilities.moderation` has, and again after an
        :class:`Unknown`.
        """
        return Rejected(NO_MODERATION)

    def fetch_post(self, account: AccountRef, external_id: str) -> Post | NoPost:
        """Ask the provider what is known of a post. Called outside any transaction."""
        return NoPost("this channel has no posts", retry=False)

    def look_up(self, account: AccountRef, what: Mapping[str, str]) -> Sequence[Envelope | MessageDetails]:
        """Ask the provider what a :class:`~host.sdk.messages.ToLookUp` stands for.

        An envelope it returns is journalled as if it had been delivered; details are added to the message.
        Called outside any transaction; a raise counts as one try.
        """
        return ()

    def show_typing(self, account: AccountRef, contact: str, on: bool) -> None:
        """Show the customer that an agent is typing, or has stopped. A failure is not reported."""

    def mark_seen(self, account: AccountRef, contact: str) -> None:
        """Show the customer that their messages were seen. A failure is not reported."""

    def take_thread(self, account: AccountRef, contact: str, note: str) -> ProviderProblem | None:
        """Take the conversation with *contact* from another app of the provider; return why it could not.

        :param note: for the other app; may be empty.
        """
        return NO_THREAD_CONTROL

    def pass_thread(self, account: AccountRef, contact: str, to: str, note: str) -> ProviderProblem | None:
        """Pass the conversation with *contact* to the app *to* of the provider; return why it could not."""
        return NO_THREAD_CONTROL

    def block(self, account: AccountRef, contact: str, on: bool) -> ProviderProblem | None:
        """Have the provider block *contact*, or with *on* false end that; return why it did not.

        Called outside any transaction, where :attr:`Capabilities.blocks` says that it can be asked, and again
        after a failure.
        """
        return NO_BLOCKS

    def ice_breakers(self, account: AccountRef) -> IceBreakers | ProviderProblem:
        """Read the account's ice breakers from the provider; empty where it has none."""
        return {}

    def set_ice_breakers(self, account: AccountRef, wanted: IceBreakers) -> IceBreakers | ProviderProblem:
        """Replace the account's ice breakers, with none if *wanted* is empty; return what is set now."""
        return {}

    def menu(self, account: AccountRef) -> Menu | ProviderProblem:
        """Read the account's menu from the provider; empty where it has none."""
        return {}

    def set_menu(self, account: AccountRef, wanted: Menu) -> Menu | ProviderProblem:
        """Replace the account's menu, with none if *wanted* is empty; return what is set now."""
        return {}

    def outgoing(self, event: DeskEvent, message: ToldMessage | None) -> Sequence[OutgoingEvent]:
        """Return what programs are told of *event* under names of the channel's own; as a rule nothing.

        Asked for each ``message.received`` and ``message.reacted``. Pure and cheap: no database, no network.
        What the provider did not tell is left out of ``data``, never made up.

        :param message: what it is about; None: the desk does not have it.
        """
        return ()
