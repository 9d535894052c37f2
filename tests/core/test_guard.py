"""What may be reached, and how far a name server or a redirect gets with us."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from host.core import guard, transport
from host.sdk import net
from host.sdk.errors import FetchError, ForbiddenAddressError
from host.sdk.http import Client

PUBLIC = ["1.1.1.1", "8.8.8.8", "157.240.1.35", "2606:4700:4700::1111", "2a03:2880:f003:c07:face:b00c:0:2"]
PUBLIC_WRAPPED = ["::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%1",
    "2606:4700::1%1",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "not an address",
]


@pytest.fixture(autouse=True)
def _nothing_exempt() -> Iterator[None]:
    guard.allow(())
    yield
    guard.allow(())


@pytest.mark.parametrize("address", PUBLIC + PUBLIC_WRAPPED)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert guard.is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_may_not(address: str) -> None:
    assert not guard.is_public(address)


def _answers(*addresses: str) -> list[Any]:
    return [
        (
            socket.AF_INET6 if ":" in address else socket.AF_INET,
            socket.SOCK_STREAM,
            6,
            "",
            (address, 443, 0, 0) if ":" in address else (address, 443),
        )
        for address in addresses
    ]


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Make the resolver give the lists of addresses one after the other; return who asked."""

    def use(*rounds: list[str]) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            return _answers(*rounds[min(len(asked), len(rounds)) - 1])

        monkeypatch.setattr(guard, "getaddrinfo", getaddrinfo)
        return asked

    return use


class Recorder(socket.socket):
    """A socket that reaches nobody and remembers whom it was sent to."""

    went: ClassVar[list[Any]] = []
    peer = ""

    def connect(self, address: Any) -> None:
        self.went.append(address)
        if not self.peer:
            raise ConnectionRefusedError(111, "Connection refused")

    def getpeername(self) -> Any:
        return (self.peer, 443)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    monkeypatch.setattr(Recorder, "went", [])
    monkeypatch.setattr(Recorder, "peer", "")
    monkeypatch.setattr(transport, "TimedSocket", Recorder)
    return Recorder


def test_one_private_address_among_public_ones_refuses_the_name(
    name_server: Callable[..., list[str]], recorder: type[Recorder]
) -> None:
    name_server(["8.8.8.8", "10.0.0.7"])
    with pytest.raises(ForbiddenAddressError) as caught:
        Client(frozenset({"api.example.com"})).request("GET", "https://api.example.com/")
    assert not caught.value.sent
    assert recorder.went == []


