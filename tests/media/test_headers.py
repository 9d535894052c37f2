"""Headers an addon gives with the address of a file: sent to declared hosts only, and to nobody else.

Every provider here is a server on a socket of its own, because the servers are what must not get them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from host.core import db, guard
from host.delivery import profiles
from host.media import fetching, person_pictures
from host.models.inbox import Attachment, AttachmentState, ContactIdentity
from host.sdk.capabilities import InboundMedia
from host.sdk.channel import AccountRef, Located, Profile
from host.sdk.errors import FetchError, FileEndedError
from host.sdk.http import Client
from host.sdk.messages import InboundAttachment, MessageKind
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.media import samples
from tests.media.provider import STORED, Linking, Provider, serving

TOKEN = "Bearer 3f9-not-for-anybody-else"
NAMED = "https://127.0.0.1/id/7"
"""The address that ``parse`` makes up, on the declared host."""


class Keyed(Linking):
    """A toy whose provider wants a token with each file and each picture."""

    media: ClassVar[InboundMedia] = InboundMedia(frozenset({"127.0.0.1"}), STORED)

    def __init__(self) -> None:
        self.url = ""
        self.headers: Mapping[str, Any] = {"Authorization": TOKEN}
        self.error: Exception | None = None
        self.located: list[str] = []

    def locate(self, account: AccountRef, url: str) -> Located:
        self.located.append(url)
        if self.error is not None:
            raise self.error
        return Located(self.url, "a.jpg", self.headers)

    locate_picture = locate

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile:
        return Profile(name="Ana Q.", picture_url=NAMED)


@pytest.fixture
def adapter() -> Keyed:
    return Keyed()


@pytest.fixture
def provider(adapter: Keyed) -> Iterator[Provider]:
    person_pictures.forget_pictures()
    with serving() as found:
        adapter.url = found.put("/a", samples.picture("JPEG"))
        yield found


@pytest.fixture
def elsewhere(provider: Provider) -> Iterator[Provider]:
    """Another provider; the operator allows both, as ``localhost`` and ``127.0.0.1``."""
    with serving() as found:
        ports = [urlsplit(one.url).port for one in (provider, found)]
        guard.allow([f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in ports])
        found.put("/a", samples.picture("JPEG"))
        yield found


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path, adapter: Keyed) -> Desk:
    return open_desk(data, adapter)


def sent(provider: Provider) -> list[str | None]:
    """Return the token of each request *provider* got."""
    return [headers.get("Authorization") for _path, headers in provider.asked]


def fetched(desk: Desk, adapter: Keyed) -> str:
    """Let a file come that may be stored, and fetch it; return what became of it."""
    file = InboundAttachment(MessageKind.IMAGE, NAMED)
    toys.apply(desk.account, toys.received("", kind=MessageKind.IMAGE, attachments=(file,)), adapter=adapter)
    fetching.fetch_due(desk.generation.directory)
    return str(toys.only(Attachment).state)


def viewed(desk: Desk, adapter: Keyed) -> Any:
    """Let a file come that may not be stored; return what a browser gets."""
    file = InboundAttachment(MessageKind.SHARE, NAMED)
    toys.apply(desk.account, toys.received("", kind=MessageKind.SHARE, attachments=(file,)), adapter=adapter)
    return desk.browser.get(f"/w/{desk.workspace}/media/{toys.only(Attachment).id}")


def pictured(desk: Desk, adapter: Keyed) -> Any:
    """Let somebody write who has a picture; return what a browser gets."""
    toys.apply(desk.account, toys.received(), adapter=adapter)
    profiles.fetch_due(desk.generation.directory)
    return desk.browser.get(f"/w/{desk.workspace}/media/people/{toys.only(ContactIdentity).id}")


def assert_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Assert that the token is in no record of the log, nor in a traceback, nor in the database."""
    formatter = logging.Formatter()
    for record in caplog.records:
        assert TOKEN not in formatter.format(record)
        assert TOKEN not in repr(vars(record))
    with db.read() as session:
        for table in sa.inspect(session.connection()).get_table_names():
            rows = session.execute(sa.text(f"SELECT * FROM {table}")).all()
            assert TOKEN not in repr(rows), table


