"""Folders besides the inbox and what was sent: each mail is there once; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import diagnosing, mailbox_card
from addons.email.lobby_mail.imap import folders
from addons.email.lobby_mail.imap import session as imap_session
from addons.email.lobby_mail.imap.folders import Use
from addons.email.lobby_mail.models import Folder, Mailbox
from host.core import clock, db, guard
from host.models.inbox import Conversation
from host.models.users import Role
from host.process.serving import HostApplication
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside, connect
from tests.email.test_imap import Desk, accounted, desk_of_mail, imap, journalled, mail, messages, until
from tests.helpers import Browser, build_app, client_for, make_config, make_user, make_workspace

__all__ = ["desk_of_mail", "imap"]

ORDERS = "Aufträge 2024"
WIRE = "Auftr&AOQ-ge 2024"
"""The same as it goes over the wire."""


@pytest.fixture
def desk(desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(imap_session, "POLL_SECONDS", 0.05)
    desk_of_mail.server.folders |= {
        WIRE: mailbox.Folder(uidvalidity=3),
        "Later": mailbox.Folder(uidvalidity=4),
    }
    return desk_of_mail


def begin(desk: Desk, *names: str, since: Any = None) -> None:
    desk.fetch_from(since=since)
    mailbox_card.keep_folders(desk.account.id, names)
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)


def move(desk: Desk, uid: int, to: str, of: str = "INBOX") -> None:
    """Move a mail as a server does: its time stays, its number does not."""
    with desk.server.changed:
        box = desk.server.folders[of]
        found = next(one for one in box.mails if one.uid == uid)
        box.mails.remove(found)
        desk.server.folders[to].add(found.raw, found.at)
        desk.server.changed.notify_all()


def row(name: str) -> Folder:
    with db.read() as session:
        return session.scalars(sa.select(Folder).where(Folder.name == name)).one()


def texts(desk: Desk) -> list[str]:
    desk.work()
    return sorted(one.text for one in messages())


# ---- what there is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "name", "use"),
    [
        ((), "INBOX", Use.INBOX),
        ((b"\\Sent",), "Elsewhere", Use.SENT),
        ((b"\\Junk",), "Elsewhere", Use.SPAM),
        ((), "INBOX/Spam", Use.SPAM),
        ((b"\\HasNoChildren", b"\\All"), "[Gmail]/All Mail", Use.LEFT_OUT),
        ((b"\\Trash",), "Bin", Use.LEFT_OUT),
        ((b"\\Important",), "[Gmail]/Important", Use.LEFT_OUT),
        ((), "Papierkorb", Use.LEFT_OUT),
        ((), "Orders/2024", Use.PLAIN),
        ((b"\\Archive",), "Archive", Use.PLAIN),
    ],
)
def test_what_a_folder_is_for(flags: tuple[bytes, ...], name: str, use: Use) -> None:
    assert folders.offered([(flags, b"/", name)]) == [(name, use)]


def test_a_folder_that_only_holds_folders_is_not_offered() -> None:
    assert folders.offered([((b"\\Noselect",), b"/", "[Gmail]"), ((b"\\NonExistent",), b"/", "x")]) == []
    assert folders.sent_folder([((b"\\noselect",), b"/", "Sent")]) is None


# ---- reading -------------------------------------------------------------------------------------------


def test_further_folders_are_read_like_the_inbox(desk: Desk) -> None:
    begin(desk, ORDERS, "Later")
    desk.server.add(mail(1, "in the inbox"))
    desk.server.add(mail(2, "in a folder"), folder=WIRE)
    desk.server.add(mail(3, "in another"), folder="Later")
    until(lambda: accounted() == 3)
    assert texts(desk) == ["in a folder", "in another", "in the inbox"]
    assert not desk.server.flags_set
    assert all(one.imported_at is None for one in messages())


def test_a_folder_nobody_ticked_is_left(desk: Desk) -> None:
    begin(desk, "Later")
    desk.server.add(mail(1, "nobody's"), folder=WIRE)
    desk.server.add(mail(2, "here"), folder="Later")
    until(lambda: accounted() == 1)
    assert texts(desk) == ["here"]


def test_a_mail_that_is_moved_is_there_once(desk: Desk) -> None:
    begin(desk, ORDERS, "Later")
    uid = desk.server.add(mail(1, "moved about"))
    until(lambda: accounted() == 1)
    desk.work()
    move(desk, uid, WIRE)
    until(lambda: accounted() >= 2 or desk.server.folders[WIRE].mails)
    move(desk, 1, "Later", of=WIRE)
    # Others of the same Message-ID, and with other words: these are two.
    desk.server.add(mail(1, "another by the same name"), folder="Later")
    until(lambda: len(journalled()) == 2)
    desk.server.drop()
    assert desk.server.idling.acquire(timeout=10)
    until(lambda: accounted() == 2)
    assert texts(desk) == ["another by the same name", "moved about"]
    assert len(journalled()) == 2


def test_old_mails_that_are_moved_into_a_folder_come_quietly(desk: Desk) -> None:
    """What is filed by hundreds is no news, whatever its numbers there."""
    old = clock.now() - timedelta(days=300)
    desk.server.add(mail(1, "from long ago"), at=old)
    begin(desk, ORDERS)
    until(lambda: accounted() == 1)
    desk.work()
    desk.server.add(mail(2, "filed now"), at=old, folder=WIRE)
    desk.server.add(mail(3, "news"), folder=WIRE)
    until(lambda: accounted() == 2)
    desk.server.drop()
    until(lambda: accounted() == 3)
    desk.work()
    with db.read() as session:
        states = dict(session.execute(sa.select(Conversation.subject, Conversation.status)).all())
    assert states == {"Mugs 1": "closed", "Mugs 2": "closed", "Mugs 3": "open"}


def test_what_is_not_wanted_does_not_come_by_being_moved(desk: Desk) -> None:
    begin(desk, ORDERS, since=clock.now())
    desk.server.add(mail(1, "filed now"), at=clock.now() - timedelta(days=300), folder=WIRE)
    desk.server.add(mail(2, "news"), folder=WIRE)
    until(lambda: accounted() == 1)
    desk.server.drop()
    assert desk.server.idling.acquire(timeout=10)
    assert texts(desk) == ["news"]
    assert row(ORDERS).on_server == 1


def test_what_is_in_a_folder_when_it_is_ticked_comes_quietly(desk: Desk) -> None:
    """It came after the mailbox was connected, and is no news all the same."""
    desk.server.add(mail(1, "was there"), folder=WIRE, at=clock.now() - timedelta(hours=5))
    desk.fetch_from(since=None, connected_at=clock.now() - timedelta(days=1))
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    mailbox_card.keep_folders(desk.account.id, [ORDERS])
    until(lambda: accounted() == 1)
    desk.work()
    (found,) = messages()
    assert found.imported_at is not None


def test_own_mail_in_a_folder_is_our_own(desk: Desk) -> None:
    """People file whole conversations."""
    begin(desk, ORDERS)
    desk.server.add(mail(1))
    until(lambda: accounted() == 1)
    desk.work()
    ours = {"From": "hello@shop.example", "To": "Mia <mia1@example.org>", "In_Reply_To": "<1@example.org>"}
    desk.server.add(mail(2, "From my telephone", **ours), folder=WIRE)
    form = {"From": "hello@shop.example", "Reply_To": "Ben <ben@example.org>"}
    desk.server.add(mail(3, "By the contact form", **form), folder=WIRE)
    until(lambda: accounted() == 3)
    desk.work()
    found = {one.text: one for one in messages()}
    assert found["From my telephone"].direction == "outbound"
    assert found["From my telephone"].conversation_id == messages()[0].conversation_id
    assert found["By the contact form"].direction == "inbound"


def test_new_numbers_of_a_folder_double_nothing(desk: Desk) -> None:
    begin(desk, ORDERS)
    for number in range(3):
        desk.server.add(mail(number), folder=WIRE)
    until(lambda: accounted() == 3)
    del desk.server.folders[WIRE].mails[0]
    desk.server.renumber(WIRE)
    until(lambda: accounted() == 2)
    desk.work()
    assert len(messages()) == 3


# ---- what goes wrong -----------------------------------------------------------------------------------


def test_a_folder_that_is_gone_is_told_and_stops_nothing(desk: Desk, data: Path) -> None:
    begin(desk, ORDERS, "Later")
    del desk.server.folders[WIRE]
    until(lambda: row(ORDERS).problem)
    desk.server.add(mail(1))
    desk.server.add(mail(2), folder="Later")
    until(lambda: accounted() == 2)
    desk.server.drop()
    until(lambda: row(ORDERS).problem == "")
    with db.read() as session:
        box = session.get_one(Mailbox, desk.account.id)
    assert box.problem is None
    with build_app(data).test_request_context():
        told = mailbox_card.notices(box)
        found = {one.name: one for one in diagnosing._counts(desk.account)}
    assert [bold for _tone, bold, _sentence in told] == [f"The folder “{ORDERS}” isn't being imported."]
    assert "no longer exists" in told[0][2]
    assert any(ORDERS in one.title and one.verdict == "warn" for one in found.values())
    # It comes back by itself.
    desk.server.folders[WIRE] = mailbox.Folder(uidvalidity=9)
    desk.server.drop()
    desk.server.add(mail(3), folder=WIRE)
    until(lambda: accounted() == 3)
    assert row(ORDERS).problem is None


def test_one_that_is_ticked_no_more_is_forgotten_and_what_came_stays(desk: Desk) -> None:
    begin(desk, ORDERS, "Later")
    desk.server.add(mail(1, "came"), folder=WIRE)
    until(lambda: accounted() == 1)
    assert texts(desk) == ["came"]
    mailbox_card.keep_folders(desk.account.id, ["Later"])
    desk.server.add(mail(2, "stays there"), folder=WIRE)
    desk.server.add(mail(3, "comes"), folder="Later")
    until(lambda: accounted() == 1 and len(journalled()) == 2)
    mailbox_card.keep_folders(desk.account.id, ["Later", ORDERS])
    until(lambda: accounted() == 3)
    assert texts(desk) == ["came", "comes", "stays there"]


# ---- the page ------------------------------------------------------------------------------------------


@pytest.fixture
def page(
    database: db.Database, data: Path, outside: Outside, imap: ImapServer
) -> Iterator[tuple[Browser, str, int]]:
    imap.folders |= {
        WIRE: mailbox.Folder(),
        "Spam": mailbox.Folder(flags="\\Junk"),
        "All Mail": mailbox.Folder(flags="\\All"),
        "<b>": mailbox.Folder(),
    }
    application = HostApplication(make_config(data))
    browser_of = application.refresh().app
    guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{imap.port}"])
    workspace = make_workspace("Pottery")
    entered = {"imap_host": "mail.shop.example", "imap_port": str(imap.port), "imap_security": "tls"}
    account = connect(outside, workspace, **entered)
    owner = make_user(workspace=workspace, role=Role.OWNER)
    try:
        yield client_for(browser_of, owner), mailbox_card.page(account), account.id
    finally:
        application.close()


def chosen(account_id: int) -> tuple[str, ...]:
    with db.read() as session:
        return session.get_one(Mailbox, account_id).further


def test_an_owner_ticks_folders(page: tuple[Browser, str, int], imap: ImapServer) -> None:
    browser, path, account_id = page
    shown = browser.get(path).get_data(as_text=True)
    assert f'value="{ORDERS}"' in shown
    assert "This folder contains spam" in shown
    assert 'value="All Mail"' not in shown
    assert 'value="INBOX"' not in shown
    assert "&lt;b&gt;" in shown
    assert browser.post_form(path, folder=[ORDERS, "<b>"]).status_code == 303
    assert chosen(account_id) == (ORDERS, "<b>")
    for wrong in ("All Mail", "INBOX", "Nobody's", "x" * 600):
        assert browser.post_form(path, folder=[ORDERS, wrong]).status_code == 303
        assert chosen(account_id) == (ORDERS, "<b>")
    assert browser.post_form(path, folder=[f"a{number}" for number in range(21)]).status_code == 303
    assert chosen(account_id) == (ORDERS, "<b>")
    # What is away can be taken out, and kept; nothing can be added.
    imap.login_answer = "NO [UNAVAILABLE] later"
    assert "be loaded" in browser.get(path).get_data(as_text=True)
    assert f'value="{ORDERS}" checked' in browser.get(path).get_data(as_text=True)
    browser.post_form(path, folder=[ORDERS, "Spam"])
    assert chosen(account_id) == (ORDERS, "<b>")
    browser.post_form(path, folder=[ORDERS])
    assert chosen(account_id) == (ORDERS,)
    browser.post_form(path)
    assert chosen(account_id) == ()
    with db.read() as session:
        assert session.scalars(sa.select(Folder.name)).all() == []


def test_the_page_is_the_owners(page: tuple[Browser, str, int]) -> None:
    browser, path, account_id = page
    assert browser.get(path.replace(f"accounts/{account_id}", "accounts/77")).status_code == 404
    agent = make_user(workspace=1, role=Role.AGENT)
    assert client_for(browser.application, agent).get(path).status_code == 403
    assert client_for(browser.application, agent).post_form(path, folder=[ORDERS]).status_code == 403
    assert chosen(account_id) == ()
