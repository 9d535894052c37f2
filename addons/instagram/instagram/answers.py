"""The parts of Graph API responses that the addon uses."""

from __future__ import annotations

import msgspec


class Node(msgspec.Struct, frozen=True):
    """A response with only an id."""

    id: str
    name: str = ""


class LinkedAccount(msgspec.Struct, frozen=True):
    """The Instagram account linked to a Page."""

    id: str
    username: str = ""


class PageNode(msgspec.Struct, frozen=True):
    """A Page with its Instagram account."""

    id: str
    name: str = ""
    instagram_business_account: LinkedAccount | None = None


class TokenFacts(msgspec.Struct, frozen=True):
    """Response of ``debug_token``. ``expires_at`` is 0 if it never expires, None if unknown."""

    is_valid: bool = True
    app_id: str = ""
    type: str = ""
    expires_at: int | None = None
    scopes: tuple[str, ...] = ()
    profile_id: str = ""


class Bought(msgspec.Struct, frozen=True):
    """An access token and its lifetime in seconds; 0 if Meta named none."""

    access_token: str
    expires_in: float = 0


class OwnPage(msgspec.Struct, frozen=True):
    """A Page of the person who signed in, with their permissions on it and its token."""

    id: str
    name: str = ""
    access_token: str = ""
    tasks: tuple[str, ...] = ()
    instagram_business_account: LinkedAccount | None = None


class Cursors(msgspec.Struct, frozen=True):
    after: str = ""


class Paging(msgspec.Struct, frozen=True):
    cursors: Cursors = Cursors()
    next: str = ""

    @property
    def after(self) -> str:
        """Return the cursor of the next page; empty on the last."""
        return self.cursors.after if self.next else ""


class OwnPages(msgspec.Struct, frozen=True):
    data: tuple[OwnPage, ...] = ()
    paging: Paging = Paging()


class TokenAnswer(msgspec.Struct, frozen=True):
    data: TokenFacts


class Subscription(msgspec.Struct, frozen=True):
    """An app subscribed to a Page, and its fields."""

    id: str = ""
    subscribed_fields: tuple[str, ...] = ()


class Subscriptions(msgspec.Struct, frozen=True):
    data: tuple[Subscription, ...] = ()


class AppField(msgspec.Struct, frozen=True):
    name: str = ""


class AppSubscription(msgspec.Struct, frozen=True):
    """Webhook subscription of an app for one kind of object: its address and fields."""

    object: str = ""
    callback_url: str = ""
    active: bool = True
    fields: tuple[AppField, ...] = ()


class AppSubscriptions(msgspec.Struct, frozen=True):
    data: tuple[AppSubscription, ...] = ()


class SendAnswer(msgspec.Struct, frozen=True):
    """The response to a sent message."""

    message_id: str
    recipient_id: str = ""


class ActionAnswer(msgspec.Struct, frozen=True):
    """The response to a reaction, typing or seen."""

    recipient_id: str = ""


class UploadAnswer(msgspec.Struct, frozen=True):
    """The response to an uploaded file."""

    attachment_id: str
