"""A toy of phone numbers, where only an approved template can be sent first, and a customer to write to."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from host.core import db
from host.core.backports.values import replace
from host.inbox.contacts import attributes
from host.inbox.contacts.models import AttributeKind
from host.models.inbox import Contact, Conversation
from host.sdk.channel import AccountRef, Capabilities
from host.sdk.migrations import enum_to_varchar
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.approving import Approving
from tests.inbox.desks import Desk
from tests.inbox.toys import apply, received

KEY = "0123456789abcdef"
JSON = {"Accept": "application/json"}
NUMBER = "4915112345678"
FILLED = {"template": "order-en", "parameter.first_name": "Ana", "parameter.order": "B-9"}
OFFERED = "Write on Phones"


class Phones(Approving):
    """A channel of phone numbers, such as WhatsApp: before somebody wrote, only a template can be sent."""

    key: ClassVar[str] = "sms"
    label: ClassVar[str] = "Phones"
    capabilities: ClassVar[Capabilities] = replace(Approving.capabilities, can_start=True)

    def id_for_address(self, account: AccountRef, address: str) -> str | None:
        return address.removeprefix("+") if address.removeprefix("+").isdecimal() else None


PHONES = Phones()


class Scene:
    """A customer of one channel, whose window is closed and whose phone number the team entered."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.phones = toys.make_account(desk.workspace, "sms", name="Shop phone")
        apply(desk.account, received("Is it in stock?", contact="ana", contact_name="Ana K."))
        self.old = toys.only(Conversation).id
        self.contact = toys.only(Contact).id
        made = do(attributes.create, self.desk.workspace, name="Phone", kind=AttributeKind.TEXT)
        self.number = made.id
        self.gives("+49 (0)151 123 456-78")

    def gives(self, written: str | None) -> None:
        db.write(attributes.put, self.contact, self.number, written)

    def path(self, rest: str = "") -> str:
        return f"/w/{self.desk.workspace}/contacts/{self.contact}{rest}"

    def get(self, path: str, status: int = 200) -> str:
        answer = self.desk.browser.get(path)
        assert answer.status_code == status
        return html.unescape(answer.text)

    def send(self, **fields: Any) -> Any:
        fields = {"csrf_token": self.desk.browser.csrf(), "reply_key": KEY, **FILLED, **fields}
        fields.setdefault("place", f"{self.phones.id}:{NUMBER}")
        return self.desk.browser.post(self.path("/write/templates"), data=fields, headers=JSON)


def opened_up(data: Path) -> None:
    """Let the database take a second channel, as the migrations of an addon do."""
    engine = sa.create_engine(f"sqlite:///{data / 'lobby.sqlite3'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA legacy_alter_table=1")
        enum_to_varchar(connection, "conversations", "channel")
        connection.commit()
    engine.dispose()
