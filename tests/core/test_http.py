"""The client over real sockets, against servers that do what they should not."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from demo.certificates import make_certificate
from host.core import guard, transport
from host.sdk.http import (
    Client,
    FetchError,
    ForbiddenAddressError,
    Multipart,
    OpenResponse,
    TooMuchError,
    UnreadableAnswerError,
)
from tests.core.servers import Server, always, answer, read_request, serving
from tests.core.servers import answer as respond


@pytest.fixture(autouse=True)
def _nothing_exempt() -> Iterator[None]:
    guard.allow(())
    yield
    guard.allow(())


def client(server: Server, *more: Server, **timeouts: float) -> Client:
    guard.allow([f"127.0.0.1:{s.port}" for s in (server, *more)])
    return Client(frozenset(), **timeouts)


def url(server: Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def test_a_request_arrives_as_written_and_the_answer_comes_back_whole() -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(b'{"ok": [1, "\xc3\xa9"]}', headers=b"X-App-Usage: 7\r\n"))

    with serving(handler) as server:
        response = client(server).request(
            "POST",
            url(server, "/v1/send?a=1"),
            params={"b": "x y"},
            json={"text": "é"},
            headers={"Authorization": "Bearer s3cret"},
        )
    assert response.status == 200
    assert response.headers["x-app-usage"] == "7"
    assert response.json() == {"ok": [1, "é"]}
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/send?a=1&b=x+y HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"Authorization: Bearer s3cret" in head
    assert b"Accept-Encoding: identity" in head
    assert b"Cookie" not in head
    assert body == b'{"text":"\\u00e9"}'


def test_a_form_goes_in_the_body() -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(b""))

    with serving(handler) as server:
        client(server).request("POST", url(server), form={"access_token": "s3cret&x"})
    assert seen[0].startswith(b"POST / HTTP/1.1")
    assert seen[0].endswith(b"access_token=s3cret%26x")


def test_a_file_goes_as_multipart_and_is_read_piece_by_piece() -> None:
    seen: list[bytes] = []
    reads: list[int] = []

    class File(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(size or 0)
            return super().read(size)

    def handler(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(b""))

    data = bytes(range(256)) * 1024
    form = Multipart(
        {"platform": "x", 'a"b': "ä"},
        "filedata",
        'my "best"\r\nX: y',
        "image/png",
        len(data),
        lambda: File(data),
    )
    with serving(handler) as server:
        client(server).request("POST", url(server), multipart=form)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    boundary = re.search(rb"Content-Type: multipart/form-data; boundary=([0-9a-f]{32})", head)
    assert boundary
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Transfer-Encoding" not in head
    parts = body.split(b"--" + boundary[1])
    assert parts[0] == b""
    assert parts[1] == b'\r\nContent-Disposition: form-data; name="platform"\r\n\r\nx\r\n'
    assert parts[2] == '\r\nContent-Disposition: form-data; name="a_b"\r\n\r\nä\r\n'.encode()
    described, _, sent = parts[3].partition(b"\r\n\r\n")
    assert described == (
        b'\r\nContent-Disposition: form-data; name="filedata"; filename="my _best___X: y"\r\n'
        b"Content-Type: image/png"
    )
    assert sent == data + b"\r\n"
    assert parts[4] == b"--\r\n"
    assert len(reads) == 4
    assert max(reads) <= 64 * 1024


@pytest.mark.parametrize("size", [4, 10**6])
def test_a_file_that_is_not_as_long_as_it_was_said_to_be_is_an_error(size: int) -> None:
    form = Multipart({}, "filedata", "a", "image/png", size, lambda: BytesIO(b"abc"))
    with serving(always(answer(b""))) as server, pytest.raises(FetchError):
        client(server).request("POST", url(server), multipart=form)


def test_one_request_may_take_longer_than_others() -> None:
    def late(connection: socket.socket) -> None:
        read_request(connection)
        time.sleep(0.4)
        connection.sendall(answer(b"ok"))

    with serving(late) as server:
        impatient = client(server, read_timeout=0.1, total_timeout=0.2)
        with pytest.raises(FetchError):
            impatient.request("GET", url(server))
        assert impatient.request("GET", url(server), read_timeout=60, total_timeout=60).body == b"ok"
        with pytest.raises(FetchError):
            impatient.request("GET", url(server))


def test_an_error_status_is_an_answer_and_not_an_exception() -> None:
    with serving(always(answer(b"no", status="500 Oops"))) as server:
        assert client(server).request("GET", url(server)).status == 500


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":1,"a":2}', b"[NaN]", b"[" * 100_000, b"9" * 5000, b"\xff", b"[Infinity]"]
)
def test_an_answer_that_is_not_strict_json_is_unreadable_and_counts_as_sent(body: bytes) -> None:
    with serving(always(answer(body))) as server:
        response = client(server).request("POST", url(server))
    with pytest.raises(UnreadableAnswerError) as caught:
        response.json()
    assert caught.value.sent


def test_proxies_and_netrc_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(b"direct"))

    with serving(always(answer(b"by proxy"))) as proxy, serving(handler) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert client(server).request("GET", url(server)).body == b"direct"
        assert proxy.accepted == 0
    assert b"uthorization" not in seen[0]


def test_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(answer(b"", headers=b"Set-Cookie: id=1\r\n"))

    with serving(handler) as server:
        one = client(server)
        one.request("GET", url(server))
        one.request("GET", url(server))
    assert b"ookie" not in seen[1]


# ---- redirects


def test_a_redirect_is_an_answer_unless_asked_to_follow() -> None:
    redirect = answer(b"", status="302 Found", headers=b"Location: http://169.254.169.254/\r\n")
    with serving(always(redirect)) as server:
        response = client(server).request("GET", url(server))
        assert (response.status, response.headers["location"]) == (302, "http://169.254.169.254/")
        with pytest.raises(ForbiddenAddressError):
            client(server).request("GET", url(server), follow=3)


def test_a_followed_redirect_leaves_the_credentials_behind_when_the_host_changes() -> None:
    seen: list[bytes] = []

    def target(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(answer(b"there"))

    with serving(target) as second:
        location = b"Location: " + url(second, "/x").encode() + b"\r\n"
        with serving(always(answer(b"", status="301 Moved", headers=location))) as first:
            response = client(first, second).request(
                "GET", url(first), headers={"Authorization": "Bearer s3cret"}, follow=1
            )
    assert response.body == b"there"
    assert b"s3cret" not in seen[0]


def test_a_redirect_within_the_host_keeps_them_and_a_circle_ends() -> None:
    seen: list[bytes] = []

    def circle(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(answer(b"", status="302 Found", headers=b"Location: /again\r\n"))

    with serving(circle) as server, pytest.raises(FetchError, match="redirects too often"):
        client(server).request("GET", url(server), headers={"Authorization": "Bearer s3cret"}, follow=99)
    assert len(seen) == 4
    assert all(b"s3cret" in request for request in seen)


def test_a_post_does_not_follow() -> None:
    with pytest.raises(ValueError, match="only GET"):
        Client(frozenset()).request("POST", "https://api.example.com/", follow=1)


# ---- size and time


def test_an_infinite_body_is_cut_off() -> None:
    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(endless) as server, pytest.raises(FetchError, match="more than 100000 bytes") as caught:
        client(server).request("GET", url(server), max_bytes=100_000)
    assert caught.value.sent


@pytest.mark.parametrize("length", [b"99999999999", b"9" * 5000], ids=["long", "5,000 digits"])
def test_a_body_that_says_it_is_too_long_is_not_read(length: bytes) -> None:
    def honest(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: " + length + b"\r\n\r\n")

    with serving(honest) as server, pytest.raises(FetchError, match="more than"):
        client(server).request("GET", url(server))


def test_a_body_of_exactly_the_limit_is_fine() -> None:
    with serving(always(answer(b"x" * 1000))) as server:
        assert len(client(server).request("GET", url(server), max_bytes=1000).body) == 1000
        with pytest.raises(FetchError):
            client(server).request("GET", url(server), max_bytes=999)


def test_a_gzip_bomb_is_counted_after_decompression() -> None:
    import resource

    bomb = gzip.compress(b"\0" * 100_000_000)
    response = answer(bomb, headers=b"Content-Encoding: gzip\r\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(always(response)) as server, pytest.raises(FetchError, match="more than"):
        client(server).request("GET", url(server), max_bytes=1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_gzip_that_is_none_is_an_error() -> None:
    response = answer(b"plain", headers=b"Content-Encoding: gzip\r\n")
    with serving(always(response)) as server, pytest.raises(FetchError, match="decompressed"):
        client(server).request("GET", url(server))


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_slow_drip_ends_when_the_total_time_is_up(where: str) -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n"
        if where == "body":
            connection.sendall(head)
        for byte in head if where == "head" else b"x" * 10000:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with serving(drip) as server:
        before = time.monotonic()
        with pytest.raises(FetchError, match="in time") as caught:
            client(server, read_timeout=5, total_timeout=0.3).request("POST", url(server))
        assert time.monotonic() - before < 60
    assert caught.value.sent


def test_a_server_that_never_answers_is_given_up_on() -> None:
    done = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_request(connection)
        done.wait(5)

    with serving(silent) as server:
        with pytest.raises(FetchError, match="in time") as caught:
            client(server, read_timeout=0.1).request("POST", url(server))
        done.set()
    assert caught.value.sent


# ---- what may have been sent


def test_a_refused_connection_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    guard.allow([f"127.0.0.1:{port}"])
    with pytest.raises(FetchError, match="cannot be reached") as caught:
        Client(frozenset()).request("POST", f"http://127.0.0.1:{port}/")
    assert not caught.value.sent


def test_a_connection_reset_after_the_request_may_have_had_its_effect() -> None:
    def reset(connection: socket.socket) -> None:
        read_request(connection)

    with serving(reset) as server, pytest.raises(FetchError, match="broke off") as caught:
        client(server).request("POST", url(server))
    assert caught.value.sent


def test_half_an_answer_is_no_answer() -> None:
    def half(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    with serving(half) as server, pytest.raises(FetchError) as caught:
        client(server).request("POST", url(server))
    assert caught.value.sent


def test_a_header_that_cannot_be_sent_is_refused_without_quoting_it() -> None:
    with serving(always(answer(b""))) as server:
        with pytest.raises(FetchError) as caught:
            client(server).request("GET", url(server), headers={"Authorization": "Bearer s3cret\nX: 1"})
        assert server.accepted == 0
    assert "s3cret" not in str(caught.value)
    assert not caught.value.sent


# ---- connections


def test_gets_share_a_connection_and_posts_take_a_new_one() -> None:
    with serving(always(answer(b"ok"))) as server:
        one = client(server)
        for _ in range(3):
            one.request("GET", url(server))
        assert server.accepted == 1
        for _ in range(3):
            one.request("POST", url(server))
        assert server.accepted == 4
        one.request("GET", url(server))
        assert server.accepted == 4


def _closes_after_first(posts: list[bytes]) -> Any:
    def handler(connection: socket.socket) -> None:
        request = read_request(connection)
        posts.append(request)
        connection.sendall(answer(b"ok"))
        second = read_request(connection)
        if second:
            posts.append(second)

    return handler


def test_a_get_on_a_connection_the_server_just_closed_is_repeated_on_a_new_one() -> None:
    seen: list[bytes] = []
    with serving(_closes_after_first(seen)) as server:
        one = client(server)
        assert one.request("GET", url(server, "/1")).body == b"ok"
        assert one.request("GET", url(server, "/2")).body == b"ok"
    assert [request.split()[1] for request in seen] == [b"/1", b"/2", b"/2"]


def test_a_post_after_an_idle_connection_arrives_once() -> None:
    seen: list[bytes] = []
    with serving(_closes_after_first(seen)) as server:
        one = client(server)
        assert one.request("GET", url(server, "/1")).body == b"ok"
        assert one.request("POST", url(server, "/2")).body == b"ok"
    assert [request.split()[1] for request in seen] == [b"/1", b"/2"]


def test_a_post_that_only_reads_uses_the_kept_connection_and_is_repeated() -> None:
    seen: list[bytes] = []
    with serving(_closes_after_first(seen)) as server:
        one = client(server)
        assert one.request("GET", url(server, "/1")).body == b"ok"
        answer = one.request("POST", url(server, "/2"), form={"a": "b"}, repeatable=True)
        assert answer.body == b"ok"
    assert [request.split()[1] for request in seen] == [b"/1", b"/2", b"/2"]
    assert seen[1] == seen[2]


def test_a_body_that_is_read_while_it_is_sent_is_not_repeated() -> None:
    with serving(always(answer(b"ok"))) as server:
        form = Multipart({}, "a", "a.txt", "text/plain", 1, lambda: BytesIO(b"a"))
        with pytest.raises(ValueError, match="repeated"):
            client(server).request("POST", url(server), multipart=form, repeatable=True)


def test_a_client_may_be_shared_between_threads() -> None:
    with serving(always(answer(b"ok"))) as server:
        one = client(server)
        bodies: list[bytes] = []

        def work() -> None:
            bodies.extend(one.request("GET", url(server)).body for _ in range(5))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert bodies == [b"ok"] * 40
        assert server.accepted == 8


# ---- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for api.example.test, signed by itself, with its key in the same file."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "api.example.test")


@pytest.fixture
def secure_names(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Lead every name to this machine, and collect the names TLS was asked for."""
    real = socket.getaddrinfo
    monkeypatch.setattr(guard, "getaddrinfo", lambda host, port, **kw: real("127.0.0.1", port, **kw))
    return []


