"""The asynchronous transport, over httpx2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Optional

from lobby_client._wire import Answer, ConnectionFailed, Request

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0


class Transport:
    """Sends requests; follows no redirect and reads no proxy or netrc from the environment."""

    def __init__(self) -> None:
        try:
            import httpx2 as library
        except ImportError:
            raise ImportError("AsyncLobby needs more: pip install 'lobby-desk-client[async]'") from None
        self._library = library
        self._client: Optional[httpx2.AsyncClient] = None

    async def send(self, request: Request) -> Answer:
        """Return the response, whatever its status.

        :raises ConnectionFailed: if nothing does.
        """
        if self._client is None:  # made here, because it belongs to the event loop that runs
            self._client = self._library.AsyncClient(follow_redirects=False, trust_env=False)
        timeout = self._library.Timeout(request.timeout, connect=min(CONNECT_SECONDS, request.timeout))
        try:
            # The time-out above is for the wait between two bytes; a whole answer has a limit, too.
            answer = await asyncio.wait_for(
                self._client.request(
                    request.method,
                    request.url,
                    content=request.body,
                    headers=dict(request.headers),
                    timeout=timeout,
                ),
                request.timeout * 2 + CONNECT_SECONDS,
            )
        except (self._library.ConnectError, self._library.ConnectTimeout) as error:
            raise ConnectionFailed(
                str(error) or type(error).__name__, sent=False, final="CERTIFICATE_VERIFY" in str(error)
            ) from None
        except (self._library.RequestError, asyncio.TimeoutError) as error:
            raise ConnectionFailed(str(error) or type(error).__name__, sent=True) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, answer.content)

    async def close(self) -> None:
        """Close open connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
