"""Uninstalling: the data kept, handed over or removed for good; conversations stay readable in any case."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from host.addons import lifecycle, uninstall
from host.addons.package.failures import AddonError
from host.addons.running import held_webhooks
from host.assistants import assistants
from host.assistants.models import AssistantAccount, Mode
from host.cli.commands import main
from host.core import clock, db
from host.delivery.worker import drain
from host.models.addons import Addon, AddonArchivePart, AddonPublisher, AddonRelease, AddonState
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, DeliveryState, Message
from host.models.queue import InboundEvent, OutboxEntry
from host.models.users import AuditEntry, InstallationValue
from host.process.serving import HostApplication
from host.rules import rules
from host.rules.body import given
from host.rules.models import RuleState
from host.users.pages import sudo
from tests.addons.conftest import PASSWORD, MakeZip
from tests.addons.test_quarantine import Shop
from tests.addons.test_toy_channel import connect
from tests.helpers import queue_reply, work

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(any_desk: HostApplication, toy_zip: MakeZip) -> Shop:
    """A toy shop with a conversation and a reply nobody could send yet."""
    shop = Shop(any_desk, toy_zip)
    assert shop.send("hello") == 200
    assert shop.messages() == ["hello"]
    return shop


def tables() -> set[str]:
    return {name for name in sa.inspect(db.current().read_engine).get_table_names() if "toy" in name}


def looks_fine(shop: Shop) -> None:
    """Every page that shows the channel's things works, and says how it stands."""
    with db.read() as session:
        conversation = session.scalars(sa.select(Conversation.id)).one()
        assert session.scalars(sa.select(Conversation.channel)).one() == "toy"
    base = f"/w/{shop.workspace}"
    page = shop.admin.get(f"{base}/inbox/{conversation}")
    assert page.status_code == 200, page.text
    assert "hello" in page.text
    assert "This channel is not active." in page.text
    for path in (
        f"{base}/inbox",
        f"{base}/inbox?channel=toy",
        f"{base}/inbox?q=hello",
        f"{base}/inbox/{conversation}/messages",
        f"{base}/settings/channels",
        "/admin/addons",
        "/admin/journal",
        "/admin/audit",
    ):
        assert shop.admin.get(path).status_code == 200, path
    refused = shop.admin.post(
        f"{base}/inbox/{conversation}/reply", text="hi", reply_key="key-of-the-reply", overflow="split"
    )
    assert 400 <= refused.status_code < 500
    assert shop.send("more") == 404


def test_keeping_the_data_and_installing_again(shop: Shop, toy_zip: MakeZip) -> None:
    page = shop.admin.get("/admin/addons/toy/uninstall").text
    assert "Deactivate it first" in page
    assert "toy_accounts" in page
    assert "1 row" in page
    answer = shop.admin.post("/admin/addons/toy/uninstall", what="keep")
    assert "Deactivate the addon first" in shop.admin.get(answer.location).text
    shop.admin.deactivate()
    answer = shop.admin.post("/admin/addons/toy/uninstall", what="keep")
    assert "Addon uninstalled." in shop.admin.get(answer.location).text
    assert tables() == {"toy_accounts", "addon_toy_alembic_version"}
    looks_fine(shop)
    shop.admin.install(toy_zip(shop.changes))
    shop.admin.activate()
    assert shop.send("again") == 200, "its accounts were still connected"
    assert shop.messages() == ["again", "hello"]


def test_empty_tables_are_not_listed(shop: Shop) -> None:
    shop.admin.deactivate()
    assert "Stored data" in shop.admin.get("/admin/addons/toy/uninstall").text
    db.write(lambda session: session.execute(sa.text("DELETE FROM toy_accounts")))
    page = shop.admin.get("/admin/addons/toy/uninstall").text
    assert "toy_accounts" not in page
    assert "Stored data" not in page
    assert "Export data" in page


