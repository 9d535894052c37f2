"""Files and pictures of people, fetched from the stand-in for Meta over real sockets."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db, guard, storage
from host.delivery import profiles
from host.inbox.apply.changes import Incoming, apply_changes
from host.media import expiry, fetching, inbound, person_pictures
from host.models.inbox import Attachment, AttachmentState, ContactIdentity
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageKind
from tests import helpers
from tests.instagram import world
from tests.instagram.world import Addon, Meta
from tests.media.test_sniff import findable


@pytest.fixture
def adapter(ig: Addon, meta: Meta, tmp_path: Path) -> Any:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    inbound.client_for.cache_clear()
    person_pictures.forget_pictures()
    return ig.channel.InstagramAdapter()


@pytest.fixture
def browser(adapter: Any, account: AccountRef, data: Path) -> helpers.Browser:
    """Somebody of the account's workspace, signed in."""
    generation = helpers.StandInGeneration(directory=Directory((adapter,)))
    app = helpers.build_app(data, generation=generation)
    return helpers.client_for(app, helpers.make_user(workspace=account.workspace_id))


def came(adapter: Any, account: AccountRef, **body: Any) -> list[Attachment]:
    """Let a message come in; return its files."""
    now = clock.now()
    event = world.message(**{"text": None, **body}, mid=f"mid-{now.timestamp()}")
    event["message"] = {name: value for name, value in event["message"].items() if value is not None}
    (change,) = adapter.parse(world.envelope(event, at=now))
    db.write(apply_changes, [Incoming(account, adapter, change, now, "k")])
    return attachments()


def attachments() -> list[Attachment]:
    with db.read() as session:
        return list(session.scalars(sa.select(Attachment).order_by(Attachment.id)))


def linked(meta: Meta, kind: str, sent_as: str = "") -> dict[str, Any]:
    url = meta.box.media.url(meta.box.media.make(kind))
    return {"type": sent_as or kind, "payload": {"url": url}}


def fetch(adapter: Any) -> list[Attachment]:
    while fetching.fetch_due(Directory((adapter,))):
        pass
    return attachments()


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("image", "image/png"),
        ("gif", "image/gif"),
        ("sticker", "image/png"),
        ("video", "video/mp4"),
        ("audio", "audio/wav"),
        ("file", "application/pdf"),
    ],
)
def test_what_is_sent_directly_is_fetched_and_kept_for_a_month(
    adapter: Any, account: AccountRef, meta: Meta, kind: str, content_type: str
) -> None:
    sent_as = "image" if kind == "gif" else kind
    (waiting,) = came(adapter, account, attachments=[linked(meta, kind, sent_as)])
    assert waiting.state == AttachmentState.WAITING
    (found,) = fetch(adapter)
    assert (found.state, found.content_type) == (AttachmentState.STORED, content_type)
    assert found.due_at is not None
    assert timedelta(days=29) < found.due_at - clock.now() < timedelta(days=31)
    with clock.travel(timedelta(days=31)):
        expiry.purge_due()
    assert attachments()[0].state == AttachmentState.LINKED


@pytest.mark.parametrize("sent_as", ["story_mention", "ig_post", "ig_reel", "reel", "share", "ig_story"])
def test_stories_and_what_is_shared_is_passed_through(
    adapter: Any, account: AccountRef, meta: Meta, browser: helpers.Browser, tmp_path: Path, sent_as: str
) -> None:
    (found,) = came(adapter, account, attachments=[linked(meta, "story", sent_as)])
    assert found.state == AttachmentState.LINKED
    response = browser.get(f"/w/{account.workspace_id}/media/{found.id}")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/png")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert not any(path.is_file() for path in (tmp_path / "attachments").rglob("*"))


def test_a_story_reply_shows_its_story_until_meta_ends_it(
    adapter: Any, account: AccountRef, meta: Meta, browser: helpers.Browser
) -> None:
    url = linked(meta, "story")["payload"]["url"]
    (found,) = came(adapter, account, text="love this", reply_to={"story": {"id": "18", "url": url}})
    assert (found.kind, found.state) == (MessageKind.STORY_REPLY, AttachmentState.LINKED)
    path = f"/w/{account.workspace_id}/media/{found.id}"
    assert browser.get(path).status_code == 200
    meta.box.media.stories_expired = True
    assert browser.get(path).status_code == 410
    assert attachments()[0].state == AttachmentState.EXPIRED


def test_a_picture_meta_no_longer_has_costs_the_picture(
    adapter: Any, account: AccountRef, meta: Meta
) -> None:
    sent = [linked(meta, "image"), linked(meta, "image")]
    sent[0]["payload"]["url"] += "x"
    came(adapter, account, attachments=sent)
    assert [one.state for one in fetch(adapter)] == [AttachmentState.EXPIRED, AttachmentState.STORED]


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=x", True),
        ("https://scontent-fra3-1.xx.fbcdn.net/v/t1.15752-9/1_n.jpg?oh=x", True),
        ("https://scontent.cdninstagram.com/v/t51.2885-19/1_n.jpg", True),
        ("https://graph.facebook.com/v26.0/1/picture", True),
        ("https://www.instagram.com/reel/abc/", False),
        ("https://fbcdn.net/x", False),
        ("https://evil-fbcdn.net/x", False),
        ("https://lookaside.fbsbx.com.evil.example/x", False),
        ("http://lookaside.fbsbx.com/x", False),
    ],
)
def test_only_metas_hosts_are_asked(
    adapter: Any, account: AccountRef, ig: Addon, url: str, asked: bool
) -> None:
    guard.allow(())
    from host.sdk import settings

    settings.provide("instagram", ig.defaults)
    attachment = {"type": "image", "payload": {"url": url}}
    (found,) = came(adapter, account, attachments=[attachment])
    assert found.state == (AttachmentState.WAITING if asked else AttachmentState.OUTSIDE)


def test_a_customers_picture_is_shown_by_way_of_us(
    adapter: Any, account: AccountRef, meta: Meta, browser: helpers.Browser
) -> None:
    meta.wrote()
    came(adapter, account, text="Hi")
    profiles.fetch_due(Directory((adapter,)))
    with db.read() as session:
        identity = session.scalars(sa.select(ContactIdentity)).one()
    assert identity.picture_url is not None
    assert identity.picture_url.startswith(meta.server.url)
    assert "picture" not in identity.profile
    path = f"/w/{account.workspace_id}/media/people/{identity.id}"
    response = browser.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "image/png")


def test_every_type_it_takes_is_one_that_can_be_found(adapter: Any) -> None:
    for limits in adapter.capabilities.media.values():
        assert limits.content_types <= findable()
