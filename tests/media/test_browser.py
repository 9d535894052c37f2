"""Files in a real browser: they come while somebody looks, play, and become placeholders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.media import fetching
from host.models.inbox import Attachment
from host.sdk.messages import InboundAttachment, MessageKind
from host.web.request_helpers import Role
from tests import helpers
from tests.accessibility import violations
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.live.served import serve
from tests.media import samples
from tests.media.provider import Linking, Provider, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ADAPTER = Linking()
CLIP = Path(__file__).parents[2] / "sandbox" / "static" / "clip.mp4"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as found:
        yield found


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path) -> Desk:
    return open_desk(data, ADAPTER)


@pytest.fixture
def page(chromium: Any, desk: Desk) -> Iterator[Any]:
    with serve(desk) as port:
        context = chromium.new_context(
            base_url=f"http://127.0.0.1:{port}", viewport={"width": 1440, "height": 900}
        )
        page = context.new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on(
            "console",
            lambda message: (
                page.troubles.append(message.text) if "Content Security" in message.text else None
            ),
        )
        sign_in(page, desk.browser)
        yield page
        context.close()
        assert page.troubles == []


def sign_in(page: Any, browser: helpers.Browser) -> None:
    cookie = browser.get_cookie("lobby")
    assert cookie is not None
    page.context.add_cookies([{"name": "lobby", "value": cookie.value, "domain": "127.0.0.1", "path": "/"}])


def came(desk: Desk, kind: MessageKind, *urls: str, text: str = "") -> None:
    files = tuple(InboundAttachment(kind, url) for url in urls)
    change = toys.received(text, kind=kind, attachments=files, contact_name="Ana Q.")
    toys.apply(desk.account, change, adapter=ADAPTER)


def conversation(desk: Desk) -> str:
    return desk.path(f"/{toys.thread()[0].conversation_id}")


def holds(page: Any, expression: str) -> None:
    """Wait until *expression* is true; the page's policy allows Playwright's own way no evaluation."""
    for _ in range(500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never true: {expression}")


def loaded(page: Any, selector: str) -> None:
    holds(page, f"document.querySelector({selector!r})?.naturalWidth > 0")


def test_a_picture_is_seen_at_once_and_stays_when_it_is_ours(
    page: Any, desk: Desk, provider: Provider
) -> None:
    toys.apply(desk.account, toys.received("Hello", contact_name="Ana Q."), adapter=ADAPTER)
    page.goto(conversation(desk))
    came(desk, MessageKind.IMAGE, provider.put("/a", samples.picture("JPEG", size=(640, 480))))
    loaded(page, ".picture img")
    fetching.fetch_due(desk.generation.directory)
    provider.files.clear()
    page.reload()
    loaded(page, ".picture img")
    assert toys.only(Attachment).state == "stored"


def test_a_film_plays_from_parts(page: Any, desk: Desk, provider: Provider) -> None:
    came(desk, MessageKind.VIDEO, provider.put("/film", CLIP.read_bytes(), "video/mp4"))
    fetching.fetch_due(desk.generation.directory)
    page.goto(conversation(desk))
    page.evaluate("document.querySelector('video').currentTime = 2")
    holds(page, "document.querySelector('video').seekable.length > 0")
    holds(
        page,
        "(video => video.readyState >= 2 && video.currentTime >= 2)(document.querySelector('video'))",
    )


def test_a_reaction_to_a_film_lets_it_play_on(page: Any, desk: Desk, provider: Provider) -> None:
    came(desk, MessageKind.VIDEO, provider.put("/film", CLIP.read_bytes(), "video/mp4"))
    fetching.fetch_due(desk.generation.directory)
    page.goto(conversation(desk))
    page.evaluate(
        """() => {
          window.film = document.querySelector("video");
          film.muted = true;
          film.loop = true;
          film.stops = 0;
          for (const name of ["pause", "emptied", "abort"]) film.addEventListener(name, () => film.stops++);
          return film.play();
        }"""
    )
    holds(page, "film.currentTime > 0")
    (message,) = toys.thread()
    toys.apply(desk.account, toys.reacted(str(message.external_id), "❤️", at=5), adapter=ADAPTER)
    page.wait_for_selector(".msg .reaction")
    then = page.evaluate("film.currentTime")
    holds(page, f"film.currentTime !== {then}")
    assert page.evaluate("film.isConnected && film === document.querySelector('.msg video')")
    assert page.evaluate("[film.paused, film.stops]") == [False, 0]


def test_a_story_that_ends_becomes_a_placeholder_on_the_open_page(
    page: Any, desk: Desk, provider: Provider
) -> None:
    came(desk, MessageKind.STORY_MENTION, provider.put("/story", samples.picture("PNG", size=(360, 640))))
    page.goto(conversation(desk))
    loaded(page, ".story-thumb img")
    provider.files.clear()
    page.evaluate("fetch(document.querySelector('.story-thumb img').src)")
    page.wait_for_selector(".story-thumb img", state="detached")
    assert "preview has expired" in page.inner_text(".story")


@pytest.mark.parametrize(
    ("kind", "frame"), [(MessageKind.STORY_MENTION, ".story"), (MessageKind.IMAGE, ".picture")]
)
@pytest.mark.parametrize("gone", [True, False])
def test_a_preview_that_cannot_be_had_says_why(
    page: Any, desk: Desk, provider: Provider, kind: MessageKind, frame: str, gone: bool
) -> None:
    away = provider.put("/away", content_type="text/plain", status=500)
    came(desk, kind, away)
    attachment = toys.only(Attachment).id
    toys.change_row(Attachment, attachment, state="linked", due_at=None)
    page.goto(conversation(desk))
    page.wait_for_selector(f"{frame} .gone, {frame}.gone")
    assert "Not available right now" in page.inner_text(frame)
    if gone:
        provider.files.clear()
        said = "preview has expired" if kind is MessageKind.STORY_MENTION else "No longer available"
    else:
        toys.change_row(Attachment, attachment, url="https://elsewhere.example/picture")
        said = "Not loaded by Lobby"
    page.reload()
    page.wait_for_selector(f"{frame} .gone, {frame}.gone")
    holds(page, f"document.querySelector({frame!r})?.innerText.includes({said!r})")


def test_a_story_that_is_a_film_is_shown_as_one(page: Any, desk: Desk, provider: Provider) -> None:
    came(desk, MessageKind.STORY_MENTION, provider.put("/story", CLIP.read_bytes(), "video/mp4"))
    page.goto(conversation(desk))
    holds(page, "document.querySelector('.story-thumb video')?.readyState >= 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_page_for_owners(page: Any, desk: Desk, width: int, scheme: str, tmp_path: Path) -> None:
    owner = helpers.make_user(workspace=desk.workspace, role=Role.OWNER)
    sign_in(page, helpers.client_for(desk.app, owner))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/w/{desk.workspace}/settings/channels/accounts/{desk.account.id}/files")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations(page)] == []
    page.fill("#days", "no")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("#days-error")
    page.wait_for_selector("#days:focus")
    page.screenshot(path=str(tmp_path / "page.png"))
    page.fill("#days", "7")
    page.keyboard.press("Enter")
    page.get_by_text("Saved.").wait_for()
    assert page.input_value("#days") == "7"
