"""A real mail server hands its mail to the desk by LMTP, where one is installed: apt-get install postfix."""

from __future__ import annotations

import os
import re
import shutil
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from demo.processes import free_port
from tests.email.conftest import Outside, connect
from tests.email.test_imap import until
from tests.email.test_receiving import MAIL, Desk, listening

__all__ = ["listening"]

POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/local/sbin")


def _skip(reason: str) -> None:
    if os.environ.get("LOBBY_REQUIRE_SERVICES") == "1":
        pytest.fail(f"LOBBY_REQUIRE_SERVICES is set, and {reason}")
    pytest.skip(reason)


SETTINGS = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.shop.example
mydestination =
alias_maps =
local_recipient_maps =
relay_domains = shop.example
relay_transport = lmtp:inet:127.0.0.1:{desk}
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
"""
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """An instance with its own settings and queue.

    :ivar port: where it takes mail.
    """

    def __init__(self, folder: Path, desk: int) -> None:
        self.folder, self.port = folder, free_port()
        settings = folder / "settings"
        for path in (folder, settings, folder / "queue", folder / "data"):
            path.mkdir()
            path.chmod(0o755)  # whatever the umask of this process
        shutil.chown(folder / "data", "postfix")
        (settings / "main.cf").write_text(SETTINGS.format(folder=folder, desk=desk))
        (settings / "master.cf").write_text(SERVICES.format(port=self.port))

    def run(self, *command: str) -> None:
        assert POSTFIX is not None
        words = [POSTFIX, "-c", str(self.folder / "settings"), *command]
        # Not this process's umask: Postfix reads with a user of its own.
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, umask=0o022)
        assert done.returncode == 0, done.stderr + self.log()

    def start(self) -> None:
        self.run("start")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(OSError), smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return
            time.sleep(0.05)
        raise AssertionError(self.log())

    def log(self) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / "log").read_text()
        return ""

    def states(self) -> list[tuple[str, str]]:
        """Return what became of each recipient of shop.example, in order: the address and the state."""
        return re.findall(r"lmtp.* to=<([^@]+)@shop\.example>.* status=(\w+)", self.log())

    def take(self, *names: str) -> str:
        """Send a mail to people of shop.example; return what it is called in the queue."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            client.ehlo()
            client.mail("bounce@example.org")
            for name in names:
                assert client.rcpt(f"{name}@shop.example")[0] == 250
            return client.data(MAIL)[1].split()[-1].decode()


@pytest.fixture
def postfix(listening: Desk) -> Iterator[Postfix]:
    if POSTFIX is None:
        _skip("Postfix is not installed")
    if os.geteuid() != 0:
        _skip("Postfix has to be started by root")
    folder = Path("/tmp") / f"postfix-{os.getpid()}"  # short: paths of sockets are
    shutil.rmtree(folder, ignore_errors=True)
    server = Postfix(folder, listening.port)
    try:
        server.start()
        yield server
    finally:
        with suppress(AssertionError):
            server.run("stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_postfix_delivers_to_one_to_two_and_to_those_that_are_known(
    postfix: Postfix, listening: Desk, outside: Outside
) -> None:
    second = connect(outside, listening.account.workspace_id, address="orders@shop.example")
    sent = [("hello",), ("hello", "orders"), ("hello", "nobody", "orders"), ("nobody",)]
    for names in sent:
        done = f" {postfix.take(*names)}: removed"
        until(partial(_says, postfix, done), 30)
    known = {"hello": listening.account.id, "orders": second.id}
    expected = [(name, "sent" if name in known else "bounced") for names in sent for name in names]
    assert sorted(postfix.states()) == sorted(expected)
    taken = [{one.account_id for one in envelopes} for _, envelopes in listening.journal.taken]
    assert taken == [{known["hello"]}, set(known.values()), set(known.values())]


@pytest.mark.slow
def test_postfix_tries_again_what_the_desk_cannot_store(postfix: Postfix, listening: Desk) -> None:
    listening.journal.broken = True
    postfix.take("hello")
    until(lambda: postfix.states() == [("hello", "deferred")], 30)
    listening.journal.broken = False
    postfix.run("flush")
    until(lambda: postfix.states() == [("hello", "deferred"), ("hello", "sent")], 30)
    assert len(listening.journal.taken) == 1


def _says(server: Postfix, words: str) -> bool:
    return words in server.log()
