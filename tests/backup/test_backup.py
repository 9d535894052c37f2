"""A backup is whole or is none, and a restored desk sends nothing that nobody asked for."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from host.backup import archive, making, restoring
from host.backup.archive import BackupError
from host.backup.restoring import Waiting
from host.cli.commands import main
from host.core import clock, db, secrets, storage
from host.core.config import Config
from host.delivery.history import OutageWatch
from host.models.inbox import Attachment, AttachmentState, Message
from host.models.queue import MOST_IN_ROW, CatchUp, InboundEvent
from host.models.users import AuditEntry
from host.push import devices
from host.push.models import PushDevice
from host.queue import journal_rows
from host.queue.bodies import stored
from host.queue.journal import Journal
from host.queue.spool import Spool, folder_of
from host.sdk.channel import Found
from host.sdk.webhooks import Envelope
from host.users import sessions
from tests import helpers
from tests.delivery.desk import Desk, envelope
from tests.helpers import do_desk
from tests.live.served import until
from tests.push.service import BrowserKeys

PASSPHRASE = "a long one"
COST = archive._COST


@pytest.fixture(autouse=True)
def _nobody_tries_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_COST", 2**4)


@pytest.fixture
def settings(database: db.Database, data: Path) -> Config:
    """The settings of a desk with keys of its own in its data folder."""
    settings = helpers.make_config(data, session_key="")
    secrets.use(secrets.load_keyring(settings))
    storage.use(storage.FolderStore(data / "attachments"))
    return settings


@pytest.fixture
def desk(settings: Config) -> Desk:
    return Desk()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.backup"


def silent(_: str) -> None:
    pass


def make(settings: Config, file: Path, passphrase: str | None = PASSPHRASE) -> archive.Contents:
    return making.make(settings, file, passphrase=passphrase, tell=silent)


def restore(
    file: Path,
    data: Path,
    waiting: Waiting = Waiting.CHECK,
    passphrase: str | None = PASSPHRASE,
    *,
    unverified: bool = False,
) -> list[str]:
    """Restore *file* into *data*; this process works on the restored desk afterwards."""
    settings = helpers.make_config(data, session_key="")
    with archive.reading(file) as source:
        restoring.read_through(source)
        left_out = restoring.restore(
            settings, source, waiting=waiting, passphrase=passphrase, tell=silent, unverified=unverified
        )
    db.connect(settings.database_url)
    storage.use(storage.FolderStore(data / "attachments"))
    return left_out


def with_a_file(desk: Desk, content: bytes) -> str:
    """Let a customer's message have a file; return its key."""
    key = storage.store(content)
    conversation = desk.customer_wrote()

    def add(session: db.Session) -> None:
        message = session.scalars(sa.select(Message).where(Message.conversation_id == conversation)).one()
        row = Attachment(workspace_id=desk.workspace_id, message_id=message.id, kind="file", name="a.txt")
        row.content_type, row.storage_key, row.state = "text/plain", key, AttachmentState.STORED
        session.add(row)

    db.write(add)
    return key