def test_the_rules_and_assistants_that_stop_are_named(shop: Shop) -> None:
    directory = shop.desk.generation().directory
    with db.read() as session:
        account = session.scalars(sa.select(ChannelAccount.id)).one()

    def add(session: Session, name: str, state: RuleState, **condition: object) -> None:
        conditions = [{"if": "conversation", "filter": condition}] if condition else []
        body = given({"when": "message.received", "conditions": conditions, "actions": [{"do": "close"}]})
        what = rules.there(session, shop.workspace, directory)
        rules.create(work(session, shop.workspace), name=name, body=body, what=what, state=state)

    db.write(add, "Toys to close", RuleState.LIVE, account_id=account)
    db.write(add, "Never acted", RuleState.DRAFT, account_id=account)
    db.write(add, "Of every channel", RuleState.LIVE)

    def answering(session: Session, name: str) -> None:
        made = assistants.create(work(session, shop.workspace, actor="Mia R."), name=name)
        session.flush()
        place = AssistantAccount(
            account_id=account, workspace_id=shop.workspace, assistant_id=made.id, changed_at=clock.now()
        )
        place.mode, place.answers_on, place.needed = Mode.SUGGEST, ["message"], 50
        session.add(place)

    db.write(answering, "Pip")
    for _turn in ("active", "inactive"):
        page = shop.admin.get("/admin/addons/toy/uninstall").text
        assert "the rule Toys to close in Sample Pottery" in page
        assert re.search(r"the assistant Pip on \S+ in Sample Pottery", page)
        assert "Never acted" not in page
        assert "Of every channel" not in page
        shop.admin.deactivate()


def test_removing_it_for_good(shop: Shop, toy_zip: MakeZip, data: Path) -> None:
    known = shop.desk.generation().directory
    label, mark = known.label("toy"), known.mark("toy")
    shop.admin.deactivate()
    channels = shop.admin.get(f"/w/{shop.workspace}/settings/channels").text
    assert "1 account, 1 inactive with its addon." in " ".join(channels.split())
    assert 'data-state="off"' in channels
    refused = shop.admin.post("/admin/addons/toy/uninstall", what="purge", name="tyo")
    assert refused.status_code == 400
    assert "Enter toy to delete its data." in refused.text
    assert shop.admin.post("/admin/addons/toy/uninstall").status_code == 400
    assert tables() == {"toy_accounts", "addon_toy_alembic_version"}

    answer = shop.admin.post("/admin/addons/toy/uninstall", what="purge", name="toy")
    assert "and its tables deleted" in shop.admin.get(answer.location).text
    assert tables() == set()
    with db.read() as session:
        for model in (Addon, AddonRelease, AddonArchivePart, AddonPublisher):
            assert session.scalar(sa.select(sa.func.count()).select_from(model)) == 0
        account = session.scalars(sa.select(ChannelAccount)).one()
        assert (account.state, account.claim) == (AccountState.DISCONNECTED, None)
        jobs = session.scalars(sa.select(InstallationValue.name)).all()
        assert not [name for name in jobs if name.startswith("job:toy:")]
    assert not list((data / "addons").glob("toy-*"))
    looks_fine(shop)
    known = shop.desk.generation().directory
    assert (known.adapter("toy"), known.label("toy"), known.mark("toy")) == (None, label, mark)

    shop.admin.install(toy_zip(shop.changes))
    page = shop.admin.activate()
    assert "Addon activated." in page.text, page.text
    shop.uuid = connect(shop.desk, shop.workspace)
    assert shop.send("again") == 200
    assert shop.messages() == ["again", "hello"], "the conversation goes on where it was"


def test_what_waited_to_be_applied_is_told_of_and_becomes_a_dead_letter(shop: Shop, toy_zip: MakeZip) -> None:
    assert shop.send("just before") == 200
    shop.admin.deactivate()
    page = shop.admin.get("/admin/addons/toy/uninstall").text
    assert "1 received message or event is not in the inbox yet." in page
    shop.admin.post("/admin/addons/toy/uninstall", what="purge", name="toy")
    drain(shop.desk.generation())
    with db.read() as session:
        waited = session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id.desc())).first()
        assert waited is not None
        assert (waited.state, waited.reason) == ("dead", "The addon was uninstalled before this was applied.")
        assert b"just before" in (waited.body or b"")
    journal = shop.admin.get("/admin/journal?state=dead").text
    assert "The addon was uninstalled before this was applied." in journal


def test_replies_that_waited_fail_with_a_reason(shop: Shop) -> None:

    with db.read() as session:
        conversation = session.scalars(sa.select(Conversation.id)).one()
    adapter = shop.desk.generation().directory.adapter("toy")
    assert adapter is not None

    def write(session: Session) -> None:
        queue_reply(
            work(session, shop.workspace),
            conversation,
            "on its way",
            reply_key="key-of-the-reply",
            overflow="split",
            adapter=adapter,
        )

    db.write(write)
    lifecycle.deactivate(shop.desk.config, "toy", host=shop.desk)
    uninstall.purge(shop.desk.config, "toy")
    drain(shop.desk.generation())
    with db.read() as session:
        message = session.scalars(sa.select(Message).where(Message.text == "on its way")).one()
        assert message.state == DeliveryState.FAILED
        assert not session.scalars(sa.select(OutboxEntry).where(OutboxEntry.open.is_(True))).all()