def _server_context(authority: Path, asked: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    return context


@pytest.fixture
def trusting(authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    context.sslsocket_class = transport.TimedTLSSocket
    monkeypatch.setattr(transport, "tls_context", lambda: context)


@pytest.mark.usefixtures("trusting")
def test_tls_is_asked_for_the_name_while_the_socket_goes_to_the_vetted_address(
    authority: Path, secure_names: list[str | None]
) -> None:
    seen: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        while request := read_request(connection):
            seen.append(request)
            connection.sendall(answer(b"secure"))

    with serving(handler, _server_context(authority, secure_names)) as server:
        guard.allow([f"api.example.test:{server.port}"])
        one = Client(frozenset())
        for _ in range(2):
            assert one.request("GET", f"https://api.example.test:{server.port}/").body == b"secure"
        assert server.accepted == 1
    assert secure_names == ["api.example.test"]
    assert f"Host: api.example.test:{server.port}".encode() in seen[0]


@pytest.mark.usefixtures("trusting")
def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
    authority: Path, secure_names: list[str | None]
) -> None:
    with serving(always(answer(b"")), _server_context(authority, secure_names)) as server:
        guard.allow([f"other.example.test:{server.port}"])
        with pytest.raises(FetchError, match="certificate") as caught:
            Client(frozenset()).request("POST", f"https://other.example.test:{server.port}/")
    assert not caught.value.sent


def test_a_certificate_nobody_vouches_for_is_refused(authority: Path, secure_names: list[str | None]) -> None:
    with serving(always(answer(b"")), _server_context(authority, secure_names)) as server:
        guard.allow([f"api.example.test:{server.port}"])
        with pytest.raises(FetchError, match="certificate") as caught:
            Client(frozenset()).request("POST", f"https://api.example.test:{server.port}/")
    assert not caught.value.sent


@pytest.mark.usefixtures("trusting")
def test_a_slow_drip_over_tls_ends_too(authority: Path, secure_names: list[str | None]) -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
        for _ in range(10000):
            connection.sendall(b"x")
            time.sleep(0.02)

    with serving(drip, _server_context(authority, secure_names)) as server:
        guard.allow([f"api.example.test:{server.port}"])
        before = time.monotonic()
        with pytest.raises(FetchError, match="in time"):
            Client(frozenset(), total_timeout=0.4).request("GET", f"https://api.example.test:{server.port}/")
        assert time.monotonic() - before < 60


def test_a_handshake_that_never_ends_sent_nothing() -> None:
    done = threading.Event()

    def silent(connection: socket.socket) -> None:
        done.wait(5)

    with serving(silent) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        with pytest.raises(FetchError) as caught:
            Client(frozenset(), connect_timeout=0.2).request("POST", f"https://127.0.0.1:{server.port}/")
        done.set()
    assert not caught.value.sent


def test_urls_with_credentials_never_reach_an_error() -> None:
    secret = uuid.uuid4().hex
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    guard.allow([f"127.0.0.1:{port}"])
    with pytest.raises(FetchError) as caught:
        Client(frozenset()).request("GET", f"http://127.0.0.1:{port}/?access_token={secret}")
    assert secret not in "".join(traceback.format_exception(caught.value))


# An answer that is read bit by bit


def read_out(answer: OpenResponse) -> None:
    while answer.read():
        pass


def test_an_answer_is_read_while_it_comes() -> None:
    go = threading.Event()

    def handler(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 206 Partial Content\r\ncontent-length: 10\r\nX-A: 1\r\n\r\nfirst")
        go.wait(10)
        connection.sendall(b"later")

    with serving(handler) as server:
        with client(server).open(url(server), headers={"Range": "bytes=0-9"}) as answer:
            assert (answer.status, answer.headers["x-a"]) == (206, "1")
            assert answer.read(5) == b"first"
            go.set()
            assert answer.read(100) + answer.read(100) == b"later"
            assert answer.read() == b""


def test_a_body_larger_than_allowed_ends_there() -> None:
    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(endless) as server, client(server).open(url(server), max_bytes=1_000_000) as answer:
        with pytest.raises(TooMuchError):
            read_out(answer)
    with serving(always(respond(b"x" * 2000))) as server, pytest.raises(TooMuchError):
        client(server).open(url(server), max_bytes=1000)


def test_one_that_drips_or_breaks_off_is_told_from_one_that_ends() -> None:
    def drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.02)

    def broken(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")

    for handler, words, seconds in ((drip, "in time", 1.5), (broken, "broke off", 60)):
        with serving(handler) as server:
            with client(server).open(url(server), total_timeout=seconds) as answer:
                with pytest.raises(FetchError, match=words):
                    read_out(answer)


def test_another_request_of_the_thread_does_not_disturb_it() -> None:
    with serving(always(respond(b"x" * 200_000))) as one, serving(always(respond(b"{}"))) as other:
        asking = client(one, other)
        with asking.open(url(one)) as answer:
            size = len(answer.read(1000))
            assert asking.request("GET", url(other), total_timeout=1.5).status == 200
            time.sleep(1.6)
            while chunk := answer.read():
                size += len(chunk)
    assert size == 200_000


def test_what_is_opened_is_vetted_like_any_other() -> None:
    with serving(always(respond(b""))) as server:
        asking = client(server)
        assert asking.allows(url(server))
        moved = b"location: http://127.0.0.1:1/\r\n"
        with serving(always(respond(b"", status="302 Found", headers=moved))) as away:
            guard.allow([f"127.0.0.1:{away.port}"])
            with pytest.raises(ForbiddenAddressError):
                asking.open(url(away), follow=3)
    for wrong in (
        "http://example.com/",
        "https://example.com:8443/",
        "https://a@example.com/",
        "file:///x",
        "x",
    ):
        assert not Client(frozenset({"example.com"})).allows(wrong)
        with pytest.raises(ForbiddenAddressError):
            Client(frozenset({"example.com"})).open(wrong)
    assert Client(frozenset({"*.example.com"})).allows("https://cdn.example.com/x")
    assert not Client(frozenset({"*.example.com"})).allows("https://example.com/x")


# ---- what is done right before a request leaves


def test_something_can_be_done_when_connected_and_nothing_is_sent() -> None:
    told: list[tuple[int, bool]] = []
    came: list[bytes] = []

    def handler(connection: socket.socket) -> None:
        while request := read_request(connection):
            came.append(request)
            connection.sendall(answer(b"well"))

    with serving(handler) as server:
        asking = client(server)

        def note() -> None:
            told.append((len(came), transport.attempt.sent))

        with transport.before_first_byte(note):
            asking.request("POST", url(server), json={"one": 1})
            asking.request("POST", url(server), json={"two": 2})
        asking.request("POST", url(server), json={"three": 3})
    assert told == [(0, False), (1, False)]
