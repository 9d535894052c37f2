"""Each cause of missing messages in ``docs/whatsapp.md``, played by the sandbox and named by Diagnose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from host.channels import diagnosis
from host.core import db
from host.models.channels import ChannelAccount
from host.sdk.cards import Verdict
from sandbox.whatsapp import seed
from sandbox.world import WHATSAPP_FIELDS
from tests.sandbox.both import VALUES, Both, connected
from tests.sandbox.cloud import WABA
from tests.sandbox.helpers import Desk

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs" / "whatsapp.md"
LISTED = re.findall(r"^\| ([^|]+) \| `([a-z-]+)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)


def without(field: str) -> Callable[[Both], None]:
    """Have an owner take a field off the app's webhook at Meta."""
    fields = [one for one in WHATSAPP_FIELDS if one != field]
    return lambda both: both.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": fields})


def told(event: str, **more: Any) -> Callable[[Both], None]:
    """Have Meta tell something of the account."""

    def tell(both: Both) -> None:
        both.cloud.control("POST", "account-update", {"event": event, **more}, 201)
        both.settle()

    return tell


def token(**change: Any) -> Callable[[Both], None]:
    """Change the token that the desk uses."""

    def changed(both: Both) -> None:
        found = both.cloud.meta.control("GET", "whatsapp")["tokens"]
        (used,) = (one["id"] for one in found if one["value"] == seed.TOKEN)
        both.cloud.meta.control("PATCH", f"tokens/{used}", change)

    return changed


def delivered_elsewhere(both: Both) -> None:
    another = Desk()
    both.cloud.connect(another)
    another.close()


def delivered_nowhere(both: Both) -> None:
    assert both.cloud.call("DELETE", f"{WABA}/subscribed_apps").json() == {"success": True}


def cut_off(both: Both) -> None:
    both.cloud.meta.fault("debug_token", "reset", times=1)


class Cause(NamedTuple):
    """How the sandbox plays a row of the list, what Diagnose says then, and how sure it is."""

    row: str
    name: str
    plays: Callable[[Both], None]
    verdict: Verdict = Verdict.FAIL


CAUSES = [
    Cause("another program is the primary", "entry-points", lambda _: None, Verdict.UNKNOWN),
    Cause("has no `standby`", "responders", without("standby"), Verdict.UNKNOWN),
    Cause("the field `messages`", "fields", without("messages")),
    Cause("the field `smb_message_echoes`", "echoes", without("smb_message_echoes"), Verdict.UNKNOWN),
    Cause("the field `calls`", "calls", without("calls"), Verdict.UNKNOWN),
    Cause("the field `history`", "history", without("history"), Verdict.UNKNOWN),
    Cause("Meta delivers to another address", "deliveries", delivered_elsewhere),
    Cause("or to none", "deliveries", delivered_nowhere),
    Cause("the token ended", "token", token(valid=False)),
    Cause("or lost a permission", "token", token(scopes=["whatsapp_business_messaging"])),
    Cause("Lobby can't reach Meta", "reach", cut_off),
    Cause("Meta disabled", "warning-restricted", told("DISABLED_UPDATE")),
    Cause("or restricted the account", "warning-restricted", told("ACCOUNT_RESTRICTION")),
    Cause("no longer shared with the app", "warning-connection", told("PARTNER_REMOVED")),
    Cause("or the app was removed", "warning-connection", told("PARTNER_APP_UNINSTALLED")),
    Cause("the phone was replaced", "warning-connection", told("ACCOUNT_OFFBOARDED")),
]


@pytest.fixture(scope="module")
def desk_and_meta(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    yield from connected(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def both(desk_and_meta: Both) -> Both:
    """Return a number that is well at Meta, and just connected."""
    desk_and_meta.cloud.meta.control("PATCH", f"apps/{seed.APP_ID}", {"fields": list(WHATSAPP_FIELDS)})
    scopes = ["whatsapp_business_messaging", "whatsapp_business_management"]
    token(valid=True, scopes=scopes)(desk_and_meta)
    told("DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"})(desk_and_meta)
    desk_and_meta.desk.connect("whatsapp", VALUES, account=desk_and_meta.account)
    return desk_and_meta


def findings(both: Both) -> dict[str, Any]:
    with db.read() as session:
        row = session.get_one(ChannelAccount, both.account.id)
    return {one.name: one for one in diagnosis.diagnose(both.desk.module("card").CARD, row)}


def test_every_row_is_played() -> None:
    for row, name in LISTED:
        assert [one for one in CAUSES if one.row in row and one.name == name], row
    for one in CAUSES:
        assert [name for row, name in LISTED if one.row in row and one.name == name], one.row


@pytest.mark.parametrize("cause", CAUSES, ids=lambda one: one.row)
def test_a_cause_is_named(both: Both, cause: Cause) -> None:
    before = findings(both).get(cause.name)
    assert before is None or before.verdict is Verdict.PASS or cause.name == "entry-points"
    cause.plays(both)
    found = findings(both)[cause.name]
    assert found.verdict is cause.verdict
    assert found.evidence
    assert found.fix
