"""Who an account belongs to, on every database, and what connecting and disconnecting leave behind."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.channels import accounts, connecting
from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount
from host.models.queue import CatchUp
from host.models.users import Workspace
from host.sdk import accounts as sdk_accounts
from host.sdk import db as sdk_db
from host.sdk.channel import AccountRef
from host.sdk.errors import AccountGoneError, AccountTakenError, OtherAccountError
from tests import helpers
from tests.channels.toy import ToyProvider


def new_workspace(name: str = "Shop") -> int:
    def use_case(session: Session) -> int:
        row = Workspace(name=name, created_at=clock.now())
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def connect(workspace_id: int, external_id: str, **more: Any) -> AccountRef:
    return connecting.save(
        workspace_id=workspace_id,
        channel="toy",
        connection=ToyProvider().connection(external_id),
        **more,
    )


def row(account_id: int) -> ChannelAccount:
    with db.read() as session:
        return session.get_one(ChannelAccount, account_id)


def test_a_connected_account_is_live_and_everybody_hears_of_it(any_database: db.Database) -> None:
    workspace, before = new_workspace(), counters.accounts()
    provider = ToyProvider()
    account = connecting.save(
        workspace_id=workspace, channel="toy", connection=provider.connection("17", settings={"a": 1})
    )
    saved = row(account.id)
    assert (saved.state, saved.claim, saved.handle) == (AccountState.CONNECTED, "toy:17", "@17")
    assert saved.settings == {"a": 1}
    assert provider.stored == [account]
    assert counters.accounts() == before + 1
    events = [(event.workspace_id, event.topic, event.payload) for event in helpers.shown()]
    assert events == [(workspace, "account", f'{{"account":{account.id}}}')]


def test_a_workspace_may_have_several_accounts_of_a_channel(database: db.Database) -> None:
    workspace = new_workspace()
    assert connect(workspace, "1").id != connect(workspace, "2").id


def test_an_account_live_in_another_workspace_is_refused_and_the_provider_told(
    any_database: db.Database,
) -> None:
    mine, theirs = new_workspace("Mine"), new_workspace("Their secret name")
    connect(theirs, "17")
    provider = ToyProvider()
    with pytest.raises(AccountTakenError) as caught:
        connecting.save(workspace_id=mine, channel="toy", connection=provider.connection("17"))
    assert "secret name" not in str(caught.value)
    assert provider.undone == ["17"]
    assert provider.stored == []
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ChannelAccount)) == 1


def test_ids_that_differ_in_case_are_different_accounts(any_database: db.Database) -> None:
    connect(new_workspace(), "abc")
    connect(new_workspace(), "ABC")


def test_of_two_workspaces_that_claim_at_once_the_database_picks_one(any_database: db.Database) -> None:
    workspaces = [new_workspace(str(n)) for n in range(6)]
    start = threading.Barrier(len(workspaces))
    won: list[int] = []
    lost: list[str] = []
    undone: list[str] = []

    def claim(workspace: int) -> None:
        provider = ToyProvider(undone=undone)
        start.wait(10)
        try:
            saved = connecting.save(
                workspace_id=workspace, channel="toy", connection=provider.connection("17")
            )
        except AccountTakenError as error:
            lost.append(str(error))
        else:
            won.append(saved.workspace_id)

    threads = [threading.Thread(target=claim, args=(workspace,)) for workspace in workspaces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert len(lost) == len(undone) == 5
    with db.read() as session:
        assert session.scalars(sa.select(ChannelAccount.workspace_id)).all() == won


def test_saving_twice_at_once_in_one_workspace_makes_one_account(any_database: db.Database) -> None:
    workspace = new_workspace()
    start = threading.Barrier(4)
    ids: list[int] = []

    def save() -> None:
        start.wait(10)
        ids.append(connect(workspace, "17").id)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(ids) == 4
    assert len(set(ids)) == 1


def test_a_disconnected_account_is_free_for_others_and_its_row_stays(any_database: db.Database) -> None:
    mine, theirs = new_workspace(), new_workspace()
    account = connect(mine, "17")
    db.write(accounts.disconnect_account, account.id)
    assert (row(account.id).state, row(account.id).claim) == (AccountState.DISCONNECTED, None)
    assert row(account.id).disconnected_at is not None
    assert connect(theirs, "17").id != account.id
    with pytest.raises(AccountTakenError):
        connect(mine, "17")


def test_what_addons_keep_of_accounts_is_read_again_after_each_change(database: db.Database) -> None:
    kept = sdk_db.Snapshot(clock.monotonic)
    seen = [kept.get()]
    account = connect(new_workspace(), "17")
    seen.append(kept.get())
    db.write(accounts.set_needs_reconnect, account.id, "gone")
    seen.append(kept.get())
    db.write(accounts.disconnect_account, account.id)
    seen.append(kept.get())
    assert len(set(seen)) == len(seen), "a webhook would go on with what was known before"
    assert kept.get() == seen[-1]


def test_disconnecting_twice_says_so(database: db.Database) -> None:
    account = connect(new_workspace(), "17")
    db.write(accounts.disconnect_account, account.id)
    with pytest.raises(AccountGoneError):
        db.write(accounts.disconnect_account, account.id)
    with pytest.raises(AccountGoneError):
        db.write(accounts.disconnect_account, 999)


def test_connecting_again_in_the_same_workspace_reuses_the_row(any_database: db.Database) -> None:
    workspace = new_workspace()
    account = connect(workspace, "17")
    db.write(accounts.disconnect_account, account.id)
    with clock.travel(timedelta(days=1)):
        again = connect(workspace, "17")
    assert (again.id, again.uuid) == (account.id, account.uuid)
    saved = row(account.id)
    assert saved.state == AccountState.CONNECTED
    assert saved.disconnected_at is None
    assert saved.connected_at - saved.created_at > timedelta(hours=23)


def test_only_what_was_said_while_it_was_connected_can_have_been_missed(database: db.Database) -> None:
    def missed_since() -> datetime | None:
        with db.read() as session:
            return session.get_one(CatchUp, account.id).missed_since

    def read() -> None:
        done = {"state": "done", "next_at": None, "complete_at": clock.now(), "finished_at": clock.now()}
        db.write(lambda session: session.execute(sa.update(CatchUp).values(done)) and None)

    workspace, begun = new_workspace(), clock.now()
    account = connect(workspace, "17")
    first = missed_since()
    assert first is not None
    assert first >= begun
    read()
    db.write(accounts.set_needs_reconnect, account.id, "The sign-in ended.")
    with clock.travel(timedelta(days=1)):
        connect(workspace, "17")
        found = missed_since()
        assert found is not None
        assert found - begun < timedelta(hours=1), "it was connected all the time"
        read()
        db.write(accounts.disconnect_account, account.id)
        failed = {"complete_at": None}
        db.write(lambda session: session.execute(sa.update(CatchUp).values(failed)) and None)
    with clock.travel(timedelta(days=9)):
        connect(workspace, "17")
        found = missed_since()
        assert found is not None
        assert clock.now() - found < timedelta(hours=1), "nobody wanted to be told"


def test_new_credentials_of_another_account_do_not_take_over_its_conversations(database: db.Database) -> None:
    workspace = new_workspace()
    account = connect(workspace, "17")
    with pytest.raises(OtherAccountError):
        connect(workspace, "18", account_id=account.id)
    assert row(account.id).external_id == "17"


def test_an_account_of_another_workspace_or_channel_cannot_be_changed(database: db.Database) -> None:
    account = connect(new_workspace(), "17")
    with pytest.raises(AccountGoneError):
        connect(new_workspace(), "17", account_id=account.id)


@pytest.mark.parametrize("external_id", ["", "x" * 600])
def test_an_id_that_cannot_be_stored_is_refused(database: db.Database, external_id: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        connect(new_workspace(), external_id)


def test_names_longer_than_their_columns_are_cut(any_database: db.Database) -> None:
    connection = ToyProvider().connection("17", name="n" * 500, handle="h" * 500, way="w" * 500)
    connecting.save(workspace_id=new_workspace(), channel="toy", connection=connection)


def test_what_the_addon_stores_and_the_account_are_written_together_or_not_at_all(
    database: db.Database,
) -> None:
    def broken(_session: Session, _account: AccountRef) -> None:
        raise RuntimeError("the addon's table is gone")

    provider = ToyProvider()
    connection = provider.connection("17")
    object.__setattr__(connection, "store", broken)
    with pytest.raises(RuntimeError, match="table is gone"):
        connecting.save(workspace_id=new_workspace(), channel="toy", connection=connection)
    assert provider.undone == ["17"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ChannelAccount)) == 0


def test_an_undo_that_fails_does_not_hide_the_first_failure(database: db.Database) -> None:
    connect(new_workspace(), "17")

    def raising() -> None:
        raise RuntimeError("and this too")

    connection = ToyProvider().connection("17")
    object.__setattr__(connection, "undo", raising)
    with pytest.raises(AccountTakenError):
        connecting.save(workspace_id=new_workspace(), channel="toy", connection=connection)


def test_a_provider_that_refuses_the_credentials_marks_the_account_until_it_is_reconnected(
    database: db.Database,
) -> None:
    workspace = new_workspace()
    account = connect(workspace, "17")
    sdk_accounts.mark_needs_reconnect(account.id, "The password was changed." + "x" * 600)
    assert row(account.id).state == AccountState.NEEDS_RECONNECT
    assert row(account.id).claim == "toy:17"
    with pytest.raises(AccountTakenError):
        connect(new_workspace(), "17")
    sdk_accounts.save(workspace, "toy", ToyProvider().connection("17"), account_id=account.id)
    assert row(account.id).state == AccountState.CONNECTED
    assert row(account.id).state_reason is None


def test_a_disconnected_account_is_not_marked(database: db.Database) -> None:
    account = connect(new_workspace(), "17")
    db.write(accounts.disconnect_account, account.id)
    sdk_accounts.mark_needs_reconnect(account.id, "late")
    assert row(account.id).state == AccountState.DISCONNECTED
