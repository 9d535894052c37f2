"""Post a body to an endpoint."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from host import __version__
from host.programs import posting
from host.webhooks import policy

USER_AGENT = f"Lobby/{__version__} (webhooks)"
_BODY_SECONDS = 1.0
"""Timeout for the beginning of an answer's body: only its status matters."""


class Answer(msgspec.Struct, frozen=True):
    """The answer of an endpoint.

    :param status: None: no answer, with the reason in *words*.
    :param words: the beginning of the answer.
    """

    status: int | None
    words: str
    ms: int

    @property
    def ok(self) -> bool:
        """Whether the endpoint accepted the body. A redirect does not count: it could lead anywhere."""
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post *body*. Never raises, whatever the receiver does."""
    found = posting.post(
        url,
        body,
        {"User-Agent": USER_AGENT, **headers},
        seconds=policy.SECONDS,
        most=policy.WORDS,
        patience=_BODY_SECONDS,
    )
    if found.status is None:
        return Answer(None, found.why, found.ms)
    return Answer(found.status, found.body.decode("utf-8", "replace"), found.ms)
