"""The history of an account at the provider: its threads and their messages."""

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
    """Limits of the earlier conversations that a channel can return.

    :param details: number of a thread's newest messages that come with content.
    :param limits: sentences for owners about missing data, translated by the host.
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
    """A thread in the provider's list.

    :param contact: the customer's id on this account; empty for a thread of several customers, such as a
        post. Then each message names its author, and *external_id* is the post's.
    :param updated_at: time of its last activity; None: unknown.
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
    """A page of a thread's messages.

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
    :param final: whether a retry would fail too.
    :param held: whether the provider currently answers no calls for this account, so none is made. The host
        retries every few minutes without a limit, and does not count a failure.
    """

    problem: ProviderProblem
    retry_after: float | None = None
    final: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class LookRules:
    """Budget of calls for finding messages that were not delivered.

    :param calls_per_customer: calls per day that the provider allows an account for each customer it
        exchanged messages with that day. The host uses a fiftieth of them, but at least four calls a day.
    :param shortest: minimum time between two checks, even if the budget allows more.
    """

    calls_per_customer: int
    shortest: timedelta = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message in the list of threads.

    :param sent_at: the provider's time; None: unknown.
    :param ours: whether the account wrote it; None: unknown.
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
    :param used_percent: percentage of its limits used, according to the provider.
    """

    threads: Sequence[ListedThread] = ()
    after: str = ""
    used_percent: int = 0


@dataclass(frozen=True, slots=True)
class LatestMessage:
    """One of the newest messages of a thread.

    :param envelope: the message as the provider would have delivered it, with the same ``dedupe_key``; the
        changes that :meth:`~host.sdk.channel.ChannelAdapter.parse` returns for it have ``missed`` in their
        content. None if the account wrote it, or if the provider returns only the id.
    """

    message: ListedMessage
    envelope: Envelope | None = None


class TellsHistory:
    """The part of a channel's adapter that reads earlier conversations.

    Called only if the channel has :attr:`~host.sdk.capabilities.Capabilities.history`, at most twice a second
    per account, outside any transaction. Each method should make one call to the provider. ``newest`` and
    ``latest`` are called only if the channel has
    :attr:`~host.sdk.capabilities.Capabilities.second_look`.
    """

    def threads(self, account: AccountRef, after: str) -> ThreadPage | HistoryTrouble:
        """Return a page of the provider's threads, most recently changed first.

        :param after: :attr:`ThreadPage.after` of the page before; empty for the first.
        """
        return ThreadPage()

    def history(self, account: AccountRef, thread: HistoryThread, after: str) -> HistoryPage | HistoryTrouble:
        """Return a page of a thread's messages, newest page first.

        :param after: :attr:`HistoryPage.after` of the page before; empty for the newest.
        """
        return HistoryPage()

    def newest(self, account: AccountRef, after: str) -> NewestPage | HistoryTrouble:
        """Return a page of the provider's threads with their newest messages, newest thread first.

        :param after: :attr:`NewestPage.after` of the page before; empty for the first.
        """
        return NewestPage()

    def latest(self, account: AccountRef, thread: HistoryThread) -> Sequence[LatestMessage] | HistoryTrouble:
        """Return the newest messages of a thread, oldest first."""
        return ()
