"""An IMAP server in a thread that returns wrong data, hangs and disconnects on request."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

_TAGGED = re.compile(rb"(\S+) (?:(UID) )?(\S+) ?(.*)\Z", re.DOTALL | re.IGNORECASE)
_XOAUTH2 = re.compile(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01\Z")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\Z")
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|\(([^()]*)\)|(\S+)')


@dataclass
class Mail:
    uid: int
    raw: bytes
    at: datetime


@dataclass
class Folder:
    """A folder: its mails by UID, ascending."""

    flags: str = ""
    uidvalidity: int = 7
    next_uid: int = 1
    mails: list[Mail] = field(default_factory=list)

    def add(self, raw: bytes, at: datetime) -> int:
        self.mails.append(Mail(self.next_uid, raw, at))
        self.next_uid += 1
        return self.next_uid - 1


class _EndedError(Exception):
    """The connection has ended."""


@dataclass
class ImapServer:
    """A mailbox server, with its content and its faults.

    :ivar commands: all received commands, without secret arguments.
    :ivar cut_after: bytes of FETCH responses after which it disconnects; None: never.
    :ivar poison: UIDs of mails during which it disconnects.
    :ivar refuses: UIDs it answers NO for.
    :ivar missing: UIDs it lists but then does not return.
    :ivar says_size: sizes it claims by UID.
    :ivar silent_idle: accepts IDLE and never sends anything.
    :ivar hangs: names of commands it never answers.
    :ivar flags_set: whether anything was marked.
    :ivar accepts: function that returns whether a provider's token is valid for a user (XOAUTH2); None: only
        passwords are accepted.
    """

    user: str = "hello@shop.example"
    password: str = "correct horse"  # noqa: S105 - nobody's
    folders: dict[str, Folder] = field(default_factory=lambda: {"INBOX": Folder()})
    capabilities: str = "IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN SPECIAL-USE"
    context: ssl.SSLContext | None = None
    login_answer: str = ""
    commands: list[str] = field(default_factory=list)
    cut_after: int | None = None
    poison: set[int] = field(default_factory=set)
    refuses: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    says_size: dict[int, int] = field(default_factory=dict)
    silent_idle: bool = False
    hangs: set[str] = field(default_factory=set)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    flags_set: bool = False
    accepts: Callable[[str, str], bool] | None = None
    idling: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    port: int = 0
    connections: list[socket.socket] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(init=False)

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    # ---- control by tests --------------------------------------------------------------------------

    def add(self, raw: bytes, *, at: datetime | None = None, folder: str = "INBOX") -> int:
        with self.changed:
            uid = self.folders[folder].add(raw, at or datetime.now(UTC))
            self.changed.notify_all()
            return uid

    def renumber(self, folder: str = "INBOX") -> None:
        """Renumber the mails of a folder, as after the folder was rebuilt."""
        with self.changed:
            box = self.folders[folder]
            box.uidvalidity += 1
            for number, mail in enumerate(box.mails, start=1):
                mail.uid = number
            box.next_uid = len(box.mails) + 1
        self.drop()

    def drop(self) -> None:
        """Close all connections."""
        for one in list(self.connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def count(self, name: str) -> int:
        return sum(command.split(" ")[0] == name for command in self.commands)

    # ---- serving -----------------------------------------------------------------------------------

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(connection,), daemon=True).start()

    def _connection(self, connection: socket.socket) -> None:
        with suppress(OSError, _EndedError, ssl.SSLError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.connections.append(connection)
            try:
                _Session(self, connection).run()
            finally:
                self.connections.remove(connection)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


class _Session:
    def __init__(self, server: ImapServer, connection: socket.socket) -> None:
        self.server = server
        self.socket = connection
        self.file = connection.makefile("rb")
        self.folder: Folder | None = None
        self.signed_in = False
        self.token = ("", "")
        self.told = 0
        """The number of mails in the folder, as last reported to the client."""

    def say(self, line: str | bytes) -> None:
        self.socket.sendall((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def line(self) -> bytes:
        line = self.file.readline()
        if not line:
            raise _EndedError
        line = line.rstrip(b"\r\n")
        while (literal := _LITERAL.search(line)) is not None:
            if not literal.group(2):
                self.say("+ go on")
            value = self.file.read(int(literal.group(1)))
            rest = self.file.readline().rstrip(b"\r\n")
            line = line[: literal.start()] + b'"' + value.replace(b'"', b'\\"') + b'"' + rest
        return line

    def run(self) -> None:
        self.say(f"* OK [CAPABILITY {self.server.capabilities}] ready")
        while True:
            line = self.line()
            self._check_token()
            found = _TAGGED.match(line)
            if found is None:
                self.say("* BAD what?")
                continue
            tag, uid, name, rest = found.groups()
            command = name.decode().upper()
            self.server.commands.append(command + ("" if command in {"LOGIN"} else f" {rest.decode()}"))
            if command in self.server.before:
                self.server.before[command]()
            if command in self.server.hangs:
                self.file.readline()
                raise _EndedError
            handle = getattr(self, f"do_{command.lower()}", None)
            if handle is None:
                self.say(tag + b" BAD unknown")
                continue
            with self.server.lock:
                answer = handle(tag, rest, bool(uid))
            self.say(tag + b" " + (answer or "OK done").encode())
            if command == "LOGOUT":
                return

    def words(self, rest: bytes) -> list[bytes]:
        return [next(g for g in m.groups() if g is not None) for m in _WORD.finditer(rest)]

    def do_capability(self, _tag: bytes, _rest: bytes, _uid: bool) -> None:
        self.say(f"* CAPABILITY {self.server.capabilities}")

    def do_noop(self, _tag: bytes, _rest: bytes, _uid: bool) -> None:
        if self.folder is not None:
            self.told = len(self.folder.mails)
            self.say(f"* {self.told} EXISTS")

    def do_logout(self, _tag: bytes, _rest: bytes, _uid: bool) -> None:
        self.say("* BYE")

    def _sign_in(self, user: bytes, password: bytes) -> str:
        if self.server.login_answer:
            return self.server.login_answer
        if (user.decode(), password.decode()) != (self.server.user, self.server.password):
            return f"NO [AUTHENTICATIONFAILED] not {password.decode()}"
        self.signed_in = True
        return f"OK [CAPABILITY {self.server.capabilities}] in"

    def do_login(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        user, password = self.words(rest)
        return self._sign_in(user, password)

    def _check_token(self) -> None:
        """End the session once its token is invalid, as Gmail does."""
        if self.token[1] and self.server.accepts is not None and not self.server.accepts(*self.token):
            self.say("* BYE Session expired, please login again.")
            raise _EndedError

    def do_authenticate(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        self.say("+ ")
        if rest.upper() == b"XOAUTH2":
            given = _XOAUTH2.match(base64.b64decode(self.line()).decode())
            user, token = given.groups() if given is not None else ("", "")
            if self.server.accepts is None or not self.server.accepts(user, token):
                self.say("+ " + base64.b64encode(b'{"status":"400","schemes":"Bearer"}').decode())
                if self.line():
                    return "BAD that was to be empty"
                return f"NO [AUTHENTICATIONFAILED] Invalid credentials {token}"
            self.signed_in, self.token = True, (user, token)
            return f"OK [CAPABILITY {self.server.capabilities}] in"
        _, name, password = base64.b64decode(self.line()).split(b"\0")
        return self._sign_in(name, password)

    def do_list(self, _tag: bytes, _rest: bytes, _uid: bool) -> None:
        for name, folder in self.server.folders.items():
            self.say(f'* LIST (\\HasNoChildren {folder.flags}) "/" "{name}"')

    def _select(self, rest: bytes) -> str:
        name = self.words(rest)[0].decode()
        folder = self.folder = self.server.folders.get(name)
        if folder is None:
            return "NO no such folder"
        self.told = len(folder.mails)
        self.say(f"* {self.told} EXISTS")
        self.say("* 0 RECENT")
        self.say(f"* OK [UIDVALIDITY {folder.uidvalidity}] numbers")
        self.say(f"* OK [UIDNEXT {folder.next_uid}] next")
        return "OK [READ-ONLY] open"

    def do_examine(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        return self._select(rest)

    def do_select(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        self.server.flags_set = True
        return self._select(rest)

    def do_store(self, _tag: bytes, _rest: bytes, _uid: bool) -> None:
        self.server.flags_set = True

    def do_status(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        name = self.words(rest)[0].decode()
        folder = self.server.folders.get(name)
        if folder is None:
            return "NO no such folder"
        self.say(
            f'* STATUS "{name}" (MESSAGES {len(folder.mails)} UIDNEXT {folder.next_uid} '
            f"UIDVALIDITY {folder.uidvalidity})"
        )
        return ""

    def do_search(self, _tag: bytes, rest: bytes, _uid: bool) -> None:
        assert self.folder is not None
        words = rest.decode().split()
        found = [mail.uid for mail in self.folder.mails]
        if words[0] == "UID":
            found = sorted(self._numbers(words[1].encode()))
        elif words[0] == "SINCE":
            day = datetime.strptime(words[1].strip('"'), "%d-%b-%Y").replace(tzinfo=UTC)
            found = [mail.uid for mail in self.folder.mails if mail.at >= day]
        self.say("* SEARCH " + " ".join(map(str, found)))

    def _numbers(self, given: bytes) -> set[int]:
        assert self.folder is not None
        last = self.folder.mails[-1].uid if self.folder.mails else 0
        found: set[int] = set()
        have = {mail.uid for mail in self.folder.mails}
        for part in given.decode().split(","):
            first, _, end = part.partition(":")
            low = last if first == "*" else int(first)
            high = low if not end else last if end == "*" else int(end)
            low, high = min(low, high), max(low, high)
            if low == high:
                found |= {low} & have
                continue
            found |= {uid for uid in have if low <= uid <= high}
        return found

    def do_fetch(self, _tag: bytes, rest: bytes, _uid: bool) -> str:
        assert self.folder is not None
        given, _, what = rest.partition(b" ")
        wanted = self._numbers(given)
        asked = what.decode()
        if "BODY[" in asked:
            self.server.flags_set = True
        for sequence, mail in enumerate(self.folder.mails, start=1):
            if mail.uid not in wanted or mail.uid in self.server.missing:
                continue
            if "BODY.PEEK[]" in asked and mail.uid in self.server.refuses:
                return "NO [SERVERBUG] cannot open it"
            self._send(sequence, mail, asked)
        return ""

    def _send(self, sequence: int, mail: Mail, asked: str) -> None:
        server = self.server
        head = f"* {sequence} FETCH (UID {mail.uid}"
        if "INTERNALDATE" in asked:
            head += f' INTERNALDATE "{mail.at.strftime("%d-%b-%Y %H:%M:%S +0000")}"'
        if "RFC822.SIZE" in asked:
            head += f" RFC822.SIZE {server.says_size.get(mail.uid, len(mail.raw))}"
        if "HEADER.FIELDS" in asked:
            lines = mail.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
            names = (b"message-id:", b"in-reply-to:", b"references:")
            value = b"".join(one + b"\r\n" for one in lines if one.lower().startswith(names)) + b"\r\n"
            name = asked[asked.index("BODY.PEEK[") :].rstrip(")").replace(".PEEK", "")
            head += f" {name if name.endswith(']') else name + ')]'} "
        elif "BODY.PEEK[]" in asked:
            value = mail.raw
            part = re.search(r"<(\d+)\.(\d+)>", asked)
            name = "BODY[]"
            if part is not None:
                start, length = map(int, part.groups())
                value, name = value[start : start + length], f"BODY[]<{start}>"
            head += f" {name} "
        else:
            self.say(head + ")")
            return
        line = head.encode() + b"{%d}\r\n" % len(value)
        if "BODY.PEEK[]" in asked and mail.uid in server.poison:
            self.socket.sendall(line + value[: len(value) // 2])
            raise _EndedError
        if server.cut_after is not None:
            if len(line) + len(value) > server.cut_after:
                self.socket.sendall((line + value)[: server.cut_after])
                server.cut_after = None
                raise _EndedError
            server.cut_after -= len(line) + len(value)
        self.socket.sendall(line + value)
        self.say(")")

    def do_idle(self, tag: bytes, _rest: bytes, _uid: bool) -> str:
        assert self.folder is not None
        server, folder = self.server, self.folder
        self.say("+ idling")
        server.idling.release()
        self.socket.settimeout(0.02)
        line = b""
        try:
            while True:
                try:
                    more = self.socket.recv(100)
                    if not more:
                        raise _EndedError
                    line += more
                    if line.endswith(b"\n"):
                        return "OK idle is over"
                except TimeoutError:
                    pass
                self._check_token()
                server.changed.wait(0.02)
                if len(folder.mails) != self.told and not server.silent_idle:
                    self.told = len(folder.mails)
                    self.say(f"* {self.told} EXISTS")
        finally:
            self.socket.settimeout(None)


@contextmanager
def running(server: ImapServer) -> Iterator[ImapServer]:
    """Serve on a local port."""
    listener = socket.create_server(("127.0.0.1", server.port))
    server.port = listener.getsockname()[1]
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.drop()
        thread.join(5)
