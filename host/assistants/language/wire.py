"""The HTTP requests of one question to a model, through the guarded client and within its timeout."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from host import __version__
from host.assistants.values import ModelError, ModelSetting, ModelUsage
from host.core import clock
from host.core.backports.values import replace
from host.core.secrets import Secret
from host.core.transport import attempt
from host.sdk.http import Client, FetchError, ForbiddenAddressError, Response

MAX_BYTES = 1024 * 1024
"""Largest response in bytes."""
CONNECT_SECONDS = 5.0
_MOST_DETAIL = 300
_OWN_HEADERS = frozenset({"accept", "anthropic-beta", "anthropic-version", "authorization", "x-api-key"})
"""Headers of the library that are sent; the others reveal details of this machine."""
_CREDENTIALS = frozenset({"authorization", "x-api-key"})
_TAKEN = ("content-type", "request-id", "x-request-id")


class WireResponse(msgspec.Struct, frozen=True):
    """The response of the provider."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The requests of one question, one at a time, from any thread.

    :ivar used: usage of all responses, including unusable ones.
    :ivar problem: why the last request has no usable response; None if it has one.
    """

    def __init__(self, setting: ModelSetting, deadline: float) -> None:
        self._key = setting.key
        self._deadline = deadline
        host = urlsplit(setting.address).hostname or ""
        self._client = Client(frozenset({host}), connect_timeout=CONNECT_SECONDS)
        self.used = ModelUsage(model=setting.model)
        self.problem: ModelError | None = None

    def exchange(self, url: str, headers: Mapping[str, str], body: bytes) -> WireResponse:
        """Post *body* and return the response.

        :raises ModelError: if there is no usable response; it is kept as :attr:`problem`.
        """
        self.problem = None
        try:
            answer = self._post(url, headers, body)
            self._count(answer)
            _check(answer, self._key)
        except ModelError as error:
            error.used = self.used
            self.problem = error
            raise
        taken = {name: answer.headers[name] for name in _TAKEN if name in answer.headers}
        return WireResponse(answer.status, taken, answer.body)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        left = self._deadline - clock.monotonic()
        if left <= 0:
            raise ModelError("model_timeout")
        wanted = _OWN_HEADERS if self._key else _OWN_HEADERS - _CREDENTIALS
        sending = {name: value for name, value in headers.items() if name.lower() in wanted}
        sending["User-Agent"] = f"Lobby/{__version__}"
        attempt.model = True
        try:
            return self._client.request(
                "POST",
                url,
                json=json.loads(body),
                headers=sending,
                max_bytes=MAX_BYTES,
                read_timeout=left,
                total_timeout=left,
            )
        except ForbiddenAddressError as error:
            raise ModelError("model_forbidden", detail=scrubbed(str(error), self._key)) from None
        except FetchError as error:
            if clock.monotonic() >= self._deadline:
                raise ModelError("model_timeout", detail=scrubbed(error.reason, self._key)) from None
            raise ModelError("model_failed", again=True, detail=scrubbed(error.reason, self._key)) from None
        finally:
            attempt.model = False

    def _count(self, answer: Response) -> None:
        found = _decoded(answer.body)
        usage, model = found.get("usage"), found.get("model")
        if isinstance(usage, dict):
            # The first of each is OpenAI's name, the others are Anthropic's.
            sent = _sum(
                usage,
                "prompt_tokens",
                "input_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
            )
            said = _sum(usage, "completion_tokens", "output_tokens")
            self.used = replace(
                self.used, tokens_in=self.used.tokens_in + sent, tokens_out=self.used.tokens_out + said
            )
        if isinstance(model, str) and model.isprintable() and 0 < len(model) <= 200:
            self.used = replace(self.used, model=model)


def _sum(usage: Mapping[str, Any], *names: str) -> int:
    found = [usage.get(name) for name in names]
    return sum(one for one in found if type(one) is int and 0 <= one < 2**31)


def _decoded(body: bytes) -> dict[str, Any]:
    """Return *body* as a JSON object, or an empty one if it is not valid."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _check(answer: Response, key: Secret | None) -> None:
    """Raise ModelError for an unusable response."""
    status = answer.status
    if 200 <= status < 300:
        if not _decoded(answer.body):
            raise ModelError("model_unreadable", detail=_words(answer, key))
    elif 300 <= status < 400:
        raise ModelError("model_refused", detail=f"{status}: it sends elsewhere, which is not followed")
    elif status == 429:
        raise ModelError("model_busy", again=True, detail=_words(answer, key))
    elif status >= 500:
        raise ModelError("model_failed", again=True, detail=_words(answer, key))
    else:
        raise ModelError("model_refused", detail=_words(answer, key))


def _words(answer: Response, key: Secret | None) -> str:
    """Return the status and the untrusted error message, without the key."""
    error = _decoded(answer.body).get("error")
    said = error.get("message") if isinstance(error, dict) else error
    text = said if isinstance(said, str) else answer.body.decode("utf-8", "replace")
    # Remove the key first: if it were cut in two it would not be found.
    return f"{answer.status}: {scrubbed(text, key)}"[:_MOST_DETAIL]


def scrubbed(text: str, secret: Secret | None) -> str:
    """Return *text* on one line without *secret*, and without words that begin like it."""
    if secret:
        given = secret.reveal()
        text = text.replace(given, "…")
        if len(given) >= 8:
            text = re.sub(re.escape(given[:4]) + r"\S*", "…", text)
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())
