"""Replies as Pigeon's requests, and the meaning of its answers."""

from __future__ import annotations

from host.sdk.channel import (
    AccountRef,
    Held,
    NotSent,
    ProviderProblem,
    Rejected,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.http import FetchError
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind
from host.sdk.secrets import Secret

from . import accounts, api


def send(request: SendRequest) -> SendResult:
    """Send one part. Any uncertain outcome is ``Unknown``: nothing must reach a customer twice."""
    if request.part.kind is not MessageKind.TEXT:
        return Rejected(_problem("kind", noop("Pigeon takes text only.")))
    token = accounts.token_of(request.account)
    if token is None:
        return Held(_problem("no_token", noop("The token of this account cannot be read.")))
    message = {"to": request.recipient, "text": request.part.text}
    try:
        answer = api.call(token, "POST", "/messages", message)
    except api.RefusedError as error:
        return _refused(request.account, token, error)
    except FetchError as error:
        said = _problem("away", noop("Pigeon did not answer."), error.reason)
        return Unknown(said) if error.sent else NotSent(said)
    sent = answer.get("id")
    if not isinstance(sent, str) or not sent:
        return Unknown(_problem("no_id", noop("Pigeon did not confirm the message.")))
    return Sent(sent)


def _refused(account: AccountRef, token: Secret, error: api.RefusedError) -> SendResult:
    raw = str(error)
    if error.status == 429:
        busy = _problem("busy", noop("Pigeon asks us to wait."), raw)
        return NotSent(busy, retry_after=error.retry_after, whole_account=True)
    if error.status == 401:
        if _still_good(token):
            return NotSent(_problem("token", noop("Pigeon refused the token once."), raw))
        return Held(_problem("token", noop("Pigeon no longer accepts the token."), raw))
    if error.status < 500:
        return Rejected(_problem("refused", noop("Pigeon does not take this message."), raw))
    return Unknown(_problem("fault", noop("Pigeon had a fault."), raw))


def _still_good(token: Secret) -> bool:
    """Check the token again before the account has to be reconnected."""
    try:
        api.call(token, "GET", "/me")
    except api.RefusedError as error:
        return error.status != 401
    except FetchError:
        return True
    return True


def _problem(code: str, sentence: str, raw: str = "") -> ProviderProblem:
    return ProviderProblem(code, sentence, raw=raw)
