"""Two workspaces on one desk, as the sandbox's world has them: Pottery alone, Studio with the Cafe."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.processes import CHECKOUT
from tests.whole.rig import PASSWORD, Rig

APP_ID = "1234567890123456"
APP_SECRET = "5a9db0c05a9db0c05a9db0c05a9db0c0"
SECOND_APP_ID = "6543210987654321"
SECOND_APP_SECRET = "5a9db0c15a9db0c15a9db0c15a9db0c1"

ADMIN = "ada@example.com"
POTTERY_OWNER = "ola@example.com"
POTTERY_AGENT = "ari@example.com"
STUDIO_OWNER = "sam@example.com"
STUDIO_AGENT = "sue@example.com"


@dataclass(frozen=True, slots=True)
class Shop:
    """A Page and its account, with a customer who may write to it."""

    page: str
    igid: str
    token: str
    secret: str
    customer: str

    @property
    def verify_token(self) -> str:
        return f"verify-{self.igid}"

    @property
    def pasted(self) -> dict[str, str]:
        """Return what an owner types into the card."""
        return {
            "name": "",
            "page_id": self.page,
            "ig_user_id": self.igid,
            "page_access_token": self.token,
            "app_secret": self.secret,
        }


def _shop(number: int, name: str, secret: str, customer: str) -> Shop:
    page = f"10000000000000{number}"
    return Shop(page, f"1784140000000000{number}", f"EAASANDBOX{name}Long{page}", secret, customer)


POTTERY = _shop(1, "Pottery", APP_SECRET, "1026000000000001")
STUDIO = _shop(2, "Studio", APP_SECRET, "1026000000000011")
CAFE = _shop(3, "Cafe", SECOND_APP_SECRET, "1026000000000021")


def prepare(rig: Rig, wanted: dict[str, Any]) -> dict[str, Any]:
    """Make what *wanted* says (see ``prepare.py``) in the rig's installation; return the ids."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "prepare.py")],
        cwd=CHECKOUT,
        env=rig.environment,
        input=json.dumps({"password": PASSWORD, **wanted}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def furnish(rig: Rig, addon_zip: Path, **more: Any) -> dict[str, Any]:
    """Make both workspaces with their people and accounts; return the ids. The desk need not run.

    :param more: what else to prepare at once; accounts to connect come after the three of the shops.
    """
    people = [
        {"email": ADMIN, "name": "Ada Admin", "admin": True},
        {"email": POTTERY_OWNER, "name": "Ola Owner", "roles": {"Pottery": "owner"}},
        {"email": POTTERY_AGENT, "name": "Ari Agent", "roles": {"Pottery": "agent"}},
        {"email": STUDIO_OWNER, "name": "Sam Owner", "roles": {"Studio": "owner"}},
        {"email": STUDIO_AGENT, "name": "Sue Agent", "roles": {"Studio": "agent"}},
    ]
    asked = [
        {
            "channel": "instagram",
            "workspace": home,
            "values": shop.pasted,
            "actions": {"verify-token": {"verify_token": shop.verify_token}},
        }
        for home, shop in (("Pottery", POTTERY), ("Studio", STUDIO), ("Studio", CAFE))
    ]
    wanted = {
        **more,
        "migrate": True,
        "workspaces": ["Pottery", "Studio"],
        "people": people,
        "zip": str(addon_zip),
        "connect": [*asked, *more.get("connect", ())],
    }
    return prepare(rig, wanted)


def point_webhooks(rig: Rig) -> None:
    """Register the running desk's address for both apps at the sandbox, verified as the dashboard does it."""
    for app, shop in ((APP_ID, POTTERY), (SECOND_APP_ID, CAFE)):
        body = {"callback_url": f"{rig.url}/addons/instagram/webhook", "verify_token": shop.verify_token}
        rig.control("POST", "webhook", {**body, "app": app})


def assistant(rig: Rig, workspace: int) -> dict[str, int]:
    """Return the ids of an assistant of *workspace*, of something it knows and of a case, made by hand."""
    at = "2026-11-20 12:00:00.000000"
    with closing(sqlite3.connect(rig.data / "lobby.sqlite3", timeout=10)) as desk, desk:

        def put(table: str, **values: Any) -> int:
            marks = ", ".join("?" * len(values))
            statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
            return int(str(desk.execute(statement, tuple(values.values())).lastrowid))

        made = put("assistants", workspace_id=workspace, name="Shop", version=1, created_at=at)
        put("assistant_versions", assistant_id=made, number=1, body="{}", author="Ola Owner", at=at)
        of = {"workspace_id": workspace, "assistant_id": made, "created_at": at}
        words = {"title": "Shipping", "text": "4 days", "questions": "[]"}
        entry = put("knowledge_entries", **of, **words, kind="pasted", state="ready", checked_at=at)
        like = {"hands_over": 1, "says": "[]", "never_says": "[]", "answer": ""}
        case = put("assistant_cases", **of, **like, question="To Norway?")
    return {"assistant_id": made, "knowledge_id": entry, "case_id": case}
