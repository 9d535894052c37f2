"""How long a mail takes from its server to the screen, with IDLE: Chromium looks at the inbox and notes it.

``ARRIVAL_MAILS=300`` is the long form, and ``ARRIVAL_GAP`` the seconds between two mails on the average.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest
from sqlalchemy.orm import Session

from addons.email.lobby_mail.imap import watching
from addons.email.lobby_mail.models import Mailbox
from host.core import clock, db, guard
from host.models.users import Role
from host.process.asgi import AsgiApplication
from host.process.serving import HostApplication
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside, connect
from tests.email.test_dovecot import Dovecot, dovecot
from tests.email.test_dovecot import pytestmark as needs_dovecot
from tests.email.test_imap import imap, mail
from tests.helpers import PASSWORD, make_config, make_user, make_workspace
from tests.live.worker import uvicorn_server

__all__ = ["dovecot", "imap"]

MAILS = int(os.environ.get("ARRIVAL_MAILS", "12"))
GAP = float(os.environ.get("ARRIVAL_GAP", "0.7"))
SEED = 1

WATCH = """() => {
    window.seen = {};
    const look = () => {
        const words = document.body.innerText.matchAll(/Parcel \\d{5}/g);
        for (const found of words) window.seen[found[0]] ??= Date.now();
    };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
    look();
}"""
"""Notes when each mail's words were there first. What is there when nothing changes was there before."""


class _Front:
    """What the server answers with: it has to be there before its port is known, and the host after."""

    behind: AsgiApplication

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.behind(scope, receive, send)


@pytest.fixture
def served(database: db.Database, data: Path) -> Iterator[str]:
    """The whole host in this process, behind the server that `lobby run` has."""
    front = _Front()
    with uvicorn_server(front) as port:
        url = f"http://127.0.0.1:{port}"
        application = HostApplication(make_config(data, public_url=url, workers="2"))
        front.behind = AsgiApplication(application)
        application.start()
        try:
            yield url
        finally:
            application.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_mail_in_the_inbox_of_a_server_is_on_screen_at_once(
    served: str, outside: Outside, imap: ImapServer, chromium: Any
) -> None:
    def add(raw: bytes) -> None:
        imap.add(raw)

    _told("in-process server", _on_screen(served, outside, imap.port, chromium, add))


@pytest.mark.browser
@needs_dovecot[0]
@needs_dovecot[1]
@needs_dovecot[2]
def test_a_mail_in_the_inbox_of_dovecot_is_on_screen_at_once(
    served: str, outside: Outside, dovecot: Dovecot, chromium: Any
) -> None:
    client = dovecot.client()
    delays = _on_screen(
        served, outside, dovecot.port, chromium, lambda raw: dovecot.add(raw, time.time(), client=client)
    )
    client.logout()
    _told("dovecot", delays)


def _told(server: str, delays: list[float]) -> None:
    """Print what was measured; hold it to five times the target, as the machine has other work."""
    centiles = quantiles(delays, n=100, method="inclusive")
    p50, p95, p99 = (f"{centiles[n - 1]:.2f} s (p{n})" for n in (50, 95, 99))
    print(f"{server}: {len(delays)} mails, on screen after {p50}, {p95}, {p99}, {max(delays):.2f} s at most")
    assert len(delays) == MAILS
    assert centiles[49] < 2
    assert centiles[98] < 10


def _on_screen(
    served: str, outside: Outside, port: int, chromium: Any, add: Callable[[bytes], None]
) -> list[float]:
    """Return the seconds from before each mail is handed to its server until its words are on screen."""
    workspace = make_workspace("Pottery")
    make_user("agent@example.com", workspace=workspace, role=Role.AGENT)
    account = connect(outside, workspace)
    guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{port}"])

    def use_case(session: Session) -> None:
        now = clock.now()
        session.add(
            Mailbox(
                account_id=account.id,
                host="mail.shop.example",
                port=port,
                security="tls",
                user_name="",
                password=None,
                wanted="new",
                since=now,
                connected_at=now,
                saved_at=now,
            )
        )

    db.write(use_case)
    watching.connected.forget()
    context = chromium.new_context(base_url=served, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto("/login")
    page.fill("#email", "agent@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"/w/{workspace}/inbox")
    page.evaluate(WATCH)
    # Until the first is there, the mailbox is being opened.
    add(mail(99_999, "Parcel 99999"))
    page.wait_for_function("() => window.seen['Parcel 99999']", timeout=60_000)

    chance = random.Random(SEED)
    added: dict[str, float] = {}
    for number in range(MAILS):
        page.wait_for_timeout(1000 * chance.uniform(0, 2 * GAP))
        words = f"Parcel {number:05d}"
        raw = mail(number, words)
        added[words] = time.time()
        add(raw)
    page.wait_for_function(f"() => Object.keys(window.seen).length > {MAILS}", timeout=60_000)
    seen = page.evaluate("() => window.seen")
    context.close()
    return [seen[words] / 1000 - at for words, at in added.items()]
