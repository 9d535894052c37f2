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
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.test import Client, TestResponse

from host import counters
from host.addons import lifecycle, setting_forms
from host.addons.package.build import build_addon
from host.addons.package.manifest import Manifest, read_manifest
from host.addons.running import contributions, listening
from host.authoring import customers
from host.channels import connecting, timeouts
from host.channels.accounts import disconnect_account
from host.channels.other_workspaces import taken_sentence
from host.channels.pages import forms
from host.core import clock, config, db, guard, migrations
from host.core.clock import Days
from host.delivery import held_lanes, results
from host.delivery.worker import drain
from host.events import reading
from host.events.models import ActorKind
from host.inbox.drafts import Draft
from host.inbox.panels import calling, report_sections
from host.inbox.reply import queue_parts
from host.media import fetching, uploads
from host.models.channels import ChannelAccount
from host.models.inbox import Attachment, Conversation, Message
from host.models.queue import Lane
from host.process.serving import HostApplication
from host.queue import send_limiter
from host.sdk._forms.fields import Form
from host.sdk._forms.values import DESK
from host.sdk.cards import Asked, ConnectRequest, Problems
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.panels import Block, CustomerContext, InsertText, ShowNotice
from host.sdk.reports import Counts, Number
from host.sdk.rules import FACTS_SECONDS, AskedAbout, React, SendText
from host.users import sessions, users, workspaces
from host.users.actor import Actor, DeskWork, UnitOfWork, person_or_desk
from host.users.reach import ALL_ACCOUNTS

PUBLIC_URL = "http://localhost"
MOST_ROUNDS = 20
EVENTS_AT_ONCE = 500
LIMIT_STEP = timedelta(seconds=0.25)

T = TypeVar("T")


class NotActivatedError(Exception):
    """The addon could not be installed or activated. The message has the reason."""


