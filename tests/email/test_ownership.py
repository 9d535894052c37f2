"""Mail for an address, its tag forms and its domain belongs to one workspace."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask

from addons.email.lobby_mail import card, ownership, receiving
from addons.email.lobby_mail.models import AskedAccount, EmailAccount, Holding
from host.channels import accounts, connecting
from host.core import clock, db
from host.models.channels import AccountState, ChannelAccount
from host.models.notifications import Notification
from host.models.users import AuditEntry, Role, User, Workspace
from host.process.serving import HostApplication
from host.sdk.cards import Asked, Connection, ConnectRequest
from host.sdk.errors import AccountTakenError
from tests import mail
from tests.email.conftest import Outside, connect, values
from tests.helpers import PASSWORD, Browser, client_for, make_config, make_user, make_workspace
from tests.users.test_asked_again import LATER

ADDRESSES = "/addons/email/addresses"


@dataclass
class Desk:
    """A Pottery that has ``hello@shop.example``, a Studio that wants mail, and an admin who is in neither."""

    app: Flask
    outside: Outside
    pottery: int
    studio: int
    admin: User
    potter: User
    owner: User

    def client(self, user: User) -> Browser:
        return client_for(self.app, user)

    def save(self, address: str, user: User | None = None, **more: Any) -> Any:
        """Press Save in the Studio's form."""
        form = values(self.outside, address=address, **more)
        path = f"/w/{self.studio}/settings/channels/email/new"
        return self.client(user or self.owner).post_form(path, **form)

    def press(self, user: User, action: str, **form: str) -> int:
        """Press a button beside the one address that waits; return the status."""
        with db.read() as session:
            asked = session.scalars(sa.select(AskedAccount.id).order_by(AskedAccount.id)).first()
        status: int = self.client(user).post_form(f"{ADDRESSES}/{asked or 1}/{action}", **form).status_code
        return status

    def sees(self, user: User, path: str = ADDRESSES) -> str:
        return str(self.client(user).get(path).get_data(as_text=True))


@pytest.fixture
def people(any_desk: db.Database, data: Path, outside: Outside) -> Iterator[Desk]:
    address = f"mail.shop.example:{outside.port}"
    application = HostApplication(
        make_config(
            data, allow_hosts=address, database_url=any_desk.url.render_as_string(hide_password=False)
        )
    )
    pottery, studio = make_workspace("Pottery"), make_workspace("Studio")
    connect(outside, pottery)
    try:
        yield Desk(
            application.refresh().app,
            outside,
            pottery,
            studio,
            make_user(is_admin=True),
            make_user(workspace=pottery, role=Role.OWNER),
            make_user(workspace=studio, role=Role.OWNER),
        )
    finally:
        application.close()


def live() -> set[tuple[str, int]]:
    query = sa.select(ChannelAccount).where(ChannelAccount.state != AccountState.DISCONNECTED)
    with db.read() as session:
        return {(row.external_id, row.workspace_id) for row in session.scalars(query)}


def told(user: User) -> list[str]:
    query = sa.select(Notification.sentence).where(Notification.user_id == user.id).order_by(Notification.id)
    with db.read() as session:
        return list(session.scalars(query))


@pytest.mark.parametrize(
    "address",
    ["hello+orders@shop.example", "HELLO+x@Shop.Example", "hello@shop.example", "hello+@shop.example"],
)
def test_no_form_of_an_address_goes_to_another_workspace(people: Desk, address: str) -> None:
    assert people.save(address).status_code == 400
    assert live() == {("hello@shop.example", people.pottery)}
    found = receiving.account_of(address)
    assert found is not None
    assert found[0] == "hello@shop.example"


def test_an_address_is_refused_where_a_form_of_it_is_connected_elsewhere(people: Desk) -> None:
    connect(people.outside, people.pottery, address="sales+eu@shop.example")
    answer = people.save("sales@shop.example")
    assert answer.status_code == 400
    assert "one mailbox" in answer.get_data(as_text=True)
    assert "sales+eu" not in answer.get_data(as_text=True)


def test_the_same_workspace_may_connect_every_form(people: Desk) -> None:
    request = ConnectRequest(
        people.pottery, None, values(people.outside, address="hello+eu@shop.example"), lambda _id: None
    )
    assert isinstance(card.connect(request), Connection)


