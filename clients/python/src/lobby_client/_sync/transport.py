"""The synchronous transport, over urllib3."""

from __future__ import annotations

import ssl
from typing import Optional
from urllib.parse import unquote

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
    """Sends requests; follows no redirect and reads no proxy from the environment. Threads may share it.

    :param proxy: the address of a proxy, ``http://user:password@proxy.example.com:3128``; None: none.
    :param ca_file: a file with the certificates to trust, in PEM; None: those of this machine.
    """

    def __init__(self, *, proxy: Optional[str] = None, ca_file: Optional[str] = None) -> None:
        trusted = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self._pool: urllib3.PoolManager
        if proxy is None:
            self._pool = urllib3.PoolManager(retries=False, ssl_context=trusted)
        else:
            there = urllib3.util.parse_url(proxy)
            login = urllib3.make_headers(proxy_basic_auth=unquote(there.auth)) if there.auth else None
            self._pool = urllib3.ProxyManager(
                proxy, retries=False, ssl_context=trusted, proxy_ssl_context=trusted, proxy_headers=login
            )

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
