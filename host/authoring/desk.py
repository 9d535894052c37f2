"""A trial desk for an addon: real tables, pages and delivery, in this process and thread.

For an addon's tests and for ``lobby addon check``. A process has one database at a time, and so one trial
desk at a time.
"""

from __future__ import annotations

import functools
import io
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import Client, TestResponse

from host import counters
from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.addons.package.manifest import Manifest, read_manifest
from host.addons.running import contributions
from host.channels import connecting
from host.channels.accounts import disconnect_account
from host.channels.other_workspaces import taken_sentence
from host.channels.pages import forms
from host.core import clock, config, db, guard, migrations
from host.delivery import results, waiting
from host.delivery.worker import drain
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.media import fetching, uploads
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, ContactIdentity, Conversation, Message
from host.models.queue import Lane
from host.process.serving import HostApplication
from host.queue import send_limiter
from host.sdk.cards import Asked, ConnectRequest, Problems
from host.sdk.channel import AccountRef, ChannelAdapter
from host.users import sessions, users, workspaces
from host.users.reach import ALL_ACCOUNTS

PUBLIC_URL = "http://localhost"
MOST_ROUNDS = 20
LIMIT_STEP = timedelta(seconds=0.25)


class NotActivatedError(Exception):
    """The addon could not be installed or activated. The message has the reason."""


