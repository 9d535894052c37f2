"""The asynchronous transport, over httpx2."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Optional

from lobby_client._wire import Answer, ConnectionFailed, Request

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0


class Transport:
    """Sends requests; follows no redirect and reads no proxy or netrc from the environment.

    :param proxy: the address of a proxy, ``http://user:password@proxy.example.com:3128``; None: none.
    :param ca_file: a file with the certificates to trust, in PEM; None: those of this machine.
    """

    def __init__(self, *, proxy: Optional[str] = None, ca_file: Optional[str] = None) -> None:
        try:
            import httpx2 as library
        except ImportError:
            raise ImportError("AsyncLobby needs more: pip install 'lobby-desk-client[async]'") from None
        self._library = library
        self._proxy = proxy
        self._trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._client: Optional[httpx2.AsyncClient] = None

    async def send(self, request: Request) -> Answer:
        """Return the response, whatever its status.

        :raises ConnectionFailed: if nothing does.
        """
        if self._client is None:  # made here, because it belongs to the event loop that runs
            self._client = self._library.AsyncClient(
                follow_redirects=False, trust_env=False, proxy=self._proxy, verify=self._trusted
            )
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
