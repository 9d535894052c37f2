"""What the addon's tests are made of: its modules, accounts, signed requests, the stand-in for Meta."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from host.addons.running.loader import LoadedRelease
from host.channels import accounts, connecting
from host.core import clock, db, migrations
from host.models.channels import ChannelAccount
from host.models.users import Workspace
from host.sdk.cards import Connection
from host.sdk.channel import AccountRef
from host.sdk.secrets import Secret
from host.sdk.webhooks import Envelope, WebhookRequest
from sandbox import seed
from sandbox.server import Server
from sandbox.world import Token

ADDON = Path(__file__).resolve().parents[2] / "addons" / "instagram"

POTTERY = "17841400000000001"
STUDIO = "17841400000000002"
CAFE = "17841400000000003"
POTTERY_PAGE = "100000000000001"
ANA = "1026000000000001"
KIT = "1026000000000002"
APP_ID = seed.APP_ID
SCOPES = seed.SCOPES_F
SECRET = seed.APP_SECRET
OTHER_SECRET = seed.SECOND_APP_SECRET
TOKEN = f"EAASANDBOXPotteryLong{POTTERY_PAGE}"


class Addon:
    """The modules of the imported addon, as attributes."""

    def __init__(self, release: LoadedRelease, defaults: Mapping[str, str]) -> None:
        self.release = release
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        try:
            return importlib.import_module(f"{self.release.module_name}.{name}")
        except ModuleNotFoundError:
            raise AttributeError(name) from None


def migrate(url: str) -> None:
    """Run the addon's migrations on a database that has the host's tables."""
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, ADDON / "migrations", "addon_instagram_alembic_version")


def workspace(name: str = "Sample Pottery") -> int:
    def use_case(session: Session) -> int:
        row = Workspace(name=name, created_at=clock.now())
        session.add(row)
        session.flush()
        return row.id

    return db.write(use_case)


def details(ig: Addon, igid: str = POTTERY, **changes: Any) -> Any:
    """Return what a check with Meta would have found out about an account."""
    number = igid[-1]
    shop = {"1": "Pottery", "2": "Studio", "3": "Cafe"}.get(number, "Other")
    page = f"10000000000000{number}"
    values: dict[str, Any] = {
        "page_id": page,
        "page_name": f"Sample {shop}",
        "ig_user_id": igid,
        "ig_username": f"sample.{shop.lower()}",
        "app_id": seed.APP_ID,
        "token": Secret(f"EAASANDBOX{shop}Long{page}"),
        "app_secret": Secret(SECRET),
        "token_expires_at": None,
        "scopes": tuple(seed.SCOPES_F),
        "subscribed_fields": ("messages",),
    }
    return ig.accounts.Details(**{**values, **changes})


def connect(
    ig: Addon,
    igid: str = POTTERY,
    *,
    workspace_id: int | None = None,
    settings: Mapping[str, object] | None = None,
    way: str = "pasted",
    **changes: Any,
) -> AccountRef:
    """Write a connected account without asking Meta."""
    found = details(ig, igid, **changes)

    def store(session: Session, account: AccountRef) -> None:
        ig.accounts.store(session, account, found)

    connection = Connection(
        external_id=igid,
        name=found.page_name,
        handle=f"@{found.ig_username}",
        way=way,
        store=store,
        settings=settings or {"human_agent": False},
    )
    return connecting.save(
        workspace_id=workspace_id or workspace(), channel="instagram", connection=connection
    )


def disconnect(account: AccountRef) -> None:
    db.write(accounts.disconnect_account, account.id)


def touched(account: AccountRef, at: datetime) -> None:
    """Note that something arrived for *account* at *at*, as the worker does."""

    def use_case(session: Session) -> None:
        session.get_one(ChannelAccount, account.id).last_event_at = at

    db.write(use_case)


def message(igid: str = POTTERY, sender: str = ANA, **body: Any) -> dict[str, Any]:
    """Return an item of ``messaging`` with a message; *body* replaces its parts."""
    return item(igid, sender, message={"mid": "mid-1", "text": "Hi, is this in stock?", **body})


def item(igid: str = POTTERY, sender: str = ANA, **parts: Any) -> dict[str, Any]:
    timestamp = parts.pop("timestamp", int(clock.now().timestamp() * 1000))
    return {"sender": {"id": sender}, "recipient": {"id": igid}, "timestamp": timestamp, **parts}


def echo(igid: str = POTTERY, recipient: str = ANA, **body: Any) -> dict[str, Any]:
    return item(recipient, igid, message={"mid": "mid-out", "text": "Yes", "is_echo": True, **body})


def entry(*items: Any, igid: str = POTTERY, container: str = "messaging", **more: Any) -> dict[str, Any]:
    return {"id": igid, "time": int(clock.now().timestamp() * 1000), container: list(items), **more}


def payload(*entries: Any) -> bytes:
    """Return a body as Meta writes it: escaped, without spaces."""
    return json.dumps({"object": "instagram", "entry": list(entries)}, separators=(",", ":")).encode()


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(body: bytes, *, secret: str = SECRET, account: str | None = None, **changes: Any) -> WebhookRequest:
    """Return a delivery of *body*, rightly signed with *secret*."""
    headers = changes.pop("headers", {"x-hub-signature-256": sign(body, secret)})
    return WebhookRequest(method="POST", account=account, headers=headers, query={}, body=body, **changes)


def envelope(
    event: Any, *, igid: str = POTTERY, container: str = "messaging", at: datetime | None = None, **facts: Any
) -> Envelope:
    """Return *event* in an envelope as the addon cuts them, with *facts* about its account."""
    body = json.dumps({"entry": igid, "time": None, "in": container, "event": event, **facts}).encode()
    return Envelope(1, ANA, "key", "message", body, occurred_at=at)


class Meta:
    """Handles on the stand-in: what it saw, and how it misbehaves."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.box = server.box

    def fault(self, call: str, action: str, **options: Any) -> None:
        self.box.faults.add({"call": call, "action": action, **options})

    def entries(self, kind: str) -> list[dict[str, Any]]:
        return [each.facts for each in self.box.ledger.entries(0) if each.kind == kind]

    def sent(self) -> list[dict[str, Any]]:
        return self.entries("send")

    def calls(self, name: str) -> list[dict[str, Any]]:
        return [call for call in self.entries("call") if call["call"] == name]

    def token(self, token_id: str) -> Token:
        return next(token for token in self.box.world.tokens.values() if token.id == token_id)

    def wrote(self, igsid: str = ANA, text: str = "Hi") -> None:
        """Let a customer write, so that the window is open and there is a thread."""
        from sandbox import play

        customer = self.box.world.customers[igsid]
        account = self.box.world.accounts[customer.igid]
        play.perform(self.box, account, customer, "text", {"text": text})