class RefusedByCardError(Exception):
    """The card refused to connect the account.

    :ivar problems: sentences by field name; ``""`` for those without a field.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {words}".lstrip(": ") for name, words in problems.items()))
        self.problems = dict(problems)


class RefusedFormError(Exception):
    """A settings form of the addon refused a value.

    :ivar problems: sentences by the name of the setting.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {words}" for name, words in problems.items()))
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
        with db.read() as session:
            self._heard = reading.newest(session)

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

    def fill_in(self, values: Mapping[str, str]) -> None:
        """Save *values* on the form of ``[settings.workspace.<name>]``, as text as an owner enters it.

        Other settings stay as they are. A switch is on with ``1``, and off with an empty text.

        :raises RefusedFormError: if a value is refused, or a required one is missing.
        """
        self._fill_in(self.manifest.forms.workspace, self.workspace_id, values)

    def fill_in_desk(self, values: Mapping[str, str]) -> None:
        """Save *values* on the form of ``[settings.desk.<name>]``, as :meth:`fill_in` does for a workspace.

        :raises RefusedFormError: if a value is refused, or a required one is missing.
        """
        self._fill_in(self.manifest.forms.desk, DESK, values)

    def _fill_in(self, form: Form, workspace_id: int, values: Mapping[str, str]) -> None:
        unknown = sorted(set(values) - set(form))
        if unknown:
            raise RefusedFormError(dict.fromkeys(unknown, "addon.toml declares no such setting."))
        slug = self.manifest.slug
        with self.application.generation().app.test_request_context():
            with db.read() as session:
                before = setting_forms.shown(session, slug, workspace_id, form, "en")
            texts = {row.name: row.text for row in before.rows} | dict(values)
            entered = setting_forms.check(before, setting_forms.FilledForm(texts), "en")
            errors = {row.name: row.error for row in entered.rows if row.error}
            if errors:
                raise RefusedFormError(errors)
            db.write(
                lambda session: setting_forms.save(
                    DeskWork(session, person_or_desk(None), clock.now()),
                    slug,
                    workspace_id,
                    form,
                    entered.values,
                )
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

    def ask(self, path: str) -> TestResponse:
        """Get a path of the desk like a provider, such as the verification of a webhook."""
        return Client(self.application).get(path)

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
        """Do all due work: apply events, send replies, fetch files, and let the addon's listeners hear."""
        directory = self.application.generation().directory
        for _ in range(MOST_ROUNDS):
            done = drain(self.application.generation)
            if not done + fetching.fetch_due(directory) + self._listen():
                return

    def _listen(self) -> int:
        """Pass what happened since the last call to the addon's listeners; return the number of events.

        An exception of a listener ends the test, instead of being repeated like on a running desk.
        """
        with db.read() as session:
            batch = reading.after(session, self._heard, EVENTS_AT_ONCE)
        self._heard = batch.end
        for consumer in listening.consumers(self.application.generation):
            events = consumer.chosen(batch.events)
            for start in range(0, len(events), consumer.batch):
                consumer.work(events[start : start + consumer.batch])
        return len(batch.events)

    def later(self, by: timedelta) -> None:
        """Advance the time, and do all work when it becomes due, such as replies that wait for a limit."""
        end = clock.now() + by
        while (now := clock.now()) < end:
            self._time.enter_context(clock.travel(self._next_due(now, end) - now))
            held_lanes.wake_probes()
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
        content: Mapping[str, Any] | None = None,
    ) -> None:
        """Press Send in the conversation with *contact*.

        :param files: name and bytes of each.
        :param content: what else is sent with the text, such as ``quick_replies``, as
            :class:`host.sdk.messages.OutgoingPart` has it.
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
        draft = Draft(text=text, uploads=tuple(taken), reply_to=quote, content=content or {})
        author = Actor(ActorKind.USER, self.owner_id)

        def queue(session: Session) -> None:
            work = UnitOfWork(session, self.workspace_id, author, clock.now())
            queue_parts(work, conversation.id, [draft], reply_key=uuid.uuid4().hex, adapter=adapter)

        db.write(queue)

    def receive(self, contact: str, text: str, *, name: str = "", email: str | None = None) -> int:
        """Have a made-up customer write, without a provider, and return the id of the conversation.

        They write on the addon's first channel, or on a made-up one that delivers nothing.

        :param contact: their id at the provider, by which the other methods find them.
        :param name: default: *contact* with a capital.
        """
        adapter = customers.adapter_of(self.manifest.channels, self.application.generation().directory)
        return customers.write(self.workspace_id, adapter, contact, text, name=name, email=email)

    def customer(self, contact: str) -> CustomerContext:
        """Return *contact* as panels and composer actions get them.

        :raises KeyError: if they have not written.
        """
        return customers.context(contact)

    def render(self, panel: str, contact: str) -> Sequence[Block]:
        """Return what a panel shows beside the conversation with *contact*, checked as on a page.

        :param panel: its name, such as ``shop.orders``.
        :raises KeyError: if the addon has no such panel, or the contact has not written.
        :raises Exception: the one of the addon, if its function raised.
        """
        found = self.application.generation().directory.panels[panel]
        return self._shown(lambda customer: calling.blocks_of(found, customer, self.manifest.name), contact)

    def press(self, panel: str, contact: str, button: str, value: str = "") -> InsertText | ShowNotice:
        """Press a button of a panel, and return the effect. It raises as :meth:`render`."""
        found = self.application.generation().directory.panels[panel]
        return self._shown(
            lambda customer: calling.pressed(found, customer, self.manifest.name, button, value), contact
        )

    def compose(self, action: str, contact: str) -> InsertText | ShowNotice:
        """Press a button of the composer, and return the effect. It raises as :meth:`render`.

        :param action: the name of the composer action.
        """
        found = self.application.generation().directory.composer_actions[action]
        return self._shown(lambda customer: calling.run(found, customer, self.manifest.name), contact)

    def report(self, section: str, accounts: Collection[int] | None = None) -> Sequence[Number | Counts]:
        """Return what a section of the Reports page shows for the last seven days, checked as on the page.

        :param section: its name, such as ``survey.scores``.
        :param accounts: ids of the accounts to count; None: all.
        :raises KeyError: if the addon has no such section.
        :raises Exception: the one of the addon, if its function raised.
        """
        found = self.application.generation().directory.report_sections[section]
        today = clock.now().date()
        days = Days(today - timedelta(days=6), today)
        query = report_sections.query_of(self.workspace_id, days, accounts, ALL_ACCOUNTS)
        return self._called(lambda: report_sections.read(found, query, self.manifest.name))

    def _shown(self, call: Callable[[CustomerContext], T], contact: str) -> T:
        customer = self.customer(contact)
        return self._called(lambda: call(customer))

    def _called(self, call: Callable[[], T]) -> T:
        with self.application.generation().app.test_request_context():
            try:
                return call()
            except calling.PanelFailedError as error:
                if isinstance(error.__context__, Exception):
                    raise error.__context__ from None
                raise

    def holds(self, condition: str, contact: str, value: str = "") -> bool:
        """Return whether a condition of rules is met for the newest message of *contact*, facts included.

        :param condition: its name, such as ``shop.bought``.
        :param value: one of its choices.
        :raises KeyError: if the addon has no such condition, or the contact has not written.
        :raises Exception: the one of the addon, if its function raised.
        """
        found = self.application.generation().directory.conditions[condition]
        about = self._about(contact)
        if found.channel not in {None, about.account.channel}:
            return False
        if found.facts is not None:
            facts = found.facts
            (its,) = timeouts.within(FACTS_SECONDS, f"condition {found.name}", lambda: list(facts([about])))
            about = replace(about, facts=its)
        return bool(found.holds(about, value))

    def plan(self, action: str, contact: str) -> React | SendText | None:
        """Return what an action of rules would do about the newest message of *contact*; nothing is sent.

        It raises as :meth:`holds`.
        """
        return self.application.generation().directory.actions[action].plan(self._about(contact))

    def use(self, tool: str, contact: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Return what a tool of assistants answers for *contact*. It raises as :meth:`holds`."""
        found = self.application.generation().directory.tools[tool]
        return found.use(customers.tool_subject(contact), dict(arguments or {}))

    def _about(self, contact: str) -> AskedAbout:
        return customers.about(contact, self.application.generation().directory)

    def _conversation(self, session: Session, contact: str) -> Conversation | None:
        return customers.conversation_of(session, contact)


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
    folder, data = folder.absolute(), data.absolute()
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