def test_a_declared_host_gets_them(
    desk: Desk,
    provider: Provider,
    adapter: Keyed,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    assert fetched(desk, adapter) == AttachmentState.STORED
    assert sent(provider) == [TOKEN]
    assert toys.only(Attachment).url == NAMED
    assert adapter.located == [NAMED]
    assert_nowhere(caplog)


def test_the_browser_gets_a_file_without_them(desk: Desk, provider: Provider, adapter: Keyed) -> None:
    answer = viewed(desk, adapter)
    assert (answer.status_code, answer.data) == (200, samples.picture("JPEG"))
    assert TOKEN not in f"{answer.headers}{desk.browser.get(desk.path()).text}"
    assert sent(provider) == [TOKEN]


def test_a_part_of_a_file_is_asked_for_with_them(desk: Desk, provider: Provider, adapter: Keyed) -> None:
    adapter.headers = {"Authorization": TOKEN, "range": "bytes=5-6"}
    path = viewed(desk, adapter).request.path
    answer = desk.browser.get(path, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (206, samples.picture("JPEG")[:4])
    assert sent(provider) == [TOKEN, TOKEN]


def test_pictures_of_people_are_asked_for_with_them(
    desk: Desk,
    provider: Provider,
    adapter: Keyed,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = pictured(desk, adapter)
    assert (answer.status_code, answer.data) == (200, samples.picture("JPEG"))
    assert desk.browser.get(answer.request.path).status_code == 200
    assert sent(provider) == [TOKEN]
    assert adapter.located == [NAMED], "the second time it was remembered"
    assert TOKEN not in f"{answer.headers}"
    assert_nowhere(caplog)


def test_a_picture_is_not_shown_to_another_account_that_names_it_alike(
    desk: Desk, provider: Provider, adapter: Keyed
) -> None:
    assert pictured(desk, adapter).status_code == 200
    account = toys.make_account(desk.workspace, external_id="another")
    toys.apply(account, toys.received("Hi", contact="bo"), adapter=adapter)
    profiles.fetch_due(desk.generation.directory)
    theirs = next(one for one in toys.everything(ContactIdentity) if one.external_id == "bo")
    adapter.error = FileEndedError("not theirs")
    assert desk.browser.get(f"/w/{desk.workspace}/media/people/{theirs.id}").status_code == 410


@pytest.mark.parametrize(
    ("error", "status"), [(FileEndedError("gone"), 410), (FetchError("silent"), 502), (KeyError("bug"), 502)]
)
def test_a_picture_the_addon_cannot_locate_is_none(
    desk: Desk, provider: Provider, adapter: Keyed, error: Exception, status: int
) -> None:
    adapter.error = error
    answer = pictured(desk, adapter)
    assert answer.status_code == status
    desk.browser.get(answer.request.path)
    assert len(adapter.located) == 1, "a failure is remembered for a minute, an end for good"
    assert provider.asked == []


@pytest.mark.parametrize("ask", [fetched, viewed, pictured])
def test_another_host_does_not_get_them_by_a_redirect(
    desk: Desk, provider: Provider, elsewhere: Provider, adapter: Keyed, ask: Any
) -> None:
    provider.put("/a", status=302, headers={"Location": f"{elsewhere.url}/a"})
    outcome = ask(desk, adapter)
    assert outcome == AttachmentState.STORED or outcome.status_code == 200
    assert sent(provider) == [TOKEN]
    assert sent(elsewhere) == [None]


def test_the_same_host_gets_them_again_after_a_redirect(
    desk: Desk, provider: Provider, adapter: Keyed
) -> None:
    provider.put("/b", samples.picture("JPEG"))
    provider.put("/a", status=302, headers={"Location": "/b"})
    assert fetched(desk, adapter) == AttachmentState.STORED
    assert sent(provider) == [TOKEN, TOKEN]


def test_the_way_back_from_another_host_is_without_them(
    desk: Desk, provider: Provider, elsewhere: Provider, adapter: Keyed
) -> None:
    provider.put("/a", status=302, headers={"Location": f"{elsewhere.url}/b"})
    elsewhere.put("/b", status=302, headers={"Location": f"{provider.url}/c"})
    provider.put("/c", samples.picture("JPEG"))
    assert fetched(desk, adapter) == AttachmentState.STORED
    assert (sent(provider), sent(elsewhere)) == ([TOKEN, None], [None])


@pytest.mark.parametrize("ask", [fetched, viewed, pictured])
@pytest.mark.parametrize("allowed", [True, False], ids=["allowed by the operator", "elsewhere"])
def test_a_host_the_addon_does_not_declare_is_not_asked(
    desk: Desk,
    provider: Provider,
    elsewhere: Provider,
    adapter: Keyed,
    caplog: pytest.LogCaptureFixture,
    ask: Any,
    allowed: bool,
) -> None:
    host = "localhost" if allowed else "files.example.org"
    port = urlsplit(elsewhere.url).port
    adapter.url = f"http://{host}:{port}/a" if allowed else f"https://{host}/a"
    outcome = ask(desk, adapter)
    assert outcome == AttachmentState.OUTSIDE or outcome.status_code == 404
    assert elsewhere.asked == provider.asked == []
    assert (
        f"the addon gave headers for {host}, which is not among the hosts of inbound_media()" in caplog.text
    )
    assert_nowhere(caplog)
    assert Client(adapter.media.hosts).allows(adapter.url) is allowed, "without headers"


@pytest.mark.parametrize("ask", [fetched, viewed, pictured])
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"{TOKEN}\r\nHost: evil.example"},
        {f"Authorization: {TOKEN}\r\nX": "1"},
        {"Authorization": f"{TOKEN}€"},
        {"Authorization": TOKEN.encode()},
        {"Authorization": ""},
        {7: TOKEN},
    ],
    ids=["line break", "no mapping", "no ASCII", "bytes", "empty", "a number"],
)
def test_a_header_that_cannot_be_sent_is_not_quoted(
    desk: Desk,
    provider: Provider,
    adapter: Keyed,
    caplog: pytest.LogCaptureFixture,
    ask: Any,
    headers: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    adapter.headers = headers
    outcome = ask(desk, adapter)
    assert outcome == AttachmentState.WAITING or outcome.status_code == 502
    assert provider.asked == []
    assert "the addon gave a header that cannot be sent" in caplog.text
    assert_nowhere(caplog)


def test_a_located_file_does_not_show_its_headers() -> None:
    located = Located("https://files.example.com/a", headers={"Authorization": TOKEN})
    assert TOKEN not in f"{located}{located!r}"
    assert hash(located) == hash(Located("https://files.example.com/a"))


def test_only_the_clients_own_hosts_are_listed(provider: Provider) -> None:
    client = Client(frozenset({"files.example.com", "*.example.net"}))
    listed = ["https://files.example.com/a", "http://files.example.com:81/a", "https://a.example.net/"]
    others = [provider.url, "https://example.net/", "https://example.com/", "https://[::1", "", "/a"]
    assert [client.lists(url) for url in listed + others] == [True] * 3 + [False] * 6
    assert client.allows(provider.url)
