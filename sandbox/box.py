"""One running sandbox: the world, its clock, its ledger, its faults and its courier."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox import ids, seed
from sandbox.clock import Clock
from sandbox.deliver import Courier, Event
from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.media import Media
from sandbox.whatsapp.seed import plant as plant_whatsapp
from sandbox.whatsapp.world import WhatsApp
from sandbox.world import Account, App, Conversation, Flavour, Json, Message, World


@dataclass(slots=True)
class Settings:
    """Settings of the whole sandbox, changed through ``PATCH /control/settings``."""

    fetch_media: bool = True
    enforce_rates: bool = False
    usage_limit: int = 20000
    message_echoes_field: bool = False
    wrap_logins: bool = False
    """Answer road I's token exchange and ``/me`` inside ``data``, as in the documentation (M30, M34)."""
    cut_opener: bool = False
    """Separate the login dialog from the window that opened it, as a provider's policy may."""


@dataclass(slots=True)
class Emission:
    """The result of one event: the apps that received it, or why none did."""

    apps: list[str]
    reason: str | None = None

    def as_json(self) -> Json:
        """Return the emission for a control response."""
        return {"webhooks": len(self.apps), "apps": self.apps, "reason": self.reason}


class Sandbox:
    """The complete state. Hold ``lock`` to read or change ``world``."""

    def __init__(self, ledger_file: Path | None = None, verify_tls: bool | str = True) -> None:
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.verify_tls = verify_tls
        self.clock = Clock()
        self.ledger = Ledger(self.clock, ledger_file)
        self.faults = Faults()
        self.media = Media(self.clock)
        self.settings = Settings()
        self.calls: dict[str, deque[float]] = defaultdict(deque)
        self.world = World()
        self.whatsapp = WhatsApp()
        self.courier = Courier(self)
        self._plant()

    def _plant(self) -> None:
        seed.plant(self.world, self.clock.now())
        plant_whatsapp(self.world, self.whatsapp, self.clock.now())

    def reset(self) -> None:
        """Reset to the initial world; the ledger's ids keep counting."""
        with self.lock:
            self.courier.forget()
            self.faults.remove()
            self.clock.reset()
            self.media.clear()
            self.calls.clear()
            self.settings = Settings()
            self.world = World()
            self.whatsapp = WhatsApp()
            self._plant()
            self.ledger.clear()

    def close(self) -> None:
        """Stop all threads; held calls return."""
        self.stopping.set()
        self.courier.close()
        self.ledger.touch()
        self.ledger.close()

    def emit(
        self,
        account: Account,
        igsid: str,
        what: str,
        data: Json,
        *,
        mid: str | None = None,
        echo: bool = False,
        container: str = "messaging",
        field: str = "messages",
        seconds: bool = False,
        ahead: bool = False,
    ) -> Emission:
        """Send one event to every subscribed app, or return why none gets it (M2, M3, M22).

        ``ahead`` waits for each receiver's response before continuing.
        """
        draft = Event(
            app_id="",
            igid=account.igid,
            igsid=igsid,
            what=what,
            data=data,
            container=container,
            mid=mid,
            echo=echo,
            seconds=seconds,
            ahead=ahead,
        )
        with self.lock:
            events, reason = self._addressed(draft, account, field)
        return self.hand_over(draft, events, reason)

    def emit_change(
        self,
        account: Account,
        igsid: str,
        what: str,
        shaped: Callable[[Flavour], Json | None],
        *,
        mid: str | None = None,
    ) -> Emission:
        """Send a change to every subscribed app.

        *shaped* returns the change for each road; None: nothing is sent.
        """
        draft = Event("", account.igid, igsid, what, {}, container="changes", mid=mid, seconds=True)
        events: list[Event] = []
        reason: str | None = "no app is subscribed to the account"
        with self.lock:
            for app, flavour in self.world.subscribers(account):
                data = shaped(flavour)
                reason = "this road is told nothing of it"
                if data is not None:
                    reason = self.why_not(app, data["field"], igsid)
                    if reason is None and flavour is Flavour.I:
                        reason = self._not_subscribed(account, app, data["field"])
                if data is not None and reason is None:
                    events.append(replace(draft, app_id=app.id, flavour=flavour, data=data))
        return self.hand_over(draft, events, None if events else reason)

    def hand_over(self, draft: Event, events: list[Event], reason: str | None) -> Emission:
        """Give events to the courier, or note why none is sent."""
        for event in events:
            if draft.ahead:
                self.courier.send_now(event)
            else:
                self.courier.send(event)
        if not events:
            self.ledger.add(
                "webhook_skipped",
                event=draft.what,
                account=draft.igid,
                customer=draft.igsid,
                mids=[draft.mid] if draft.mid else [],
                echo=draft.echo,
                reason=reason,
            )
        return Emission([event.app_id for event in events], reason)

    def _addressed(self, draft: Event, account: Account, field: str) -> tuple[list[Event], str | None]:
        customer = self.world.customers.get(draft.igsid)
        if customer is not None and customer.blocked_by_business and not draft.echo:
            return [], "the business has blocked this customer"
        if not account.allow_messages and draft.container == "messaging":
            return [], "the account does not allow access to messages"
        found: list[Event] = []
        reason: str | None = "no app is subscribed to the account"
        for app, flavour in self.world.subscribers(account):
            reason = self.why_not(app, field, draft.igsid)
            if reason is None:
                found.append(replace(draft, app_id=app.id, flavour=flavour))
        return found, None if found else reason

    @staticmethod
    def _not_subscribed(account: Account, app: App, field: str) -> str | None:
        """Return why road I is not notified, where fields are subscribed per account (M2)."""
        held = account.subscriptions.get(app.id, [])
        return None if field in held else f"the account is not subscribed to the field {field}"

    @staticmethod
    def why_not(app: App, field: str, igsid: str, url: str | None = None) -> str | None:
        """Return why an app is not notified; *url* replaces its callback URL."""
        if not (url or app.callback_url):
            return "the app has no callback URL"
        if app.mode != "live":
            return "the app is not live"
        if app.restricted:
            return "Meta has restricted the app"
        if app.access == "standard" and igsid not in app.roles:
            return "the app has standard access and the customer no role in it"
        if field not in app.fields:
            return f"the app did not select the field {field}"
        return None

    def conversation(self, igid: str, igsid: str) -> Conversation:
        """Return the thread of a customer, created when new."""
        key = ids.conversation_id(igid, igsid)
        found = self.world.conversations.get(key)
        if found is None:
            found = self.world.conversations[key] = Conversation(key, igid, igsid)
        return found

    def store(self, message: Message) -> Message:
        """Add a message to its thread."""
        self.world.messages[message.mid] = message
        self.conversation(message.igid, message.igsid).messages.append(message)
        return message

    def disable_webhooks(self, app: App, igid: str | None) -> None:
        """Unsubscribe an app from an account after an hour of failure (M3)."""
        with self.lock:
            account = self.world.accounts.get(igid or "")
            if account is None:
                return
            page = self.world.pages.get(account.page_id or "")
            gone = account.subscriptions.pop(app.id, None)
            if page is not None:
                gone = page.subscriptions.pop(app.id, gone)
        if gone is not None:
            self.ledger.add("webhooks_disabled", app=app.id, account=igid)

    def usage(self, key: str, flavour: Flavour) -> int:
        """Count a call and return the share of the hour's allowance used, in percent (M25)."""
        now = self.clock.now()
        calls = self.calls[f"{flavour}:{key}"]
        calls.append(now)
        while calls and calls[0] < now - 3600:
            calls.popleft()
        return int(100 * len(calls) / max(self.settings.usage_limit, 1))