def test_a_new_address_waits_and_receives_nothing_until_an_admin_confirms(people: Desk) -> None:
    answer = people.save("free@shop.example")
    assert answer.status_code == 302
    assert live() == {("hello@shop.example", people.pottery)}
    assert receiving.account_of("free@shop.example") is None
    assert "free@shop.example is not connected yet" in people.sees(
        people.owner, f"/w/{people.studio}/settings/channels"
    )
    assert len(told(people.admin)) == 1
    assert told(people.potter) == []
    assert "free@shop.example" in people.sees(people.admin)
    assert people.press(people.owner, "confirm") == 404
    assert people.press(people.potter, "confirm") == 404
    assert people.press(people.admin, "confirm") == 303
    assert ("free@shop.example", people.studio) in live()
    found = receiving.account_of("Free+x@shop.example")
    assert found is not None
    with db.read() as session:
        row = session.get_one(EmailAccount, found[1])
        assert session.scalar(sa.select(sa.func.count(AskedAccount.id))) == 0
        actions = set(session.scalars(sa.select(AuditEntry.action)))
    assert (row.smtp_host, row.smtp_user) == ("mail.shop.example", "hello@shop.example")
    assert row.smtp_password is not None
    assert {"account.asked_for", "account.confirmed"} <= actions
    assert "confirmed" in told(people.owner)[-1]
    with db.read() as session:
        account = session.get_one(ChannelAccount, found[1])
    # The password was sealed anew, to the account: it opens there.
    from addons.email.lobby_mail.channel import _settings
    from host.models.channels import ref

    settings = _settings(ref(account))
    assert settings is not None
    assert settings[1].password is not None
    assert settings[1].password.reveal() == "correct horse"


def test_the_password_of_what_waits_is_sealed_and_never_shown(people: Desk) -> None:
    people.save("free@shop.example")
    with db.read() as session:
        stored = session.execute(sa.text("SELECT * FROM email_asked")).one()
    assert "correct horse" not in repr(stored)
    assert "correct horse" not in people.sees(people.admin)


def test_an_admin_who_owns_the_workspace_connects_at_once(people: Desk) -> None:
    boss = make_user(workspace=people.studio, role=Role.OWNER, is_admin=True)
    assert people.save("free@shop.example", boss).status_code == 302
    assert ("free@shop.example", people.studio) in live()


def test_declined_and_withdrawn_leave_nothing(people: Desk) -> None:
    people.save("free@shop.example")
    assert people.press(people.admin, "withdraw") == 404
    assert people.press(people.owner, "decline") == 404
    assert people.press(people.admin, "decline") == 303
    assert "declined" in told(people.owner)[-1]
    people.save("free@shop.example")
    assert people.press(people.potter, "withdraw") == 404
    assert people.press(people.owner, "withdraw") == 303
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count(AskedAccount.id))) == 0
    assert live() == {("hello@shop.example", people.pottery)}


def test_whoever_holds_the_domain_connects_at_once_and_confirms_for_others(people: Desk) -> None:
    db.write(ownership.give_domain, "shop.example", people.pottery)
    assert people.save("free@shop.example").status_code == 302
    assert ("free@shop.example", people.studio) not in live()
    assert len(told(people.potter)) == 1
    assert "Studio" in people.sees(people.potter)
    request = ConnectRequest(
        people.pottery, None, values(people.outside, address="new@shop.example"), lambda _id: None
    )
    assert isinstance(card.connect(request), Connection)
    # Only an admin gives a domain, whatever the form says.
    assert people.press(people.potter, "confirm", domain="1") == 303
    assert ("free@shop.example", people.studio) in live()
    with db.read() as session:
        assert session.get_one(Holding, "shop.example").workspace_id == people.pottery


def test_an_admin_gives_and_takes_back_a_domain(people: Desk) -> None:
    people.save("a@studio.example")
    people.press(people.admin, "confirm", domain="1")
    assert "studio.example" in people.sees(people.owner)
    assert people.save("b@studio.example").status_code == 302
    assert ("b@studio.example", people.studio) in live()
    path = "/addons/email/domains/release"
    assert people.client(people.potter).post_form(path, domain="studio.example").status_code == 404
    assert people.client(people.admin).post_form(path, domain="a@studio.example").status_code == 404
    assert people.client(people.admin).post_form(path, domain="studio..example").status_code == 404
    assert people.client(people.admin).post_form(path, domain="studio.example").status_code == 303
    people.save("c@studio.example")
    assert ("c@studio.example", people.studio) not in live()


def test_of_two_that_wait_for_one_address_one_gets_it(people: Desk) -> None:
    third = make_workspace("Third")
    asked = []
    for workspace, address in ((people.studio, "free@shop.example"), (third, "free+x@shop.example")):
        given = values(people.outside, address=address)
        with people.app.test_request_context():
            outcome = card.connect(ConnectRequest(workspace, None, given, lambda _id: None))
        assert isinstance(outcome, Asked)
        asked.append(workspace)
    assert people.press(people.admin, "confirm") == 303
    assert people.press(people.admin, "confirm") == 303
    assert {one for one in live() if one[0].startswith("free")} == {("free@shop.example", people.studio)}