def _at(**parts: Any) -> dict[str, Any]:
    return item(timestamp=1760000001321, **parts)


def _said(**body: Any) -> dict[str, Any]:
    return _at(message={"mid": "mid-1", **body})


LINK = "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1&signature=x"

EVERY_EVENT: tuple[dict[str, Any], ...] = (
    _said(text="Hi"),
    *(_said(attachments=[{"type": kind, "payload": {"url": LINK}}]) for kind in ("image", "video", "audio")),
    _said(
        attachments=[{"type": "file", "payload": {"url": LINK}}, {"type": "image", "payload": {"url": LINK}}]
    ),
    _said(attachments=[{"type": "share", "payload": {"url": LINK}}]),
    _said(attachments=[{"type": "ig_reel", "payload": {"reel_video_id": "1", "title": "t", "url": LINK}}]),
    _said(attachments=[{"type": "story_mention", "payload": {"url": LINK}}]),
    _said(attachments=[{"type": "like_heart"}]),
    _said(attachments=[{"type": "ephemeral"}]),
    _said(attachments=[{"type": "fallback", "payload": None}]),
    _said(attachments=[{"type": "template", "payload": {"generic": {"elements": [{"title": "a"}]}}}]),
    _said(text="love this", reply_to={"story": {"id": "18", "url": LINK}}),
    _said(text="this one", reply_to={"mid": "mid-0"}),
    _said(text="Red", quick_reply={"payload": "COLOR_RED"}),
    _said(text="More info?", referral={"ref": "summer", "ad_id": 6045246247001, "source": "ADS"}),
    _said(is_unsupported=True),
    _said(is_deleted=True),
    {
        "sender": {"id": POTTERY},
        "recipient": {"id": ANA},
        "timestamp": 1760000002000,
        "message": {"mid": "mid-2", "text": "Yes, 3 left", "is_echo": True},
    },
    _at(postback={"mid": "mid-3", "title": "Talk to a person", "payload": "CARE_HELP"}),
    _at(reaction={"mid": "mid-1", "action": "react", "reaction": "love", "emoji": "\u2764\ufe0f"}),
    _at(reaction={"mid": "mid-1", "action": "unreact"}),
    _at(read={"mid": "mid-2"}),
    _at(message_edit={"mid": "mid-1", "text": "Hello", "num_edit": 1}),
    _at(referral={"ref": "flyer-7", "source": "IGME-SOURCE-LINK", "type": "OPEN_THREAD"}),
    _at(pass_thread_control={"previous_owner_app_id": None, "new_owner_app_id": "2"}),
    _at(optin={"type": "notification_messages"}),
    _at(something_new={"a": 1}),
)
"""One of each event Meta is known to send, and one nobody knows."""
