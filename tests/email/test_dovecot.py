"""The same against a real server, where one is installed: apt-get install dovecot-imapd."""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from addons.email.lobby_mail import mailbox_card, servers
from addons.email.lobby_mail.imap import session as imap_session
from host.core import clock, db
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside
from tests.email.test_imap import Desk, accounted, desk_at, journalled, mail, messages, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("dovecot") is None, reason="dovecot is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="dovecot has to be started by root"),
]

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{folder}/pem
ssl_key = <{folder}/pem
mail_location = maildir:{folder}/mail/%u
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
"""


class Dovecot:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(["dovecot", "-F", "-c", str(self.folder / "conf")])
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def client(self) -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = imaplib.IMAP4_SSL("127.0.0.1", self.port, ssl_context=context)
        client.login("hello@shop.example", "correct horse")
        return client

    def add(self, raw: bytes, at: float, folder: str = "INBOX", client: Any = None) -> None:
        used = client or self.client()
        assert used.append(folder, "", imaplib.Time2Internaldate(at), raw)[0] == "OK"
        if client is None:
            used.logout()

    def renumber(self) -> None:
        """Remove Dovecot's own files, so that it gives every mail another number."""
        self.stop()
        for path in (self.folder / "mail").rglob("dovecot*"):
            if path.is_file():
                path.unlink()
        self.start()


@pytest.fixture
def dovecot(tmp_path: Path, certificate: str) -> Iterator[Dovecot]:
    folder = Path("/tmp") / f"dovecot-{os.getpid()}"  # short: paths of sockets are
    shutil.rmtree(folder, ignore_errors=True)
    user = next(name for name in ("dovecot", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name in ("run", "state", "mail"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "mail", user)
    shutil.copy(certificate, folder / "pem")
    group = pwd.getpwnam(user).pw_gid
    import grp

    words = {"folder": folder, "port": port, "user": user, "group": grp.getgrgid(group).gr_name}
    (folder / "conf").write_text(CONFIG.format(**words))
    server = Dovecot(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_mailbox_of_dovecot_is_brought_in_followed_and_counted(
    desk: db.Database,
    data: Path,
    outside: Outside,
    dovecot: Dovecot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ImapServer(port=dovecot.port)
    for made in desk_at(data, outside, server, monkeypatch):
        _brought_in(made, dovecot)


def _brought_in(desk: Desk, dovecot: Dovecot) -> None:
    year_ago = clock.now() - timedelta(days=365)
    client = dovecot.client()
    for number in range(200):
        at = year_ago + timedelta(days=number)
        dovecot.add(mail(number, f"Mail {number}"), at.timestamp(), client=client)
    client.logout()
    desk.fetch_from(since=None)
    began = time.monotonic()
    desk.watch()
    until(lambda: accounted() == 200, 60)
    print(f"200 mails in {time.monotonic() - began:.1f} s")
    time.sleep(0.5)
    began = time.monotonic()
    dovecot.add(mail(300, "New"), time.time())
    until(lambda: accounted() == 201)
    print(f"a new one after {time.monotonic() - began:.2f} s")
    desk.work()
    dovecot.renumber()
    dovecot.add(mail(301, "Newer"), time.time())
    until(lambda: accounted() == 202, 30)
    desk.work()
    assert len(journalled()) == len(messages()) == 202
    assert [one.imported_at is None for one in messages()].count(True) == 2
    client = dovecot.client()
    client.select("INBOX", readonly=True)
    assert client.search(None, "SEEN")[1] == [b""]
    client.logout()


def test_folders_of_dovecot_are_offered_read_moved_between_and_renamed(
    desk: db.Database,
    data: Path,
    outside: Outside,
    dovecot: Dovecot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imap_session, "POLL_SECONDS", 0.1)
    for made in desk_at(data, outside, ImapServer(port=dovecot.port), monkeypatch):
        _moved_about(made, dovecot)


def _moved_about(desk: Desk, dovecot: Dovecot) -> None:
    client = dovecot.client()
    wire = '"Auftr&AOQ-ge 2024"'
    for name in (wire, '"Later &- more"', "Trash"):
        assert client.create(name)[0] == "OK"
    desk.fetch_from(since=None)
    settings = servers.to_read(desk.account, 1_000_000)
    assert settings is not None
    offered = {one.name: str(one.use) for one in mailbox_card.offered(settings.server)}
    assert offered == {
        "INBOX": "inbox",
        "Sent": "sent",
        "Aufträge 2024": "plain",
        "Later & more": "plain",
        "Trash": "left-out",
    }
    mailbox_card.keep_folders(desk.account.id, ["Aufträge 2024", "Later & more"])
    desk.watch()
    dovecot.add(mail(1, "moved about"), time.time(), client=client)
    until(lambda: accounted() == 1)
    desk.work()
    for of, to in (("INBOX", wire), (wire, '"Later &- more"')):
        client.select(of)
        assert client._simple_command("MOVE", "1", to)[0] == "OK"
        time.sleep(0.5)
    dovecot.add(mail(2, "sorted in at once"), time.time(), folder=wire, client=client)
    until(lambda: len(journalled()) == 2)
    client.unselect()
    assert client.rename(wire, "Elsewhere")[0] == "OK"

    def problem() -> list[str | None]:
        return [one.problem for one in mailbox_card.counted(desk.account.id) if one.problem is not None]

    until(problem)
    dovecot.add(mail(3, "goes on"), time.time(), folder='"Later &- more"', client=client)
    until(lambda: len(journalled()) == 3)
    client.logout()
    desk.work()
    assert sorted(one.text for one in messages()) == ["goes on", "moved about", "sorted in at once"]
