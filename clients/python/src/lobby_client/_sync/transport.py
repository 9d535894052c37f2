"""The synchronous transport, over urllib3."""

from __future__ import annotations

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    SSLError,
)

from lobby_client._wire import Answer, ConnectionFailed, Request

CONNECT_SECONDS = 10.0


class Transport:
    """Sends requests; follows no redirect and reads no proxy from the environment. Threads may share it."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(retries=False)

    def send(self, request: Request) -> Answer:
        """Return what comes back, whatever its status.

        :raises ConnectionFailed: if nothing does.
        """
        timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, request.timeout), read=request.timeout)
        try:
            answer = self._pool.request(
                request.method,
                request.url,
                body=request.body,
                headers=request.headers,
                timeout=timeout,
                redirect=False,
                retries=False,
            )
        except SSLError as error:
            raise ConnectionFailed(str(error), sent=False, final="CERTIFICATE_VERIFY" in str(error)) from None
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise ConnectionFailed(str(error), sent=False) from None
        except (HTTPError, OSError) as error:
            raise ConnectionFailed(str(error) or type(error).__name__, sent=True) from None
        return Answer(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.clear()
