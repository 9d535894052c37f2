"""The history a provider keeps of an account: its threads, and the messages of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from host.sdk._account import AccountRef
from host.sdk._results import ProviderProblem
from host.sdk.messages import InboundChange
from host.sdk.webhooks import Envelope


@dataclass(frozen=True, slots=True)
class HistoryRules:
    """Extent of the earlier conversations that a channel can return.

    :param details: how many of a thread's newest messages come with their content.
    :param limits: sentences for owners about what is missing, translated by the host.
    """

    details: int
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A customer's message that is stored here."""

    external_id: str
    contact: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class HistoryThread:
    """A thread as the provider lists it.

    :param contact: the customer's id on this account; empty for a thread of several customers, such as
        a post: then each message names its author, and *external_id* is the post's.
    :param updated_at: when something last happened in it; None: the provider does not say.
    :param known: for a thread without a contact, when its newest page is read: the newest messages of
        customers stored here, so that the adapter can tell which of them the provider deleted.
    """

    external_id: str
    contact: str
    updated_at: datetime | None = None
    username: str | None = None
    known: tuple[KnownMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """A page of the provider's list of threads.

    :param after: where the next page begins; empty: this was the last.
    """

    threads: Sequence[HistoryThread] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """A page of one thread.

    :param changes: messages and later changes to them, oldest first.
    :param untold: external ids of messages the provider returns without content.
    :param after: where the page with earlier messages begins; empty: there are none.
    """

    changes: Sequence[InboundChange] = ()
    untold: Sequence[str] = ()
    after: str = ""


@dataclass(frozen=True, slots=True)
class HistoryTrouble:
    """The history could not be read this time.

    :param retry_after: seconds the provider asks us to wait; None: the host backs off.
    :param final: asking again will not help.
    :param held: the provider answers no call for this account at the moment, so none is made. The host asks
        again every few minutes, for as long as it takes, and does not count it as a failure.
    """

    problem: ProviderProblem
    retry_after: float | None = None
    final: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class LookRules:
    """Budget of calls for finding messages that were not delivered.

    :param calls_per_customer: how many calls a day the provider allows an account for each customer it
        exchanged messages with that day. The host uses a fiftieth of them, or four calls a day.
    :param shortest: the shortest time between two checks, even if the budget allows more.
    """

    calls_per_customer: int
    shortest: timedelta = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message as the list of threads names it.

    :param sent_at: the provider's time; None: it does not say.
    :param ours: whether the account wrote it; None: the provider does not say.
    """

    external_id: str
    sent_at: datetime | None = None
    ours: bool | None = None


@dataclass(frozen=True, slots=True)
class ListedThread:
    """A thread with the ids of its newest messages. A post is a thread without a contact.

    :param more: whether it has earlier messages.
    """

    thread: HistoryThread
    newest: Sequence[ListedMessage] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class NewestPage:
    """A page of the provider's list of threads, each with its newest messages.

    :param after: where the next page begins; empty: this was the last.
    :param used_percent: how much of its limits the provider says is used.
    """

    threads: Sequence[ListedThread] = ()
    after: str = ""
    used_percent: int = 0


@dataclass(frozen=True, slots=True)
class LatestMessage:
    """One of the newest messages of a thread.

    :param envelope: the message as the provider would have delivered it, with the same ``dedupe_key``; what
        :meth:`~host.sdk.channel.ChannelAdapter.parse` makes of it has ``missed`` in its content. None where
        the account wrote it, or where the provider tells nothing but the id.
    """

    message: ListedMessage
    envelope: Envelope | None = None


class TellsHistory:
    """The part of a channel's adapter that reads earlier conversations.

    Called only where the channel's capabilities have :attr:`~host.sdk.capabilities.Capabilities.history`, at
    most twice a second for an account, outside any transaction. As a rule each makes one call to it.
    ``newest`` and ``latest`` are called only where they have
    :attr:`~host.sdk.capabilities.Capabilities.second_look`.
    """

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        """Return a page of the provider's threads, the one that changed last first.

        :param after: :attr:`ThreadPage.after` of the page before; empty for the first.
        """
        return ThreadPage()

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        """Return a page of one thread, beginning with the newest page.

        :param after: :attr:`HistoryPage.after` of the page before; empty for the newest.
        """
        return HistoryPage()

    def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        """Return a page of the provider's threads with their newest messages, the newest thread first.

        :param after: :attr:`NewestPage.after` of the page before; empty for the first.
        """
        return NewestPage()

    def latest(self, account: AccountRef, thread: HistoryThread) -> Sequence[LatestMessage] | HistoryTrouble:
        """Return the newest messages of a thread, oldest first."""
        return ()
