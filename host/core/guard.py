"""Connect to public addresses only: every outgoing request of the desk goes through here.

A name is resolved once. If any of its addresses is not a public unicast address, the whole name is refused.
The socket is then connected to one of the vetted addresses, never to the name again, so a name server that
changes its answer gains nothing.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from host.core import clock
from host.sdk.errors import FetchError, ForbiddenAddressError

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address

_DENIED_V4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4 contains an IPv4 address; it is obsolete
            "3fff::/20",
        ),
    )
)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})?(\.[a-z0-9_]([a-z0-9_-]{0,62})?)*\Z")

_exempt: frozenset[tuple[str, int]] = frozenset()
_relays: frozenset[tuple[str, int]] = frozenset()
_providers: frozenset[tuple[str, int]] = frozenset()
_models: frozenset[tuple[str, int]] = frozenset()

getaddrinfo = socket.getaddrinfo


def allow(
    pairs: Iterable[str],
    relays: Iterable[str] = (),
    providers: Iterable[str] = (),
    models: Iterable[str] = (),
) -> None:
    """Set the exact ``host:port`` pairs that may be reached although private, including by plain http.

    :param relays: pairs that may be reached only to send mail.
    :param providers: pairs that may be reached only to sign people in.
    :param models: pairs that may be reached only to call language models.
    :raises ValueError: for a pair that is not ``host:port``.
    """
    global _exempt, _relays, _providers, _models  # noqa: PLW0603 - one policy per process
    _exempt = frozenset(map(_pair, pairs))
    _relays = frozenset(map(_pair, relays))
    _providers = frozenset(map(_pair, providers))
    _models = frozenset(map(_pair, models))


def _pair(text: str) -> tuple[str, int]:
    host, _, port = text.strip().lower().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} must look like 127.0.0.1:9000")
    return host, int(port)


def is_exempt(
    host: str, port: int, *, mail: bool = False, sign_in: bool = False, model: bool = False
) -> bool:
    """Return whether the operator has allowed this exact host and port.

    :param mail: for sending mail; *sign_in*: for signing people in; *model*: for asking a language model.
    """
    pair = (host.lower(), port)
    return (
        pair in _exempt
        or (mail and pair in _relays)
        or (sign_in and pair in _providers)
        or (model and pair in _models)
    )


def is_host_name(host: str) -> bool:
    """Return whether *host* is a lower-case ASCII host name valid in DNS; plain numbers also pass."""
    return bool(_HOST_NAME.match(host))


def is_public(address: str) -> bool:
    """Return whether *address* is publicly routed to a single host.

    IPv4 addresses inside IPv6 ones (mapped, NAT64) are judged by the IPv4 address; other embeddings
    (compatible, 6to4, Teredo, local NAT64, SIIT, ISATAP with a private address) are refused.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _public_v4(ip) if isinstance(ip, IPv4) else _public_v6(ip)


def _public_v4(ip: IPv4) -> bool:
    return ip.is_global and not any(ip in network for network in _DENIED_V4)


def _public_v6(ip: IPv6) -> bool:
    if ip.scope_id is not None:
        return False
    low = IPv4(int(ip) & 0xFFFF_FFFF)
    if ip in _MAPPED or ip in _NAT64:
        return _public_v4(low)
    if ip not in _GLOBAL_V6 or not ip.is_global or any(ip in network for network in _DENIED_V6):
        return False
    return (int(ip) >> 32) & 0xFFFF_FFFF not in _ISATAP or _public_v4(low)