def test_a_name_is_resolved_once_so_a_second_answer_changes_nothing(
    name_server: Callable[..., list[str]], recorder: type[Recorder]
) -> None:
    asked = name_server(["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(FetchError, match="cannot be reached") as caught:
        Client(frozenset({"api.example.com"})).request("POST", "https://api.example.com/")
    assert asked == ["api.example.com"]
    assert recorder.went == [("8.8.8.8", 443)]
    assert not caught.value.sent


def test_a_connection_that_ends_elsewhere_is_dropped(
    name_server: Callable[..., list[str]], recorder: type[Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server(["8.8.8.8"])
    monkeypatch.setattr(recorder, "peer", "127.0.0.1")
    with pytest.raises(ForbiddenAddressError, match="another address"):
        guard.connect("api.example.com", 443, timeout=1, socket_class=recorder)


def test_the_next_address_is_tried_when_the_first_does_not_answer(
    name_server: Callable[..., list[str]], recorder: type[Recorder]
) -> None:
    name_server(["8.8.8.8", "2606:4700:4700::1111"])
    with pytest.raises(FetchError, match="refused"):
        guard.connect("api.example.com", 443, timeout=1, socket_class=recorder)
    assert [address[0] for address in recorder.went] == ["8.8.8.8", "2606:4700:4700::1111"]


def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()

    def never(*_: Any, **__: Any) -> list[Any]:
        gone.wait(10)
        return []

    monkeypatch.setattr(guard, "getaddrinfo", never)
    try:
        with pytest.raises(FetchError, match="did not answer") as caught:
            guard.connect("api.example.com", 443, timeout=0.05)
        assert not caught.value.sent
    finally:
        gone.set()


def test_a_name_that_does_not_exist_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(guard, "getaddrinfo", unknown)
    with pytest.raises(FetchError, match="was not found"):
        guard.connect("api.example.com", 443, timeout=1)


@pytest.mark.parametrize("number", ["0x7f.1", "2130706433", "127.1", "0177.0.0.1"])
def test_numbers_that_mean_loopback_are_refused_even_when_listed(number: str) -> None:
    """The real resolver turns these into 127.0.0.1."""
    with pytest.raises(ForbiddenAddressError):
        Client(frozenset({number})).request("GET", f"https://{number}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/",
        "https://api.example.com.evil.test/",
        "https://good.example.com@evil.test/",
        "https://user:pass@api.example.com/",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com:99999/",
        "https://①②⑦.0.0.1/",
        "https://evil.test\\@api.example.com/",
        "https://api.example.com\t/",
        "https://api.example.com/\r\nX-Injected: 1",
        "ftp://api.example.com/",
        "file:///etc/passwd",
        "//api.example.com/",
        "https:///path",
        "https://[::1]/",
        "https://[::1/",
        "",
    ],
)
def test_an_address_outside_the_list_is_refused_before_any_name_is_resolved(
    url: str, name_server: Callable[..., list[str]]
) -> None:
    asked = name_server(["8.8.8.8"])
    with pytest.raises(ForbiddenAddressError):
        Client(frozenset({"api.example.com"})).request("GET", url)
    assert asked == []


def test_a_star_covers_what_is_below_and_not_the_name_itself(
    name_server: Callable[..., list[str]], recorder: type[Recorder]
) -> None:
    name_server(["8.8.8.8"])
    client = Client(frozenset({"*.cdn.example.com"}))
    with pytest.raises(FetchError, match="cannot be reached"):
        client.request("GET", "https://a.b.cdn.example.com/")
    for url in ("https://cdn.example.com/", "https://evilcdn.example.com/"):
        with pytest.raises(ForbiddenAddressError):
            client.request("GET", url)


@pytest.mark.parametrize("pair", ["localhost", ":80", "host:0", "host:99999", "host:http", ""])
def test_an_exception_must_be_a_host_and_a_port(pair: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        guard.allow([pair])


def test_an_exception_covers_exactly_its_host_and_port() -> None:
    guard.allow(["127.0.0.1:9000", "[::1]:9001"])
    assert guard.is_exempt("127.0.0.1", 9000)
    assert guard.is_exempt("::1", 9001)
    assert not guard.is_exempt("127.0.0.1", 9001)
    with pytest.raises(ForbiddenAddressError):
        Client(frozenset()).request("GET", "http://127.0.0.1:9001/")


def test_only_for_a_name_is_a_thread_of_its_own_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, bool] = {}

    def here(host: str, port: int, **_: Any) -> list[Any]:
        asked[host] = threading.current_thread() is threading.main_thread()
        return _answers("8.8.8.8")

    monkeypatch.setattr(guard, "getaddrinfo", here)
    for host in ("8.8.8.8", "2001:4860:4860::8888", "api.example.com", "127.1"):
        guard.resolve(host, 443, timeout=5)
    assert asked == {
        "8.8.8.8": True,
        "2001:4860:4860::8888": True,
        "api.example.com": False,
        "127.1": False,
    }


def test_a_mail_relay_is_reached_to_send_mail_and_for_nothing_else() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with listener:
        with pytest.raises(ForbiddenAddressError):
            net.connect("127.0.0.1", port, timeout=5, mail=True)
        guard.allow((), [f"127.0.0.1:{port}"])
        net.connect("127.0.0.1", port, timeout=5, mail=True).close()
        with pytest.raises(ForbiddenAddressError):
            net.connect("127.0.0.1", port, timeout=5)
        with pytest.raises(ForbiddenAddressError):
            Client(frozenset({"127.0.0.1"})).request("GET", f"http://127.0.0.1:{port}/")
