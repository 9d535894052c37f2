"""An owner enters an app and signs in to a mailbox, in a real browser with a window for the provider."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.models.channels import ChannelAccount
from host.web.request_helpers import Role
from sandbox import mailbox, oauth
from sandbox.mailbox import ImapServer
from sandbox.oauth import OAuthServer
from tests.email.conftest import Outside, whole_host
from tests.email.test_browser import assert_fits
from tests.helpers import PASSWORD, make_user, make_workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def provider(outside: Outside, certificate: str) -> Iterator[tuple[OAuthServer, ImapServer]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    made = OAuthServer(now=lambda: clock.now().timestamp())
    box = ImapServer(context=context, capabilities="IMAP4rev1 IDLE AUTH=XOAUTH2", accepts=made.accepts)
    outside.accepts = made.accepts
    with oauth.running(made), mailbox.running(box):
        yield made, box


@pytest.fixture
def served(
    database: db.Database, data: Path, outside: Outside, provider: tuple[OAuthServer, ImapServer]
) -> Iterator[str]:
    allowed = [f"mail.shop.example:{one}" for one in (outside.port, provider[1].port)]
    allowed.append(f"127.0.0.1:{provider[0].port}")
    with whole_host(data, allow_hosts=",".join(allowed)) as url:
        yield url


def picture(page: Any, name: str, width: int) -> None:
    folder = os.environ.get("SCREENSHOTS")
    for scheme in ("light", "dark") if folder else ():
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_mailbox_is_signed_in_to(
    served: str, outside: Outside, provider: tuple[OAuthServer, ImapServer], chromium: Any, width: int
) -> None:
    there, box = provider
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", workspace=workspace, role=Role.OWNER, is_admin=True)
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)

    page.goto(f"/w/{workspace}/settings/channels/email/connect")
    page.wait_for_selector("text=Signing in requires an app registered with the provider")
    picture(page, "ways-before", width)
    assert_fits(page)
    page.goto(f"/w/{workspace}/settings/channels/email/settings")
    there.redirect_uris.add(page.input_value("#copy-3"))
    entered = {
        "client_id": there.client_id,
        "client_secret": there.client_secret,
        "authorize_url": f"{there.url}/authorize",
        "token_url": f"{there.url}/token",
        "scopes": "openid email mail",
        "imap_host": "mail.shop.example",
        "imap_port": str(box.port),
        "smtp_host": "mail.shop.example",
        "smtp_port": str(outside.port),
    }
    for name, value in entered.items():
        page.fill(f"#f-oauth_{name}", value)
    picture(page, "apps", width)
    assert_fits(page)
    page.click("text=Save and check")
    page.wait_for_selector("text=You can now sign in under Connect an account")

    page.goto(f"/w/{workspace}/settings/channels/email/connect")
    picture(page, "ways", width)
    with page.expect_popup() as opened:
        page.click("button:has-text('Sign in with another provider')")
    window = opened.value
    window.wait_for_selector("text=hello@shop.example")
    window.click("button:has-text('Connect')")
    page.wait_for_selector("article >> text=Connected", timeout=30_000)
    picture(page, "connected", width)
    assert_fits(page)
    page.click("article details.menu summary")
    page.click("article >> text=Sign emails with DKIM")
    page.wait_for_selector("text=Created a key for")
    with db.read() as session:
        account = session.scalars(sa.select(ChannelAccount.id)).one()
    page.goto(f"/w/{workspace}/settings/channels/accounts/{account}")
    page.wait_for_selector("text=DKIM record: value")
    picture(page, "account", width)
    assert_fits(page)
    context.close()