def test_a_desk_comes_back_with_its_files_and_its_keys(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert COST >= 2**16
    monkeypatch.setattr(archive, "_COST", COST)
    key = with_a_file(desk, b"a picture")
    before = (settings.data / "secret.keys").read_text()
    contents = make(settings, file)
    assert contents.tables["messages"] == 1
    assert contents.files == 1
    assert "login_sessions" not in contents.tables
    elsewhere = tmp_path / "elsewhere"
    assert restore(file, elsewhere) == []
    assert desk.texts() == ["hello"]
    with storage.open_stored(key) as kept:
        assert kept.read() == b"a picture"
    assert (elsewhere / "secret.keys").read_text().strip() == before.strip()
    assert (elsewhere / "secret.keys").stat().st_mode & 0o077 == 0
    assert file.stat().st_mode & 0o077 == 0


def test_a_body_of_many_rows_comes_back_whole(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = bytes(range(256)) * (3 * MOST_IN_ROW // 256) + b"end"
    made = [
        Envelope(account_id=7, lane="", dedupe_key=str(n), kind="mail", body=body + b"%d" % n)
        for n in range(2)
    ]
    db.write(lambda session: journal_rows.write(session, source="toy", channel="toy", envelopes=made))
    make(settings, file)
    written: list[int] = []
    portions = restoring._portions

    def noted(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
        for some in portions(rows):
            written.append(sum(len(str(row)) for row in some))
            yield some

    monkeypatch.setattr(restoring, "_portions", noted)
    restore(file, tmp_path / "elsewhere")
    with db.read() as session:
        found = [
            stored.whole(session, one.id, one.body)
            for one in session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id))
        ]
    assert found == [one.body for one in made]
    assert max(written) < restoring._CHARACTERS + 2 * MOST_IN_ROW


def test_browsers_that_get_pushes_stay_with_the_original(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = helpers.make_user(workspace=helpers.make_workspace()).id
    token = db.write(sessions.start, user, "192.0.2.7")
    with db.read() as session:
        signed_in = sessions.load(session, token)
    assert signed_in
    given = BrowserKeys().subscription("https://fcm.googleapis.com/x")
    do_desk(devices.add, signed_in.session_id, given, name="Firefox", more=(), actor=user)
    assert "push_devices" not in make(settings, file).tables
    file.unlink()
    # As versions before made it.
    monkeypatch.setattr(making, "PASSING", making.PASSING - making.PUSHES)
    assert make(settings, file).tables["push_devices"] == 1
    assert restore(file, tmp_path / "elsewhere") == []
    with db.read() as session:
        assert session.scalars(sa.select(PushDevice)).all() == []


@pytest.mark.slow
def test_a_publisher_whose_key_was_stolen_stays_shut_out(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    """Else what the key signed would run again."""
    said = "revoked ed25519 6n0ZaV4j3nQ0mYw7yqf0Vb0iM0p9cQ1sXo3m1o5c2dE= Sample Publisher\n"
    (settings.data / "trusted.keys").write_text(said)
    make(settings, file)
    elsewhere, third = tmp_path / "elsewhere", tmp_path / "third"
    restore(file, elsewhere)
    assert (elsewhere / "trusted.keys").read_text() == said
    third.mkdir()
    (third / "trusted.keys").write_text("# mine\n")
    restore(file, third)
    assert (third / "trusted.keys").read_text() == "# mine\n", "what is there stays"


def test_the_restored_desk_goes_on_counting_where_it_was(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    first = desk.customer_wrote("anna")
    make(settings, file)
    restore(file, tmp_path / "elsewhere")
    assert desk.customer_wrote("anna") == first
    assert desk.customer_wrote("ben") > first


# What had not left


@pytest.mark.parametrize("sent_since", [False, True])
def test_a_reply_that_had_not_left_is_looked_for_and_never_sent(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, sent_since: bool
) -> None:
    message = desk.reply("Yes, three.", desk.customer_wrote())
    make(settings, file)
    if sent_since:
        desk.drain()
        assert len(desk.toy.sent) == 1
        desk.toy.searches.append(Found("mid-1"))
    already = len(desk.toy.sent)
    restore(file, tmp_path / "elsewhere")
    desk.drain()
    with_time(desk)
    assert len(desk.toy.sent) == already
    assert desk.toy.searched
    assert desk.state(message) == ("sent" if sent_since else "unknown")


def with_time(desk: Desk) -> None:
    """Let an hour pass."""
    for _ in range(6):
        with clock.travel(timedelta(minutes=10)):
            desk.drain()


def test_what_had_not_left_is_sent_where_the_operator_says_so(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    message = desk.reply("Yes, three.", desk.customer_wrote())
    make(settings, file)
    restore(file, tmp_path / "elsewhere", Waiting.SEND)
    desk.drain()
    assert (len(desk.toy.sent), desk.state(message)) == (1, "sent")


def test_what_had_not_left_is_noted_as_failed_where_the_operator_says_so(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    message = desk.reply("Yes, three.", desk.customer_wrote())
    make(settings, file)
    restore(file, tmp_path / "elsewhere", Waiting.DROP)
    with_time(desk)
    assert (len(desk.toy.sent), desk.state(message)) == (0, "failed")
    error = desk.message(message).error
    assert error is not None
    assert "restored from a backup" in error["sentence"]


def test_how_many_wait_is_known_before_anything_is_restored(desk: Desk, settings: Config, file: Path) -> None:
    conversation = desk.customer_wrote()
    desk.reply("One", conversation)
    desk.drain()
    desk.reply("Two", conversation)
    make(settings, file)
    with archive.reading(file) as source:
        assert restoring.open_replies(source) == 1


@pytest.mark.slow
def test_what_lay_in_the_spool_is_taken_in_after_restoring(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    """It was answered with 200 while the database was away: its provider will not send it again."""
    journal = Journal(folder_of(settings.data), spool_bytes=2**20)
    journal.start()
    journal._away_until = float("inf")
    journal.ingest(
        source="/hook", channel="email", raw=b"", remote="", envelopes=[envelope(desk.account.id, "m-1")]
    )
    journal.stop()
    assert Spool(folder_of(settings.data))
    assert make(settings, file).spooled == 1
    elsewhere = tmp_path / "elsewhere"
    restore(file, elsewhere)
    again = Journal(folder_of(elsewhere), spool_bytes=2**20)
    again.start()
    until(lambda: not list(folder_of(elsewhere).glob("*.*")))
    again.stop()
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(InboundEvent)) == 1


@pytest.mark.parametrize("waiting", [Waiting.CHECK, Waiting.SEND])
def test_what_came_since_is_asked_for_however_short_that_is_ago(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, waiting: Waiting
) -> None:
    """The desk that is gone had answered for it, so nobody delivers it again."""
    OutageWatch().check()
    noted = clock.now()
    make(settings, file)
    with clock.travel(timedelta(minutes=5)):
        restore(file, tmp_path / "elsewhere", waiting)
    with db.read() as session:
        found = session.scalars(sa.select(CatchUp)).all()
    assert [(one.account_id, one.next_at is not None) for one in found] == (
        [(desk.account.id, True)] if waiting is Waiting.CHECK else []
    )
    assert all(one.missed_since is not None and one.missed_since <= noted for one in found)


# What is refused


def test_a_name_that_is_taken_is_left_alone(desk: Desk, settings: Config, file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(BackupError, match="there already"):
        make(settings, file)
    assert file.read_text() == "mine"


def test_a_backup_that_cannot_be_finished_leaves_nothing(
    desk: Desk, settings: Config, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_file(desk, b"a picture")

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "open_stored", full)
    with pytest.raises(BackupError, match="No space left"):
        make(settings, file)
    assert list(file.parent.glob("desk.backup*")) == []


def test_a_file_taken_back_meanwhile_is_named(desk: Desk, settings: Config, file: Path) -> None:
    key = with_a_file(desk, b"a picture")
    storage.current().remove(key, in_use=lambda: False)
    assert make(settings, file).missing == [key]


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def without_list(file: Path) -> None:
    rewrite(file, lambda name, content: None if name == archive.LIST else content)


def with_a_changed_row(file: Path) -> None:
    rewrite(
        file, lambda name, content: content.replace(b"hello", b"hallo") if "messages" in name else content
    )


def of_a_later_form(file: Path) -> None:
    rewrite(
        file,
        lambda name, content: (
            content.replace(b'"format": 1', b'"format": 9') if name == archive.LIST else content
        ),
    )


def of_a_newer_lobby(file: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'"alembic_version": "0', b'"alembic_version": "9')
            if name == archive.LIST
            else content
        )

    rewrite(file, change)


def rewrite(file: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write the zip anew with other contents; None: without this one."""
    with zipfile.ZipFile(file) as zipped:
        contents = {name: change(name, zipped.read(name)) for name in zipped.namelist()}
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in contents.items():
            if content is not None:
                zipped.writestr(name, content)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (cut, "cut off"),
        (without_list, "cut off"),
        (with_a_changed_row, "not as it was written"),
        (of_a_later_form, "does not know"),
        (of_a_newer_lobby, "does not know its tables"),
        (lambda file: file.write_bytes(b"PK\x03\x04 nothing"), "no backup of Lobby"),
    ],
)
def test_what_is_no_whole_backup_is_refused_before_anything_is_touched(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    desk.customer_wrote()
    make(settings, file)
    spoil(file)
    with pytest.raises(BackupError, match=says):
        restore(file, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change what is in a backup, and put the digests in its list right, as somebody would who has no key."""
    with zipfile.ZipFile(file) as zipped:
        parts = {name: zipped.read(name) for name in zipped.namelist()}
    change(parts)
    listed = json.loads(parts[archive.LIST])
    listed["digests"] = {name: hashlib.sha256(parts[name]).hexdigest() for name in listed["digests"]}
    parts[archive.LIST] = json.dumps(listed).encode()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in parts.items():
            zipped.writestr(name, content)


def with_an_admin(parts: dict[str, bytes]) -> None:
    users = parts["tables/users.jsonl"].replace(b'"is_admin": false', b'"is_admin": true')
    assert users != parts["tables/users.jsonl"]
    parts["tables/users.jsonl"] = users


def without_signature(parts: dict[str, bytes]) -> None:
    del parts[archive.SIGNATURE]


def of_another_desk(parts: dict[str, bytes]) -> None:
    stranger = secrets.Keyring({"k1": b"x" * 32})
    parts[archive.SIGNATURE] = stranger.sign(
        "backup", hashlib.sha256(parts[archive.LIST]).hexdigest()
    ).encode()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_an_admin, "did not sign this backup"),
        (of_another_desk, "did not sign this backup"),
        (without_signature, "has no signature"),
    ],
)
def test_what_the_keys_of_the_desk_did_not_sign_is_restored_only_where_the_operator_says_so(
    desk: Desk,
    settings: Config,
    file: Path,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], None],
    says: str,
) -> None:
    helpers.make_user("kim@example.com", workspace=desk.workspace_id)
    desk.customer_wrote()
    make(settings, file)
    rewritten(file, change)
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(BackupError, match=f"{says}.*--unverified"):
        restore(file, elsewhere)
    assert not (elsewhere / "lobby.sqlite3").exists()
    assert restore(file, elsewhere, unverified=True) == []
    assert desk.texts() == ["hello"]
    assert [says in entry.details["problem"] for entry in audited()] == [True]


def test_entries_that_the_list_does_not_name_are_named_and_not_restored(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    make(settings, file)
    with archive.reading(file) as source:
        assert source.unlisted() == []
    table = "tables/users.jsonl"
    with zipfile.ZipFile(file, "a") as zipped, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the zip has this name already
        whole = zipped.read(table)
        for name in ("../evil.sh", "tables/evil.jsonl", "x\x1b[31m"):
            zipped.writestr(name, b"evil")
        zipped.writestr(table, whole)
        for number in range(30):
            zipped.writestr(f"z{number:02}", b"")
    data = tmp_path / "elsewhere"
    environment = {"LOBBY_DATA": str(data), "LOBBY_DATABASE_URL": f"sqlite:///{data / 'lobby.sqlite3'}"}
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    asked = ["restore", str(file), "--passphrase-file", str(tmp_path / "passphrase")]
    done = CliRunner().invoke(main, asked, env=environment)
    assert done.exit_code == 0, done.output
    named = re.findall(r"^(.*) is not restored", done.output, re.M)
    assert named[:4] == ["'../evil.sh'", "'tables/evil.jsonl'", f"'{table}'", "'x\\x1b[31m'"]
    assert len(named) == 20
    assert "14 more entries are not restored" in done.output
    assert "\x1b" not in done.output
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    "row", [b'{"open": ' + b"1" * 5000 + b"}", b"[" * 100_000, b"{"], ids=["digits", "deep", "cut"]
)
def test_a_row_that_is_no_json_is_named(desk: Desk, settings: Config, file: Path, row: bytes) -> None:
    make(settings, file)
    rewritten(file, lambda parts: parts.update({"tables/outbox.jsonl": row}))
    with (
        archive.reading(file) as source,
        pytest.raises(BackupError, match=r"tables/outbox\.jsonl in this backup cannot be read"),
    ):
        restoring.open_replies(source)


def test_a_signed_backup_is_restored_without_a_word_whatever_is_asked_for(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    make(settings, file)
    restore(file, tmp_path / "elsewhere", unverified=True)
    assert audited() == []


def test_a_backup_from_before_the_keys_were_changed_is_still_the_desks(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    make(settings, file, passphrase=None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = (settings.data / "secret.keys").read_text().strip()
    (elsewhere / "secret.keys").write_text("k2:" + "B" * 43 + "=," + before)
    assert restore(file, elsewhere, passphrase=None) == []


def audited() -> Sequence[AuditEntry]:
    with db.read() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "desk.restored_unverified")
        return session.scalars(query).all()


def test_a_place_with_a_desk_in_it_is_refused(desk: Desk, settings: Config, file: Path) -> None:
    desk.customer_wrote()
    make(settings, file)
    with pytest.raises(BackupError, match="there already"):
        restore(file, settings.data)
    assert desk.texts() == ["hello"]


def test_another_passphrase_opens_nothing(desk: Desk, settings: Config, file: Path, tmp_path: Path) -> None:
    make(settings, file)
    with pytest.raises(BackupError, match="passphrase does not open"):
        restore(file, tmp_path / "elsewhere", passphrase="another one")
    assert PASSPHRASE.encode() not in file.read_bytes()


def test_without_the_keys_nothing_is_restored(
    desk: Desk, settings: Config, file: Path, tmp_path: Path
) -> None:
    contents = make(settings, file, passphrase=None)
    assert not contents.keys
    key = (settings.data / "secret.keys").read_text().partition(":")[2].strip()
    with zipfile.ZipFile(file) as zipped:
        assert not any(key.encode() in zipped.read(name) for name in zipped.namelist())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(BackupError, match=r"secret\.keys is missing"):
        restore(file, elsewhere, passphrase=None)
    (elsewhere / "secret.keys").write_text("k1:" + "B" * 43 + "=")
    with pytest.raises(BackupError, match="not those of the backup"):
        restore(file, elsewhere, passphrase=None)
    assert not (elsewhere / "lobby.sqlite3").exists()
    shutil.copy(settings.data / "secret.keys", elsewhere / "secret.keys")
    assert restore(file, elsewhere, passphrase=None) == []


def test_a_restore_that_dies_leaves_the_place_empty_for_the_next(
    desk: Desk, settings: Config, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.customer_wrote()
    make(settings, file)
    elsewhere = tmp_path / "elsewhere"
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "_count", lambda *_: (_ for _ in ()).throw(RuntimeError("died")))
        with pytest.raises(RuntimeError, match="died"):
            restore(file, elsewhere)
    assert not list(elsewhere.glob("lobby.sqlite3*"))
    assert restore(file, elsewhere) == []
    assert desk.texts() == ["hello"]


# Values


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (b"\x00\xff", sa.LargeBinary()),
        (None, sa.Text()),
        ("null", sa.Text()),
        ("😀 \u202e", sa.Text()),
        (2**63 - 1, sa.BigInteger()),
        (True, sa.Boolean()),
    ],
)
def test_a_value_comes_back_as_it_was(value: object, column: sa.types.TypeEngine[object]) -> None:

    assert archive.value_for(column, json.loads(json.dumps(archive.plain(value)))) == value


def test_a_time_is_the_same_moment_with_and_without_a_zone() -> None:
    now = clock.now()
    aware = archive.value_for(sa.DateTime(timezone=True), archive.plain(now))
    naive = archive.value_for(sa.DateTime(), archive.plain(now.replace(tzinfo=None)))
    assert aware == now
    assert naive == now.replace(tzinfo=None)
