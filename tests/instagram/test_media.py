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
from host.delivery.worker import drain
from host.inbox.apply.changes import Incoming, apply_changes
from host.inbox.apply.incoming import media_of
from host.media import expiry, fetching, inbound, person_pictures
from host.models.inbox import Attachment, AttachmentState, ContactIdentity
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, FileEndedError
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


def came(
    adapter: Any, account: AccountRef, *, facts: dict[str, Any] | None = None, **body: Any
) -> list[Attachment]:
    """Let a message come in; return its files."""
    now = clock.now()
    event = world.message(**{"text": None, **body}, mid=f"mid-{now.timestamp()}")
    event["message"] = {name: value for name, value in event["message"].items() if value is not None}
    change, *_to_look_up = adapter.parse(world.envelope(event, at=now, **(facts or {})))
    media = media_of(adapter, change)
    db.write(apply_changes, [Incoming(account, adapter, change, now, "k", media=media)])
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
        ("https://cdn.fbsbx.com/v/t59.2708-21/1_n.pdf/offer.pdf?oh=x", True),
        ("https://media3.giphy.com/media/abc/200w.gif", True),
        ("https://giphy.com.evil.example/x.gif", False),
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


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ({"code": 4}, 300.0),
        ({"code": 80002, "regain_minutes": 3}, 180.0),
        ({"code": 613, "subcode": 2534040}, 60.0),
        ({"code": 230}, None),
        ({"code": 9010}, None),
    ],
)
def test_a_limit_on_names_says_how_long_it_lasts(
    adapter: Any,
    account: AccountRef,
    ig: Addon,
    monkeypatch: pytest.MonkeyPatch,
    fault: Any,
    wait: float | None,
) -> None:
    usage = ig.graph.Usage(regain_seconds=fault.get("regain_minutes", 0) * 60 or None)
    error = ig.graph.GraphError("slowly", code=fault["code"], subcode=fault.get("subcode"), usage=usage)

    def refuse(*_args: Any, **_values: Any) -> None:
        raise error

    monkeypatch.setattr(ig.graph.Graph, "call", refuse)
    found = adapter.fetch_profile(account, world.ANA)
    assert found.retry_after == wait


def test_every_type_it_takes_is_one_that_can_be_found(adapter: Any) -> None:
    for limits in adapter.capabilities.media.values():
        assert limits.content_types <= findable()


PRODUCT = "4381572605000001"


READABLE = {"catalogue": True}
"""What the envelope says where the token may read the catalogue."""


def allow_catalogue(meta: Meta) -> None:
    for token in meta.box.world.tokens.values():
        token.scopes = [*token.scopes, "catalog_management"]


def test_a_product_has_its_name_its_price_and_its_picture_where_the_token_may_read_them(
    adapter: Any, account: AccountRef, meta: Meta, browser: helpers.Browser
) -> None:
    allow_catalogue(meta)
    referral = {"product": {"id": PRODUCT}}
    (waiting,) = came(adapter, account, facts=READABLE, text="Size M?", referral=referral)
    path = f"/w/{account.workspace_id}/inbox/1"
    assert f"Asks about product {PRODUCT}" in browser.get(path).get_data(as_text=True), (
        "until it is looked up"
    )
    fetching.fetch_due(Directory((adapter,)))
    (found,) = attachments()
    assert (found.name, found.state) == ("Blue mug, 0.3 l, 24.00 EUR", AttachmentState.STORED)
    page = browser.get(path).get_data(as_text=True)
    assert "Blue mug, 0.3 l, 24.00 EUR" in page
    assert f"/media/{waiting.id}" in page
    assert PRODUCT not in page[page.index('data-part="log"') : page.index('data-part="composer"')]


