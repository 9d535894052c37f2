"""Calls to the Graph API, and their errors.

https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from host.sdk import settings
from host.sdk.errors import ProviderError
from host.sdk.http import Client, FetchError, Multipart, Response
from host.sdk.messages import OutgoingFile
from host.sdk.secrets import Secret, fingerprint

from .accounts import Credentials
from .values import mapping, text

SLUG = "whatsapp"
UPLOAD_SECONDS = 240.0
FILES = "https://graph.facebook.com/whatsapp-media/"
"""Prefix of the placeholder URLs of files, which :func:`file_of` resolves."""


class GraphError(ProviderError):
    """Meta refused a call.

    :ivar code: its ``code``; 0 if the answer has none.
    :ivar words: its message, with the details if there are any; never a credential.
    :ivar status: the HTTP status.
    """

    def __init__(self, code: int, words: str, status: int) -> None:
        super().__init__(f"{words} ({code or f'http {status}'})")
        self.code = code
        self.words = words
        self.status = status


@functools.lru_cache(maxsize=4)
def _client(host: str) -> Client:
    return Client(frozenset({host}), read_timeout=20, total_timeout=60)


def root() -> str:
    """Return the address of the Graph API without a trailing slash."""
    return settings.get(SLUG, "graph_url").rstrip("/")


def hosts() -> frozenset[str]:
    """Return the hosts that files of messages come from."""
    host = urlsplit(root()).hostname or "graph.facebook.com"
    return frozenset({"graph.facebook.com", "lookaside.fbsbx.com", host})


def webhook_url() -> str:
    """Return the address Meta delivers to."""
    return f"{settings.public_url()}/addons/{SLUG}/webhook"


def verify_token() -> str:
    """Return the token by which Meta's verification is recognised: the same until the secret key changes."""
    return f"lobby-{fingerprint(Secret(f'{SLUG} verify token'))}"


@dataclass(frozen=True, slots=True)
class Graph:
    """Calls with one token, which is sent in a header, never in an address.

    :param app_secret: proves that the token's app makes the call; None: no proof.
    """

    token: Secret
    app_secret: Secret | None = None

    @classmethod
    def of(cls, found: Credentials) -> Graph:
        """Return calls with the credentials of a number."""
        return cls(found.token, found.app_secret)

    def get(self, path: str, **params: str) -> Mapping[str, Any]:
        """Read an object.

        :raises GraphError: if Meta refuses.
        :raises FetchError: without a usable answer; ``sent``: whether the request may have arrived.
        """
        return self._ask("GET", path, params)

    def post(self, path: str, **fields: Any) -> Mapping[str, Any]:
        """Call with JSON; errors as :meth:`get`."""
        return self._ask("POST", path, {}, json=fields)

    def upload(self, path: str, file: OutgoingFile, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """Call with the bytes of a file; errors as :meth:`get`."""
        form = Multipart(fields, "file", file.name or "file", file.content_type, file.size, file.open)
        return self._ask(
            "POST", path, {}, multipart=form, read_timeout=UPLOAD_SECONDS, total_timeout=UPLOAD_SECONDS
        )

    def _ask(self, method: str, path: str, params: Mapping[str, str], **more: Any) -> Mapping[str, Any]:
        query = dict(params)
        if self.app_secret is not None:
            # https://developers.facebook.com/docs/graph-api/guides/secure-requests
            key, token = self.app_secret.reveal().encode(), self.token.reveal().encode()
            query["appsecret_proof"] = hmac.new(key, token, hashlib.sha256).hexdigest()
        address = f"{root()}/{settings.get(SLUG, 'graph_version').strip('/')}/{path}"
        client = _client(urlsplit(address).hostname or "")
        headers = {"Authorization": f"Bearer {self.token.reveal()}"}
        return _result(client.request(method, address, params=query, headers=headers, **more))


def _result(answer: Response) -> Mapping[str, Any]:
    try:
        found = mapping(answer.json())
    except FetchError:
        if answer.status >= 400:
            raise GraphError(0, "no reason given", answer.status) from None
        raise
    error = mapping(found.get("error"))
    if not error and answer.status < 400:
        return found
    code = error.get("code")
    details = text(mapping(error.get("error_data")).get("details"), 300)
    words = text(error.get("message"), 300) or "no reason given"
    raise GraphError(
        code if isinstance(code, int) else 0, f"{words}: {details}" if details else words, answer.status
    )
