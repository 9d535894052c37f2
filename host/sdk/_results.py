"""The outcomes of a send, and the limits of a provider.

Addons import them from :mod:`host.sdk.channel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ProviderProblem:
    """The reason why a provider refused a request.

    :param code: the provider's code, as ``code`` or ``code/subcode``.
    :param sentence: what happened, for an agent; translated.
    :param next_step: what to do about it; may be empty.
    :param raw: the provider's message, behind "Show the error"; contains no credential.
    :param cause: the most likely cause, also translated; behind "Show the error".
    :param final: whether sending the same message again is no use, so that nobody is offered to.
    """

    code: str
    sentence: str
    next_step: str = ""
    raw: str = ""
    cause: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class SendLimit:
    """A rate limit: at most *amount* calls with the same *key* within any *seconds*.

    :param key: identifies calls that are counted together, within the channel: ``account 17``, ``app 9 an
        hour``.
    :param sentence: tells the agent what a message waits for while the limit is used up; translated.
    :param whole_account: whether every message of the account counts against it, so that none can be sent
        while it is used up.
    """

    key: str
    amount: int
    seconds: int
    sentence: str
    whole_account: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """The provider asks for a pause, or refuses for now. Waiting messages are sent automatically afterwards.

    :param problem: the reason, for agents whose messages wait.
    :param seconds: duration of the pause.
    :param whole_account: whether all messages of the account wait.
    :param other_accounts: ids of further accounts of this channel that must also wait.
    """

    problem: ProviderProblem
    seconds: float
    whole_account: bool = True
    other_accounts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider accepted the message and assigned *external_id*.

    :param pause: a pause requested in the same response, for example because a limit is almost used up.
    :param missed: the part that was not sent, such as a copy; shown with the message.
    :param recipient: their id, if the provider says it is another than the one the message was sent to, such
        as a number it writes in another way. The contact gets it, so that their answer arrives in the same
        conversation.
    """

    external_id: str
    pause: Pause | None = None
    missed: ProviderProblem | None = None
    recipient: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The message definitely did not reach the customer and may be retried.

    :param retry_after: seconds the provider asks us to wait; None: the host backs off.
    :param whole_account: the limit applies to the account, not only this customer. If the provider named no
        time, the account pauses after two such answers without an accepted message in between.
    :param other_accounts: ids of further accounts of this channel that the same limit stops.
    """

    problem: ProviderProblem
    retry_after: float | None = None
    whole_account: bool = False
    other_accounts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """The account may not send any more: nothing failed, its queue waits until it is reconnected, or until
    the addon finds that it may again, see :func:`host.sdk.accounts.mark_connected`.

    The adapter returns this only after it asked the provider once more.

    :param alone: whether the credentials are good, but lack a permission this account needs: an account
        beside it goes on, and the audit log says so.
    """

    problem: ProviderProblem
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider will not accept this message, now or later.

    :param whole_contact: nothing can be sent to this customer: the composer is closed with that message until
        they write, or until *until*.
    :param templates: with *whole_contact*: approved templates still reach the customer.
    :param target_gone: the message that this one answers or changes no longer exists at the provider. It
        counts as unsent, so nothing more can be sent to it.
    :param stopped_marketing: the customer stopped marketing messages: it becomes a line in the conversation,
        and promotional templates are refused until they allow them again.
    """

    problem: ProviderProblem
    whole_contact: bool = False
    until: datetime | None = None
    target_gone: bool = False
    templates: bool = False
    stopped_marketing: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The message may have reached the customer. The host searches for it before anything is sent again.

    :param transient: whether the provider's complete response reports a temporary failure that, by its
        documentation, means the message was not accepted. The host searches as often, but sooner, and may
        send it a few more times.
    """

    problem: ProviderProblem
    transient: bool = False


SendResult = Sent | NotSent | Held | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Found:
    external_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider's thread was read, and the message is not in it."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider's thread could not be read, or does not reach back far enough."""

    reason: str


SearchResult = Found | Absent | CannotTell | Pause | Held
