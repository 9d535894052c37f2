"""Calls to the Bot API, and their errors.

The API requires the token in the URL, so the client keeps URLs out of its errors, and this module never
quotes one. https://core.telegram.org/bots/api#making-requests
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from host.sdk import settings
from host.sdk.errors import ProviderError
from host.sdk.http import Client, FetchError, Multipart, Response
from host.sdk.messages import OutgoingFile
from host.sdk.secrets import Secret

CLIENT = Client(frozenset({"api.telegram.org"}), read_timeout=15, total_timeout=30)
UPLOAD_SECONDS = 180.0
"""Timeout for uploading a file, including Telegram's processing."""


class BotError(ProviderError):
    """Telegram refused a call.

    :ivar code: its ``error_code``, which is the HTTP status.
    :ivar words: its ``description``.
    :ivar retry_after: seconds to wait, if Telegram names a time.
    """

    def __init__(self, code: int, words: str, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.retry_after = retry_after


def call(token: Secret, method: str, **fields: Any) -> Any:
    """Call *method* and return its result.

    :raises BotError: if Telegram refuses.
    :raises FetchError: without a usable response; ``sent``: whether the request may have arrived.
    """
    return _result(CLIENT.request("POST", _address(token, method), json=fields))


def upload(token: Secret, method: str, name: str, file: OutgoingFile, fields: Mapping[str, str]) -> Any:
    """Call *method* with the bytes of *file* as its field *name*; errors as :func:`call`."""
    form = Multipart(fields, name, file.name or "file", file.content_type, file.size, file.open)
    return _result(
        CLIENT.request(
            "POST",
            _address(token, method),
            multipart=form,
            read_timeout=UPLOAD_SECONDS,
            total_timeout=UPLOAD_SECONDS,
        )
    )


def file_address(token: Secret, path: str) -> str:
    """Return the URL of the file that ``getFile`` calls *path*: valid for an hour, and contains the token."""
    return f"{settings.get('telegram', 'api_url')}/file/bot{token.reveal()}/{quote(path)}"


def _address(token: Secret, method: str) -> str:
    return f"{settings.get('telegram', 'api_url')}/bot{token.reveal()}/{method}"


def _result(answer: Response) -> Any:
    try:
        found = answer.json()
    except FetchError:
        if answer.status >= 400:
            raise BotError(answer.status, "no reason given") from None
        raise
    if not isinstance(found, dict):
        raise FetchError("Telegram answered with something else than an object", sent=True)
    if found.get("ok") is True and "result" in found:
        return found["result"]
    if answer.status < 400:
        raise FetchError("Telegram answered neither yes nor no", sent=True)
    parameters = found.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    words = str(found.get("description") or "no reason given")[:300]
    raise BotError(answer.status, words, float(wait) if isinstance(wait, int) else None)