def test_the_export_is_json_lines_of_its_tables(shop: Shop) -> None:
    with shop.admin.post("/admin/addons/toy/export") as answer:
        data = answer.data
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=toy-export-")
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        assert zipped.namelist() == ["export.json", "toy_accounts.jsonl"]
        about = json.loads(zipped.read("export.json"))
        rows = [json.loads(line) for line in zipped.read("toy_accounts.jsonl").splitlines()]
    assert (about["slug"], about["version"], about["tables"]) == ("toy", "1.0.0", ["toy_accounts"])
    assert len(rows) == 1
    assert rows[0]["secret"].startswith("v1:"), "sealed, as it lies in the database"
    with db.read() as session:
        assert "addon.exported" in session.scalars(sa.select(AuditEntry.action)).all()


@pytest.mark.slow
def test_handing_over_and_removing_take_a_fresh_password(desk: HostApplication, toy_zip: MakeZip) -> None:
    shop = Shop(desk, toy_zip)
    shop.admin.deactivate()
    with clock.travel(sudo.FRESH * 2):
        assert shop.admin.post("/admin/addons/toy/export").status_code == 403
        assert shop.admin.post("/admin/addons/toy/uninstall", what="purge", name="toy").status_code == 403
        assert 'id="remove-password"' in shop.admin.get("/admin/addons/toy/uninstall").text
        assert tables()
        answer = shop.admin.post("/admin/addons/toy/uninstall", what="purge", name="toy", password=PASSWORD)
        assert answer.status_code == 302
    assert not tables()


@pytest.mark.slow
def test_a_purge_that_was_cut_short_is_finished_or_taken_back(
    any_desk: HostApplication, toy_zip: MakeZip, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = any_desk
    shop = Shop(desk, toy_zip)
    shop.admin.deactivate()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(held_webhooks, "delete_of", cut)  # the tables are gone, its rows are not
    with pytest.raises(KeyboardInterrupt):
        uninstall.purge(desk.config, "toy")
    monkeypatch.undo()
    assert tables() == set()
    lifecycle.recover(desk.config)
    with db.read() as session:
        assert session.get_one(Addon, "toy").state == AddonState.INACTIVE
    assert lifecycle.activate(desk.config, "toy", host=desk).ok, "its tables are made anew"
    assert tables() == {"toy_accounts", "addon_toy_alembic_version"}
    lifecycle.deactivate(desk.config, "toy", host=desk)
    assert uninstall.purge(desk.config, "toy") == ["toy_accounts"]


@pytest.mark.slow
def test_what_is_not_installed_or_runs_is_not_purged(desk: HostApplication, toy_zip: MakeZip) -> None:
    with pytest.raises(AddonError, match="The addon toy is not installed"):
        uninstall.purge(desk.config, "toy")
    Shop(desk, toy_zip)
    with pytest.raises(AddonError, match="Deactivate the addon first"):
        uninstall.purge(desk.config, "toy")
    assert tables()


@pytest.mark.slow
def test_the_commands(desk: HostApplication, toy_zip: MakeZip, tmp_path: Path) -> None:
    shop = Shop(desk, toy_zip)
    desk.close()
    environment = {"LOBBY_DATA": str(desk.config.data), "LOBBY_DATABASE_URL": desk.config.database_url}

    def lobby(*arguments: str, given: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(main, ["addon", *arguments], input=given, env=environment)
        return done.exit_code, done.output

    lobby("list")  # what others could read is closed, and said, by the first command
    path = tmp_path / "export.zip"
    assert lobby("export", "toy", str(path)) == (0, "")
    assert zipfile.ZipFile(path).namelist() == ["export.json", "toy_accounts.jsonl"]
    assert "already exists" in lobby("export", "toy", str(path))[1]
    assert "Deactivate the addon first" in lobby("remove", "toy")[1]
    assert lobby("rollback", "toy")[0] == 1
    assert lobby("disable", "toy") == (0, "toy is inactive.\n")
    assert "Nothing was removed." in lobby("remove", "toy", "--purge", given="yes\n")[1]
    code, output = lobby("remove", "toy", "--purge", given="toy\n")
    assert code == 0
    assert "toy_accounts" in output
    assert not tables()
    assert shop.workspace