class RefusedByCardError(Exception):
    """The card refused to connect the account.

    :ivar problems: sentences by field name; ``""`` for those without a field.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {words}".lstrip(": ") for name, words in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class TrialFile:
    """A file of a message. *state* is one of :class:`host.models.inbox.AttachmentState`."""

    id: int
    kind: str
    name: str
    content_type: str
    state: str


@dataclass(frozen=True, slots=True)
class TrialMessage:
    """A message in the inbox.

    :param direction: ``inbound``, ``outbound`` or ``internal``.
    :param state: of an outbound one: ``queued``, ``sending``, ``sent``, ``read``, ``failed``, ``unknown``.
    :param error: the sentence shown next to a failed or unknown one.
    """

    id: int
    external_id: str | None
    direction: str
    kind: str
    text: str
    content: Mapping[str, Any]
    state: str | None
    error: str
    reply_to: str | None
    edited: bool
    files: tuple[TrialFile, ...]


class TrialDesk:
    """A desk with one workspace, its owner, and the active addon. See :func:`trial_desk`."""

    def __init__(self, application: HostApplication, manifest: Manifest, time: ExitStack) -> None:
        self.application = application
        self.manifest = manifest
        self._time = time
        owner = db.write(lambda s: users.create(s, "owner@example.com", "Mia R.", uuid.uuid4().hex, True))
        self.owner_id: int = owner.id
        self.workspace_id: int = db.write(lambda s: workspaces.create(s, "Sample", owner.id).id)

    def adapter(self, channel: str) -> ChannelAdapter:
        """Return the adapter of a channel that the desk uses.

        :raises KeyError: if no addon has that channel.
        """
        found = self.application.generation().directory.adapter(channel)
        if found is None:
            raise KeyError(channel)
        return found

    def module(self, name: str) -> Any:
        """Return a module of the running addon, such as ``sending``."""
        import importlib

        release = self.application.generation().releases[self.manifest.slug]
        return importlib.import_module(f"{release.module_name}.{name}")

    def connect(
        self, channel: str, values: Mapping[str, str], *, account: AccountRef | None = None
    ) -> AccountRef:
        """Press Save on the card of *channel* with *values* typed in, and return the account.

        :param account: the account to change; None: connect a new one.
        :raises RefusedByCardError: if the card returns problems, or a field refuses its value.
        """
        card = self.application.generation().directory.card(channel)
        if card is None:
            raise KeyError(channel)
        with self.application.generation().app.test_request_context():
            entered = forms.read_form(card.fields, values, editing=account is not None)
            if entered.errors:
                raise RefusedByCardError(entered.errors)
            taken = functools.partial(taken_sentence, self.workspace_id, channel)
            answer = card.connect(
                ConnectRequest(self.workspace_id, account, entered.clean, taken, by_admin=True)
            )
        if isinstance(answer, Asked):
            raise RefusedByCardError({"": str(answer.sentence)})
        if isinstance(answer, Problems):
            raise RefusedByCardError({name: str(words) for name, words in answer.by_field.items()})
        return connecting.save(
            workspace_id=self.workspace_id,
            channel=channel,
            connection=answer,
            account_id=None if account is None else account.id,
        )

    def disconnect(self, account: AccountRef) -> None:
        """Disconnect *account*, then let its card tell the provider."""
        db.write(disconnect_account, account.id)
        card = self.application.generation().directory.card(account.channel)
        if card is not None:
            card.disconnect(account)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Post to the desk like a provider."""
        return Client(self.application).post(path, data=body, headers=dict(headers or {}))

    def get(self, path: str) -> TestResponse:
        """Request a page of the desk as its owner, who is an admin too."""
        browser = self.application.generation().app.test_client()
        with browser.session_transaction() as session:
            session["login"] = db.write(sessions.start, self.owner_id, "127.0.0.1")
        answer = browser.get(path, follow_redirects=True)
        if "content-length" in answer.headers:
            answer.get_data()  # so that no file stays open
            answer.close()
        return answer

    def work(self) -> None:
        """Do all due work: apply events, send replies, fetch files."""
        directory = self.application.generation().directory
        for _ in range(MOST_ROUNDS):
            done = drain(self.application.generation)
            if not done + fetching.fetch_due(directory):
                return

    def later(self, by: timedelta) -> None:
        """Advance the time, and do all work when it becomes due, such as replies that wait for a limit."""
        end = clock.now() + by
        while (now := clock.now()) < end:
            self._time.enter_context(clock.travel(self._next_due(now, end) - now))
            waiting.wake_probes()
            self.work()

    @staticmethod
    def _next_due(now: datetime, end: datetime) -> datetime:
        with db.read() as session:
            lanes = sa.select(Lane.next_at.label("at")).where(Lane.next_at > now)
            probes = sa.select(ChannelAccount.probe_at).where(ChannelAccount.probe_at > now)
            soonest = lanes.union_all(probes).subquery().c.at
            due = session.scalar(sa.select(sa.func.min(soonest)).where(soonest < end))
        # Lanes held back by a limit of the whole account are already due, so continue in small steps.
        step = min(now + LIMIT_STEP, end) if send_limiter.current().closed() else end
        return step if due is None else min(due, step)

    def run_job(self, name: str) -> None:
        """Run one of the addon's jobs now.

        :raises KeyError: if it has no such job.
        """
        {job.name: job for _, job in self.application.generation().each(contributions.JOBS)}[name].run()

    def messages(self, contact: str) -> list[TrialMessage]:
        """Return the messages of *contact* (the provider's id) and the team, oldest first."""
        with db.read() as session:
            conversation = self._conversation(session, contact)
            if conversation is None:
                return []
            rows = session.scalars(
                sa.select(Message)
                .where(Message.conversation_id == conversation.id)
                .order_by(Message.sent_at, Message.id)
            ).all()
            files: dict[int, list[TrialFile]] = {}
            for one in session.scalars(
                sa.select(Attachment).where(Attachment.message_id.in_([row.id for row in rows]))
            ):
                found = TrialFile(one.id, one.kind, one.name, one.content_type, one.state)
                files.setdefault(one.message_id, []).append(found)
            return [_plain(row, tuple(files.get(row.id, ()))) for row in rows]

    def file(self, file: TrialFile) -> bytes:
        """Return the bytes of *file* as a person who opens it receives them."""
        answer = self.get(f"/w/{self.workspace_id}/media/{file.id}")
        if answer.status_code != 200:
            raise FileNotFoundError(f"the desk answers {answer.status_code}")
        return bytes(answer.data)

    def reply(
        self,
        contact: str,
        text: str = "",
        *,
        files: Sequence[tuple[str, bytes]] = (),
        quote: int | None = None,
    ) -> None:
        """Press Send in the conversation with *contact*.

        :param files: name and bytes of each.
        :param quote: id of the quoted message, see :class:`TrialMessage`.
        :raises host.core.errors.LobbyError: if it cannot be sent, with the sentence of the composer.
        """
        with db.read() as session:
            conversation = self._conversation(session, contact)
        if conversation is None:
            raise KeyError(contact)
        adapter = self.adapter(conversation.channel)
        # Otherwise a reply would wait because of failures that an earlier test simulated.
        db.write(results.note_recovered, conversation.account_id)
        taken = [
            uploads.keep_upload(
                io.BytesIO(data),
                name,
                workspace_id=self.workspace_id,
                user_id=self.owner_id,
                media=adapter.capabilities.media,
            ).id
            for name, data in files
        ]
        db.write(
            queue_parts,
            workspace_id=self.workspace_id,
            conversation_id=conversation.id,
            author_id=self.owner_id,
            drafts=[Draft(text=text, uploads=tuple(taken), reply_to=quote)],
            reply_key=uuid.uuid4().hex,
            adapter=adapter,
            now=clock.now(),
            accounts=ALL_ACCOUNTS,
        )

    def _conversation(self, session: Session, contact: str) -> Conversation | None:
        return session.scalar(
            sa.select(Conversation)
            .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
            .where(ContactIdentity.external_id == contact)
            .order_by(Conversation.id.desc())
            .limit(1)
        )


