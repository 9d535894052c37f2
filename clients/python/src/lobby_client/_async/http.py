"""API calls over an asynchronous transport: the key, retries, and errors."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from copy import copy
from typing import Any, Optional, Union
from urllib.parse import urlsplit

from lobby_client import _wire
from lobby_client._async.transport import Transport
from lobby_client._model import Found
from lobby_client._settings import Settings
from lobby_client._wire import Answer, Attempts, Bearer, ConnectionFailed, ExpiryWarning, Request
from lobby_client.errors import RedirectedError, UnreadableAnswerError

Id = Union[int, str]
AGENT = f"lobby-desk-client/{_wire.VERSION}"
EXTRA_SECONDS = 10.0
"""How much longer than a route is asked to wait its answer is waited for."""


class Http:
    """Makes calls with one key to one desk."""

    def __init__(self, url: str, key: str, settings: Settings, transport: Transport) -> None:
        self.url = url
        self.settings = settings
        self._bearer = Bearer(f"Bearer {key}")
        self._transport = transport
        self._expiry = ExpiryWarning()

    def with_settings(self, settings: Settings) -> Http:
        """Return the same with other settings; it shares the open connections."""
        other = copy(self)
        other.settings = settings
        return other

    async def call(
        self,
        method: str,
        template: str,
        *ids: Id,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        repeatable: bool = True,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
        wait: float = 0.0,
    ) -> Any:
        """Return the JSON of the response, or None without a body.

        :param template: the path, with ``{}`` for each of *ids*.
        :param repeatable: whether doing it twice does no harm.
        :param idempotency_key: of a POST, the same in each attempt; None: one is made for the call.
        :param if_match: the ETag that was read; if it is another by now, nothing is done.
        :param wait: seconds the route is asked to wait for something to happen.
        """
        content = None if body is None else _wire.encoded(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        answer = await self.raw(
            method,
            template,
            *ids,
            query=query,
            content=content,
            headers=headers,
            repeatable=repeatable,
            idempotency_key=idempotency_key,
            if_match=if_match,
            wait=wait,
        )
        try:
            found = answer.json()
        except ValueError:
            raise UnreadableAnswerError(
                f"{method} {template} was answered with something else than JSON"
            ) from None
        if isinstance(found, dict):
            found = Found(found)
            found.etag = answer.headers.get("etag")
        return found

    async def raw(
        self,
        method: str,
        template: str,
        *ids: Id,
        query: Optional[Mapping[str, Any]] = None,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        repeatable: bool = True,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
        wait: float = 0.0,
    ) -> Answer:
        """Return the response to a successful call; see :meth:`call`."""
        given = {
            **(headers or {}),
            "Authorization": self._bearer,
            "Accept": "application/json",
            "Lobby-Version": _wire.API_VERSION,
            "User-Agent": AGENT,
        }
        if method == "POST":
            idempotency_key = idempotency_key or new_key()
            given["Idempotency-Key"] = idempotency_key
        if if_match is not None:
            given["If-Match"] = if_match
            repeatable = False  # once it was done, the ETag is another
        timeout = self.settings.timeout
        request = Request(
            method,
            self.url + _wire.path_of(template, ids) + _wire.query_of(query or {}),
            given,
            content,
            timeout if not wait else max(timeout, wait + EXTRA_SECONDS),
        )
        answer = await self._attempt(request, repeatable=repeatable, idempotency_key=idempotency_key)
        if 200 <= answer.status < 300:
            return answer
        if 300 <= answer.status < 400:
            there = urlsplit(answer.headers.get("location", ""))
            where = f"{there.scheme}://{there.hostname}" if there.hostname else "another path"
            raise RedirectedError(f"the desk's address leads to {where}; set url to the address itself")
        raise _wire.refusal(answer, idempotency_key)

    async def _attempt(self, request: Request, *, repeatable: bool, idempotency_key: Optional[str]) -> Answer:
        attempts = Attempts(self.settings.max_retries, repeatable=repeatable)
        while True:
            try:
                answer = await self._transport.send(request)
            except ConnectionFailed as problem:
                pause = attempts.failed(problem)
                if pause is None:
                    raise _wire.lost(problem, idempotency_key) from None
            else:
                self._expiry.check(answer)
                pause = attempts.answered(answer)
                if pause is None:
                    return answer
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Close open connections."""
        await self._transport.close()


def new_key() -> str:
    """Return an idempotency key for one call, shared by all its attempts."""
    return str(uuid.uuid4())