def resolve(
    host: str,
    port: int,
    *,
    timeout: float,
    mail: bool = False,
    sign_in: bool = False,
    model: bool = False,
) -> list[tuple[int, Any]]:
    """Return (family, socket address) pairs of *host*, all of them public unless the pair is exempt.

    :param timeout: seconds; the system's resolver has no timeout.
    :param mail: as in :func:`is_exempt`; *sign_in* and *model*, too.
    :raises ForbiddenAddressError: if any address is not public.
    :raises FetchError: if the name does not resolve.
    """
    answer: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(list(getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    if _is_address(host):
        ask()  # an address needs no name server, so this does not block
    else:
        # In a separate thread, because getaddrinfo cannot be interrupted; it exits when the resolver gives
        # up.
        threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except queue.Empty:
        raise FetchError(f"the name server did not answer for {host} in time") from None
    if isinstance(found, Exception) or not found:
        raise FetchError(f"{host} was not found by the name server")
    addresses = [(family, address) for family, _, _, _, address in found]
    if not is_exempt(host, port, mail=mail, sign_in=sign_in, model=model):
        for _, address in addresses:
            if not is_public(address[0]):
                raise ForbiddenAddressError(f"{host} leads to an address that is not public")
    return addresses


def _is_address(host: str) -> bool:
    """Return whether *host* is a literal IP address; other spellings the resolver accepts count as names."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class Departure:
    """The progress of the requests in a block, see :func:`watch_departure`.

    :ivar tried: whether a connection was requested.
    :ivar left: whether a byte of any request may have left.
    :ivar answered: whether the last response was complete.
    """

    tried: bool = False
    left: bool = False
    answered: bool = False

    @property
    def unreachable(self) -> bool:
        """Whether the other side was never reached, so that no request can have had an effect."""
        return self.tried and not self.left


class _Watched(threading.local):
    departure: Departure | None = None


_watched = _Watched()


@contextmanager
def watch_departure() -> Iterator[Departure]:
    """Watch the progress of the requests that this thread makes in the block."""
    before, _watched.departure = _watched.departure, Departure()
    try:
        yield _watched.departure
    finally:
        _watched.departure = before


def note_tried() -> None:
    """Record that a connection is requested."""
    if _watched.departure is not None:
        _watched.departure.tried = True


def note_left() -> None:
    """Record that the first byte of a request is about to leave."""
    if _watched.departure is not None:
        _watched.departure.left, _watched.departure.answered = True, False


def note_answered() -> None:
    """Record a complete response: the other side is no longer working on the request."""
    if _watched.departure is not None:
        _watched.departure.answered = True


def connect(
    host: str,
    port: int,
    *,
    timeout: float,
    socket_class: type[socket.socket] = socket.socket,
    mail: bool = False,
    sign_in: bool = False,
    model: bool = False,
    notes_first_byte: bool = False,
) -> socket.socket:
    """Return a TCP socket connected to one of the vetted addresses of *host*.

    :param timeout: seconds for resolving and connecting together; it stays the socket's timeout.
    :param mail: as in :func:`is_exempt`; *sign_in* and *model*, too.
    :param notes_first_byte: whether the caller calls :func:`note_left`; else connecting counts as the first
        byte.
    :raises ForbiddenAddressError: if the name or the connection leads to a private address.
    :raises FetchError: if there is no answer; nothing was sent.
    """
    note_tried()
    deadline = clock.monotonic() + timeout
    reason = "no answer in time"
    for family, address in resolve(host, port, timeout=timeout, mail=mail, sign_in=sign_in, model=model):
        remaining = deadline - clock.monotonic()
        if remaining <= 0:
            break
        connection = socket_class(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(remaining)
            connection.connect(address)
            exempt = is_exempt(host, port, mail=mail, sign_in=sign_in, model=model)
            _check_peer(connection, address[0], exempt=exempt)
            connection.settimeout(timeout)
            if not notes_first_byte:
                note_left()
            return connection
        except OSError as error:
            connection.close()
            reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or "refused"
        except BaseException:
            connection.close()
            raise
    raise FetchError(f"{host} port {port} cannot be reached: {reason}")


def tls_context() -> ssl.SSLContext:
    """Return a new TLS configuration that verifies names against the system's and the bundled authorities."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _check_peer(connection: socket.socket, wanted: str, *, exempt: bool) -> None:
    """Check the address the socket is really connected to: a proxying socket layer could have changed it."""
    peer = ipaddress.ip_address(connection.getpeername()[0].partition("%")[0])
    if peer != ipaddress.ip_address(wanted.partition("%")[0]) or not (exempt or is_public(str(peer))):
        raise ForbiddenAddressError("the connection ended at another address")