def test_the_products_of_a_template_are_looked_up_too(
    adapter: Any, account: AccountRef, meta: Meta, browser: helpers.Browser
) -> None:
    allow_catalogue(meta)
    came(adapter, account, text="Hi")
    elements = {"product": {"elements": [{"id": PRODUCT}, {"id": "99"}]}}
    event = world.echo(text=None, attachments=[{"type": "template", "payload": elements}])
    (change,) = adapter.parse(world.envelope(event, at=clock.now(), **READABLE))
    media = media_of(adapter, change)
    db.write(apply_changes, [Incoming(account, adapter, change, clock.now(), "echo", media=media)])
    fetching.fetch_due(Directory((adapter,)))
    assert [(one.name, one.state) for one in attachments()] == [
        ("Blue mug, 0.3 l, 24.00 EUR", AttachmentState.STORED),
        ("", AttachmentState.EXPIRED),
    ]
    page = browser.get(f"/w/{account.workspace_id}/inbox/1").get_data(as_text=True)
    assert "Blue mug, 0.3 l, 24.00 EUR" in page
    assert ">99<" in page


def grant_catalogue(ig: Addon) -> None:
    def grant(session: Any) -> None:
        for row in session.scalars(sa.select(ig.models.InstagramAccount)):
            row.scopes = [*row.scopes, "catalog_management"]

    db.write(grant)
    ig.accounts.book.forget()


def log_of(browser: helpers.Browser, path: str) -> str:
    page = browser.get(path).get_data(as_text=True)
    return page[page.index('data-part="log"') : page.index('data-part="composer"')]


def test_the_products_we_send_are_looked_up_where_the_token_may_read_them(
    adapter: Any, account: AccountRef, ig: Addon, meta: Meta, browser: helpers.Browser
) -> None:
    meta.wrote()
    came(adapter, account, text="Which mugs are there?")
    path = f"/w/{account.workspace_id}/inbox/1"
    generation = helpers.StandInGeneration(directory=Directory((adapter,)))

    def send(key: str) -> str:
        answer = browser.post_form(f"{path}/reply", product=[PRODUCT, "99"], text="", reply_key=key)
        assert answer.status_code < 400
        drain(generation, direction="out")
        return log_of(browser, path)

    assert "Name and price appear if the account has access to the catalog." in send("a" * 32)
    assert attachments() == []
    allow_catalogue(meta)
    grant_catalogue(ig)
    shown = send("b" * 32)
    assert "Looking it up in the catalog…" in shown
    fetching.fetch_due(Directory((adapter,)))
    assert [(one.name, one.state) for one in attachments()] == [
        ("Blue mug, 0.3 l, 24.00 EUR", AttachmentState.STORED),
        ("", AttachmentState.EXPIRED),
    ]
    shown = log_of(browser, path)
    assert "Blue mug, 0.3 l, 24.00 EUR" in shown
    assert "Product 99" in shown
    assert "The catalog has no name for it." in shown
    assert f"/media/{attachments()[0].id}" in shown


def test_only_with_the_permission_somebody_asks_for_a_product(
    adapter: Any, account: AccountRef, ig: Addon
) -> None:
    asks = world.message(text="Size M?", referral={"product": {"id": PRODUCT}})
    body = world.payload(world.entry(asks, world.message(text="Hi", mid="m2")))

    def files() -> list[int]:
        found = ig.webhook.verification.authenticate(world.post(body)).envelopes
        return [len(adapter.parse(one)[0].attachments) for one in found]

    assert files() == [0, 0]
    grant_catalogue(ig)
    assert files() == [1, 0]


@pytest.mark.parametrize(("code", "error"), [(4, FetchError), (200, FileEndedError), (100, FileEndedError)])
def test_a_product_that_cannot_be_read_is_its_id(
    adapter: Any, account: AccountRef, ig: Addon, monkeypatch: pytest.MonkeyPatch, code: int, error: Any
) -> None:
    def refuse(*_args: Any, **_values: Any) -> None:
        raise ig.graph.GraphError("no", code=code)

    monkeypatch.setattr(ig.graph.Graph, "call", refuse)
    ((one,)) = ig.webhook.products.files({"referral": {"product": {"id": PRODUCT}}})
    with pytest.raises(FetchError) as raised:
        adapter.locate(account, one.url)
    assert type(raised.value) is error
