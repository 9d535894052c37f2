"""Signatures: the account's, a person's own in its place, and where answers go."""

from __future__ import annotations

import pytest

from addons.email.lobby_mail import signatures
from addons.email.lobby_mail.channel import EmailAdapter
from host.core import db
from host.sdk.channel import AccountRef
from host.users.roles import Role
from tests.email.conftest import Outside, connect
from tests.email.test_sending import parsed, send
from tests.helpers import make_user


@pytest.fixture
def account(desk: db.Database, outside: Outside) -> AccountRef:
    return connect(outside)


def texts(account: AccountRef, user_id: int) -> signatures.Texts:
    with db.read() as session:
        found = signatures.read(session, account.id, user_id)
    assert found is not None
    return found


def test_a_person_s_own_stands_in_place_of_the_account_s(account: AccountRef) -> None:
    anna = make_user("anna@shop.example", workspace=account.workspace_id, role=Role.AGENT).id
    bert = make_user("bert@shop.example", workspace=account.workspace_id, role=Role.AGENT).id
    db.write(signatures.keep_shared, account.id, "The shop", "")
    db.write(signatures.keep_own, account.id, anna, "Anna")
    assert (texts(account, anna).used, texts(account, bert).used) == ("Anna", "The shop")
    db.write(signatures.keep_own, account.id, anna, "Anna R.")
    assert texts(account, anna).used == "Anna R."
    db.write(signatures.keep_own, account.id, anna, "")
    assert texts(account, anna).used == "The shop"


@pytest.mark.usefixtures("desk")
def test_answers_go_where_the_account_says(account: AccountRef, outside: Outside) -> None:
    send(account)
    assert parsed(outside)["Reply-To"] is None
    db.write(signatures.keep_shared, account.id, "", "desk@shop.example")
    send(account)
    assert parsed(outside)["Reply-To"] == "desk@shop.example"


def test_an_account_that_is_gone_has_none(account: AccountRef) -> None:
    with db.read() as session:
        assert signatures.read(session, account.id + 1, 1) is None
    assert EmailAdapter.capabilities.signatures
