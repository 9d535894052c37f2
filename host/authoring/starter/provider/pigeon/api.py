"""Calls to Pigeon, and their errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from host.sdk import settings
from host.sdk.http import Client, FetchError
from host.sdk.secrets import Secret

CLIENT = Client(frozenset({"api.pigeon.example"}), read_timeout=10, total_timeout=30)


class RefusedError(Exception):
    """Pigeon answered, but refused the call.

    :ivar status: status of its answer.
    :ivar retry_after: seconds it asks us to wait, if given.
    """

    def __init__(self, status: int, words: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        self.retry_after = retry_after


def call(token: Secret, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return Pigeon's answer.

    :raises RefusedError: for an unsuccessful answer.
    :raises FetchError: when there is no usable answer; ``sent`` tells whether the request may have arrived.
    """
    answer = CLIENT.request(
        method,
        f"{settings.get('pigeon', 'api_url')}{path}",
        json=body,
        headers={"Authorization": f"Bearer {token.reveal()}"},
    )
    if answer.status != 200:
        wait = answer.headers.get("retry-after", "")
        raise RefusedError(
            answer.status,
            answer.body[:200].decode("utf-8", "replace"),
            float(wait) if wait.isdigit() else None,
        )
    found = answer.json()
    if not isinstance(found, dict):
        raise FetchError("Pigeon answered with something else than an object", sent=True)
    return found
