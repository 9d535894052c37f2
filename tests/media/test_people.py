"""Pictures of people: by way of us, remembered for minutes, letters where there is none."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core import clock, db
from host.delivery import profiles
from host.media import person_pictures
from host.models.inbox import ContactIdentity
from host.models.posts import Post
from host.queue import policy
from host.sdk.channel import AccountRef, Profile
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.media import samples
from tests.media.provider import Linking, Provider, serving
from tests.media.test_uploads import files
from tests.media.test_viewing import bomb


class Knowing(Linking):
    """A toy that knows who its customers are."""

    def __init__(self) -> None:
        self.picture_url: str | None = None
        self.asked = 0

    def fetch_profile(self, account: AccountRef, contact: str) -> Profile:
        self.asked += 1
        return Profile(name="Ana Q.", picture_url=self.picture_url)


ADAPTER = Knowing()


@pytest.fixture
def provider() -> Iterator[Provider]:
    person_pictures.forget_pictures()
    ADAPTER.picture_url = None
    with serving() as found:
        yield found


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path) -> Desk:
    return open_desk(data, ADAPTER)


def wrote(desk: Desk, *, at: float = 0) -> None:
    toys.apply(desk.account, toys.received(at=at), adapter=ADAPTER)


def known(desk: Desk, url: str | None) -> str:
    """Let somebody write whose profile is known; return the address of their picture."""
    ADAPTER.picture_url = url
    wrote(desk)
    profiles.fetch_due(desk.generation.directory)
    return f"/w/{desk.workspace}/media/people/{identity().id}"


def identity() -> Any:
    return toys.only(ContactIdentity)


def test_it_is_passed_through_and_remembered_in_memory(desk: Desk, provider: Provider, store: Path) -> None:
    body = samples.picture("JPEG")
    path = known(desk, provider.put("/me", body))
    for _ in range(3):
        response = desk.browser.get(path)
        assert (response.status_code, response.data) == (200, body)
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["Cache-Control"] == "private, max-age=600"
        assert "sandbox" in response.headers["Content-Security-Policy"]
    assert len(provider.asked) == 1
    assert files(store) == []
    with clock.travel(timedelta(minutes=11)):
        desk.browser.get(path)
    assert len(provider.asked) == 2


def test_one_of_sixty_thousand_by_sixty_thousand_is_no_picture(desk: Desk, provider: Provider) -> None:
    path = known(desk, provider.put("/me", bomb("PNG")))
    assert desk.browser.get(path).status_code == 404


def test_pages_show_it_over_the_letters_and_never_name_the_provider(desk: Desk, provider: Provider) -> None:
    path = known(desk, provider.put("/me", samples.picture("JPEG")))
    page = desk.browser.get(desk.path(f"/{toys.thread()[0].conversation_id}")).text
    assert page.count(f'<img src="{path}?v=') >= 3
    assert provider.url not in page
    known(desk, None)
    toys.change_row(ContactIdentity, identity().id, picture_url=None)
    assert path not in desk.browser.get(desk.path()).text


def test_pages_show_letters_while_the_addon_of_the_channel_is_not_active(
    desk: Desk, provider: Provider
) -> None:
    path = known(desk, provider.put("/me", samples.picture("JPEG")))
    thread = desk.path(f"/{toys.thread()[0].conversation_id}")
    contact = f"/w/{desk.workspace}/contacts/{identity().contact_id}"
    for page in (desk.path(), thread, contact):
        assert path in desk.browser.get(page).text, page
    desk.generation.directory = Directory()
    for page in (desk.path(), thread, contact):
        shown = desk.browser.get(page)
        assert (shown.status_code, path in shown.text) == (200, False), page


def test_one_that_has_ended_is_letters_again_and_asked_for_anew(desk: Desk, provider: Provider) -> None:
    path = known(desk, provider.put("/me", status=403))
    assert identity().profile_due_at is None
    assert desk.browser.get(path).status_code == 410
    found = identity()
    assert found.picture_url is None
    assert found.profile_due_at - found.profile_at == policy.PICTURE_FRESH
    assert desk.browser.get(path).status_code == 404
    assert len(provider.asked) == 1
    ADAPTER.picture_url = provider.put("/new", samples.picture("PNG"))
    with clock.travel(timedelta(hours=25)):
        profiles.fetch_due(desk.generation.directory)
    assert desk.browser.get(path).status_code == 200


def test_a_profile_is_asked_for_again_when_somebody_writes_after_a_week(
    desk: Desk, provider: Provider
) -> None:
    known(desk, provider.put("/me", samples.picture("JPEG")))
    before = ADAPTER.asked
    wrote(desk, at=10)
    assert profiles.fetch_due(desk.generation.directory) == 0
    with clock.travel(timedelta(days=8)):
        assert profiles.fetch_due(desk.generation.directory) == 0, "nobody wrote"
        wrote(desk, at=20)
        assert profiles.fetch_due(desk.generation.directory) == 1
        wrote(desk, at=30)
        assert profiles.fetch_due(desk.generation.directory) == 0
    assert ADAPTER.asked == before + 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (samples.HTML, 404),
        (samples.SVG, 404),
        (b"", 404),
        (samples.picture("JPEG") + b"\0" * person_pictures.MOST_BYTES, 502),
    ],
)
def test_anything_but_a_small_picture_is_none(
    desk: Desk, provider: Provider, body: bytes, status: int
) -> None:
    assert desk.browser.get(known(desk, provider.put("/me", body))).status_code == status


def test_nothing_is_asked_of_an_address_elsewhere(desk: Desk, provider: Provider) -> None:
    for url in ("https://evil.example/me.jpg", "http://169.254.169.254/", "javascript:alert(1)", "x" * 9000):
        toys.change_row(ContactIdentity, int(known(desk, url).rpartition("/")[2]), profile_due_at=clock.now())
        profiles.fetch_due(desk.generation.directory)
        path = f"/w/{desk.workspace}/media/people/{identity().id}"
        assert desk.browser.get(path).status_code == 404
    assert provider.asked == []


def test_others_see_nobody(desk: Desk, provider: Provider) -> None:
    path = known(desk, provider.put("/me", samples.picture("JPEG")))
    other = helpers.make_workspace("Other")
    eve = helpers.client_for(desk.app, helpers.make_user(workspace=other))
    assert eve.get(path).status_code == 404
    assert eve.get(path.replace(f"/w/{desk.workspace}/", f"/w/{other}/")).status_code == 404
    assert helpers.browser(desk.app).get(path).status_code == 302
    assert provider.asked == []


def test_a_provider_that_does_not_answer_is_left_alone_for_a_minute(desk: Desk, provider: Provider) -> None:
    path = known(desk, provider.put("/me", status=500))
    assert desk.browser.get(path).status_code == 502
    provider.put("/me", samples.picture("JPEG"))
    assert desk.browser.get(path).status_code == 404
    assert len(provider.asked) == 1
    with clock.travel(timedelta(seconds=61)):
        assert desk.browser.get(path).status_code == 200


def test_not_every_thread_waits_for_pictures(
    desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = known(desk, provider.put("/me", samples.picture("JPEG")))
    monkeypatch.setattr(person_pictures, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(person_pictures, "_places", threading.BoundedSemaphore(1))
    assert person_pictures._places.acquire(blocking=False)
    assert desk.browser.get(path).status_code == 502
    person_pictures._places.release()
    assert desk.browser.get(path).status_code == 200


def test_memory_has_an_end(desk: Desk, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_pictures, "MOST", 2)
    path = known(desk, provider.put("/0", samples.picture("JPEG")))
    for number in (0, 1, 2, 3, 3, 2, 1):
        url = provider.put(f"/{number}", samples.picture("JPEG"))
        toys.change_row(ContactIdentity, identity().id, picture_url=url)
        assert desk.browser.get(path).status_code == 200
    assert [path for path, _headers in provider.asked] == ["/0", "/1", "/2", "/3", "/1"]


def a_post(desk: Desk, url: str) -> str:
    """Return the address of the picture of a post the provider told of a day ago."""

    def make(session: Session) -> int:
        row = Post(
            workspace_id=desk.workspace,
            account_id=desk.account.id,
            external_id="p1",
            kind="post",
            text="",
            url="",
            owner="",
            picture_url=url,
            fetched_at=clock.now() - timedelta(days=1),
            failures=0,
            created_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id

    return f"/w/{desk.workspace}/media/posts/{db.write(make)}"


def test_of_a_post_a_small_square_is_passed_on(desk: Desk, provider: Provider, store: Path) -> None:
    path = a_post(desk, provider.put("/post", samples.picture("JPEG", size=(1200, 900))))
    for _ in range(2):
        response = desk.browser.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "image/webp")
        assert "sandbox" in response.headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(response.data)).size == (160, 160)
    assert len(provider.asked) == 1
    assert files(store) == []


def test_a_posts_picture_that_ended_is_asked_for_anew(desk: Desk, provider: Provider) -> None:
    path = a_post(desk, provider.put("/post", status=403))
    assert desk.browser.get(path).status_code == 410
    row = toys.only(Post)
    assert row.picture_url is None
    assert row.due_at is not None
    assert desk.browser.get(path).status_code == 404


@pytest.mark.parametrize(
    "body", [samples.HTML, samples.SVG, b"", bomb("PNG"), b"\xff\xd8\xff\xe0 no picture"]
)
def test_of_anything_else_there_is_no_square(desk: Desk, provider: Provider, body: bytes) -> None:
    assert desk.browser.get(a_post(desk, provider.put("/post", body))).status_code == 404