def _plain(row: Message, files: tuple[TrialFile, ...]) -> TrialMessage:
    return TrialMessage(
        id=row.id,
        external_id=row.external_id,
        direction=row.direction,
        kind=row.kind,
        text=row.text,
        content=dict(row.content),
        state=row.state,
        error=(row.error or {}).get("sentence", ""),
        reply_to=row.reply_to,
        edited=row.edited_at is not None,
        files=files,
    )


@contextmanager
def trial_desk(
    folder: Path,
    data: Path,
    *,
    settings: Mapping[str, str] | None = None,
    reach: Sequence[str] = (),
    public_url: str = PUBLIC_URL,
) -> Iterator[TrialDesk]:
    """Build the addon in *folder*, install it on a new desk and activate it.

    :param data: an empty folder for the desk's database and files.
    :param settings: the addon's settings, by their names in its manifest.
    :param reach: ``host:port`` of stand-ins on this machine that the addon may call by plain http.
    :raises NotActivatedError: if the desk refuses the addon, with the reason an admin would see.
    :raises ManifestError: if its ``addon.toml`` is invalid.
    """
    manifest = read_manifest(folder)
    values = {
        f"{config.ADDON_PREFIX}{manifest.slug.upper()}_{name.upper()}": value
        for name, value in (settings or {}).items()
    }
    configuration = config.load(
        {
            "LOBBY_DATA": str(data),
            "LOBBY_PUBLIC_URL": public_url,
            "LOBBY_WORKERS": "0",
            "LOBBY_ALLOW_HOSTS": ",".join(reach),
            **values,
        }
    )
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(_host_tables(), data / "lobby.sqlite3")
    zipped = data / f"{manifest.slug}.zip"
    build_addon(folder, zipped)
    with ExitStack() as stack:
        database = db.connect(configuration.database_url)
        stack.callback(database.dispose)
        counters.reset()
        application = HostApplication(configuration)
        stack.callback(guard.allow, ())
        stack.callback(application.close)
        try:
            lifecycle.install_file(configuration, zipped)
            outcome = lifecycle.activate(configuration, manifest.slug, host=application)
        except lifecycle.AddonError as error:
            raise NotActivatedError(f"{error} {error.detail}".rstrip()) from error
        if not outcome.ok:
            told = outcome.error or {}
            words = (told.get(name) for name in ("sentence", "statement", "database"))
            raise NotActivatedError(" ".join(str(word) for word in words if word))
        application.start(web=False)
        with ExitStack() as time:
            yield TrialDesk(application, manifest, time)


@functools.cache
def _host_tables() -> Path:
    """Return an SQLite file with the host's empty tables, created once per process."""
    folder = tempfile.TemporaryDirectory(prefix="lobby-trial-")
    _kept.append(folder)
    path = Path(folder.name) / "lobby.sqlite3"
    migrations.upgrade_host(f"sqlite:///{path}")
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []
"""Temporary folders, removed when the process exits."""