def test_the_last_look_is_in_the_write(people: Desk) -> None:
    """Both looked before either wrote."""
    made = {}
    for workspace, address in ((people.studio, "new@shop.example"), (people.pottery, "new+x@shop.example")):
        given = values(people.outside, address=address)
        made[workspace] = card.connect(
            ConnectRequest(workspace, None, given, lambda _id: None, by_admin=True)
        )
    first, second = made.values()
    assert isinstance(first, Connection)
    assert isinstance(second, Connection)
    connecting.save(workspace_id=people.studio, channel="email", connection=first)
    with pytest.raises(AccountTakenError):
        connecting.save(workspace_id=people.pottery, channel="email", connection=second)
    assert ("new+x@shop.example", people.pottery) not in live()


def test_a_disconnected_address_is_connected_again_unless_another_had_it_since(people: Desk) -> None:
    account = connect(people.outside, people.studio, address="free@shop.example")
    db.write(accounts.disconnect_account, account.id)
    request = ConnectRequest(
        people.studio, None, values(people.outside, address="free@shop.example"), lambda _id: None
    )
    assert isinstance(card.connect(request), Connection)
    other = connect(people.outside, people.pottery, address="free@shop.example")
    db.write(accounts.disconnect_account, other.id)
    with people.app.test_request_context():
        assert isinstance(card.connect(request), Asked)


def test_what_was_connected_before_stays_and_can_be_changed(people: Desk) -> None:
    """A desk from before may have forms of one address in two workspaces."""
    account = connect(people.outside, people.studio, address="old@shop.example")

    def use_case(session: Any) -> None:
        row = session.get(ChannelAccount, account.id)
        row.external_id, row.claim = "hello+old@shop.example", "email:hello+old@shop.example"
        row.handle = row.external_id
        session.get(EmailAccount, account.id).address = row.external_id

    db.write(use_case)
    path = f"/w/{people.studio}/settings/channels/accounts/{account.id}"
    form = values(people.outside, address="hello+old@shop.example", name="Renamed")
    assert people.client(people.owner).post_form(path, **form).status_code == 302
    with db.read() as session:
        assert session.get_one(ChannelAccount, account.id).name == "Renamed"


def test_so_many_may_wait(people: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "MOST_ASKED", 1)
    people.save("a@studio.example")
    people.save("a@studio.example", name="Again")
    assert people.save("b@studio.example").status_code == 400
    with db.read() as session:
        assert session.scalars(sa.select(AskedAccount.name)).all() == ["Again"]
    assert len(told(people.admin)) == 1


def test_a_workspace_that_goes_takes_what_it_holds_with_it(people: Desk) -> None:
    db.write(ownership.give_domain, "studio.example", people.studio)
    db.write(lambda session: session.execute(sa.delete(Workspace).where(Workspace.id == people.studio)))
    with db.read() as session:
        assert session.get(Holding, "studio.example") is None


def test_the_page_says_plainly_what_happens(people: Desk) -> None:
    people.save("free@shop.example")
    shown = re.sub(r"\s+", " ", people.sees(people.admin))
    assert "If you confirm, that workspace will receive mail for this address" in shown
    assert "Requested by" in shown
    assert "free@shop.example" not in people.sees(people.potter)


def test_the_migration_notes_who_has_what(any_desk: db.Database, outside: Outside) -> None:
    first = connect(outside, address="hello@shop.example")
    second = connect(outside, address="old@shop.example")
    db.write(accounts.disconnect_account, second.id)
    db.write(lambda session: session.execute(sa.delete(Holding)))
    folder = mail.ADDON / "migrations/versions/0002_ownership.py"
    revision = runpy.run_path(str(folder))

    def upgrade(session: Any) -> None:
        with Operations.context(MigrationContext.configure(session.connection())):
            revision["upgrade"]()
            revision["upgrade"]()

    db.write(upgrade)
    with db.read() as session:
        found = {row.name: row.workspace_id for row in session.scalars(sa.select(Holding))}
    assert found == {"hello@shop.example": first.workspace_id, "old@shop.example": second.workspace_id}


@pytest.mark.usefixtures("desk")
def test_other_spellings_are_the_same_address_or_none(outside: Outside) -> None:
    connect(outside)
    for spelling in (
        "hello@shop.example.",
        '"hello"@shop.example',
        "hello@shop。example",
        "ｈello@shop.example",
        "hello@ｓhop.example",
        "hello @shop.example",
        "<hello@shop.example>",
        "hello@[127.0.0.1]",
    ):
        found = receiving.account_of(spelling)
        assert found is None or found[0] == "hello@shop.example", spelling


def test_giving_mail_to_a_workspace_takes_the_password_again(people: Desk) -> None:
    people.save("orders@shop.example")
    client = people.client(people.admin)
    with db.read() as session:
        asked = session.scalars(sa.select(AskedAccount.id)).one()
    with clock.travel(LATER):
        assert client.post_form(f"{ADDRESSES}/{asked}/confirm").status_code == 403
        assert client.post_form("/addons/email/domains/release", domain="shop.example").status_code == 403
        assert client.post_form(f"{ADDRESSES}/{asked}/confirm", password=PASSWORD).status_code == 303
