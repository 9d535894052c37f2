"""An owner connects an address in a real browser, and the card turns to Receiving by itself."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from addons.email.lobby_mail import receiving
from host.core import clock, db, guard
from host.web.request_helpers import Role
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.accessibility import violations
from tests.asking import answer
from tests.email.conftest import Outside, values, whole_host
from tests.helpers import PASSWORD, make_user, make_workspace

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]


@pytest.fixture
def served(database: db.Database, data: Path, outside: Outside) -> Iterator[str]:
    """The whole host in this process: pages, journal, workers and the mail listener."""
    address = f"mail.shop.example:{outside.port}"
    with whole_host(
        data, allow_hosts=address, smtp_listen="127.0.0.1:0", smtp_authserv_id="mx.shop.example"
    ) as url:
        yield url


def mail_port() -> int:
    port: int = receiving._listeners["127.0.0.1", 0].socket.getsockname()[1]
    return port


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 360])
def test_an_address_is_connected_and_receives(
    served: str, outside: Outside, chromium: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", workspace=workspace, role=Role.OWNER, is_admin=True)
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: troubles.append(message.text) if "Content Security" in message.text else None,
    )
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)

    page.goto(f"/w/{workspace}/settings/channels")
    assert_fits(page)
    page.click("a.btn:has-text('Configure')")
    page.wait_for_selector("#f-smtp_password")
    assert_fits(page)
    entered = {
        "name": "Pottery",
        "address": "hello@shop.example",
        "smtp_host": "mail.shop.example",
        "smtp_port": str(outside.port),
        "smtp_user": "hello@shop.example",
        "smtp_password": "wrong",
    }
    for name, value in entered.items():
        page.fill(f"#f-{name}", value)
    page.click("text=Save and check")
    page.wait_for_selector("#f-smtp_user[aria-invalid=true]")
    page.wait_for_selector("#f-smtp_user:focus")
    assert page.input_value("#f-smtp_password") == ""
    assert page.input_value("#f-smtp_host") == "mail.shop.example"
    assert_fits(page)

    page.fill("#f-smtp_password", outside.password)
    page.click("text=Save and check")
    page.wait_for_selector("article >> text=Connected")
    assert_fits(page)

    mail = b"From: mia@example.org\r\nSubject: Hi\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n"
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "hello@shop.example", mail)
    page.wait_for_selector("article >> text=Receiving")

    page.click("article details.menu summary")
    page.click("article >> text=Disconnect")
    answer(page)
    page.wait_for_selector("text=1 disconnected account")
    assert troubles == []
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 360])
def test_an_address_is_asked_for_and_confirmed(
    served: str, outside: Outside, chromium: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", workspace=workspace, role=Role.OWNER)
    make_user("admin@example.com", is_admin=True)

    def signed_in(email: str) -> Any:
        context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
        page = context.new_page()
        page.goto("/login")
        page.fill("#email", email)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    owner, admin = signed_in("owner@example.com"), signed_in("admin@example.com")
    owner.goto(f"/w/{workspace}/settings/channels/email/new")
    for name, value in values(outside).items():
        if name == "smtp_security":
            owner.select_option(f"#f-{name}", value)
        else:
            owner.fill(f"#f-{name}", value)
    owner.click("text=Save and check")
    owner.wait_for_selector("text=is not connected yet")
    assert_fits(owner)
    owner.click("text=View pending addresses")
    owner.wait_for_selector("text=Withdraw")
    assert_fits(owner)

    admin.goto("/notifications")
    admin.click("a.told-link")
    admin.wait_for_selector("text=hello@shop.example")
    assert_fits(admin)
    admin.check("input[name=domain]")
    admin.click("button:has-text('Confirm')")
    admin.wait_for_selector("text=Release")
    assert_fits(admin)

    raw = (
        b"Authentication-Results: mx.shop.example; dmarc=fail\r\nFrom: Bank <boss@bank.example>\r\n"
        b"Reply-To: boss@evil.example\r\nMessage-ID: <1@x.example>\r\n\r\nPay at once\r\n"
    )
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("x@evil.example", "hello@shop.example", raw)
    owner.goto(f"/w/{workspace}/inbox")
    owner.click("a:has-text('Pay at once')")
    owner.wait_for_selector("text=This may be forged.")
    owner.wait_for_selector("text=asks for replies to boss@evil.example")
    assert_fits(owner)
    owner.context.close()
    admin.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 360])
def test_a_mailbox_is_connected_and_its_mail_comes(
    served: str, outside: Outside, certificate: str, chromium: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", workspace=workspace, role=Role.OWNER, is_admin=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with mailbox.running(ImapServer(context=context)) as server:
        server.add(MAIL % (b"old", b"Old pots"), at=clock.now() - timedelta(days=20))
        guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{server.port}"])
        page = chromium.new_context(base_url=served, viewport={"width": width, "height": 900}).new_page()
        page.goto("/login")
        page.fill("#email", "owner@example.com")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto(f"/w/{workspace}/settings/channels/email/new")
        given = {"imap_host": "mail.shop.example", "imap_port": str(server.port), "imap_user": "other"}
        for name, value in {**values(outside), **given, "imap_password": "wrong"}.items():
            if name == "smtp_security":
                page.select_option(f"#f-{name}", value)
            else:
                page.fill(f"#f-{name}", value)
        page.select_option("#f-imap_import", "month")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.click("text=Save and check")
        page.wait_for_selector("#f-imap_user[aria-invalid=true]")
        page.fill("#f-imap_user", "")
        page.fill("#f-smtp_password", outside.password)
        page.click("text=Save and check")
        page.wait_for_selector("article >> text=Connected")
        assert server.idling.acquire(timeout=20)
        server.add(MAIL % (b"new", b"Fresh pots"))
        page.wait_for_selector("article >> text=Receiving")
        page.goto(f"/w/{workspace}/settings/channels/accounts/1")
        page.wait_for_selector("text=Last mail received")
        assert_fits(page)
        page.goto(f"/w/{workspace}/inbox")
        page.wait_for_selector("a:has-text('Fresh pots')")
        assert not page.query_selector("a:has-text('Old pots')")  # closed, as history is
        page.context.close()


MAIL = b"From: mia@example.org\r\nSubject: Pots\r\nMessage-ID: <%s@example.org>\r\n\r\n%s\r\n"


def assert_fits(page: Any) -> None:
    """Check that nothing is wider than the window and that axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")  # nothing half below a bar that stays
    found = violations(page, runOnly=RULES)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
