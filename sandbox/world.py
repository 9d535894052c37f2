"""The objects of the sandbox: apps, Pages, Instagram accounts, customers, tokens, threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

INSTAGRAM_FIELDS = (
    "comments",
    "live_comments",
    "mentions",
    "message_echoes",
    "message_edit",
    "message_reactions",
    "messages",
    "messaging_handover",
    "messaging_optins",
    "messaging_policy_enforcement",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_seen",
    "response_feedback",
    "standby",
    "story_insights",
)


WHATSAPP_FIELDS = (
    "account_alerts",
    "account_review_update",
    "account_update",
    "business_capability_update",
    "calls",
    "history",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messages",
    "messaging_handovers",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync",
    "smb_message_echoes",
    "standby",
    "template_category_update",
    "user_preferences",
)
FIELDS = {"instagram": INSTAGRAM_FIELDS, "whatsapp_business_account": WHATSAPP_FIELDS}
"""Webhook fields an app can select, for each object."""


class Flavour(StrEnum):
    """How the account is reached: through its Page (F) or Instagram Login (I)."""

    F = "F"
    I = "I"  # noqa: E741 - Meta's two roads are called F and I in every page of the contract


@dataclass(slots=True)
class App:
    """A developer's app, with the settings in its dashboard."""

    id: str
    secret: str
    name: str
    mode: str = "live"
    access: str = "advanced"
    restricted: bool = False
    """Whether Meta refuses all its calls and sends it no webhooks."""
    require_proof: bool = False
    instagram_secret: str | None = None
    callback_url: str | None = None
    verify_token: str | None = None
    fields: list[str] = field(default_factory=lambda: list(INSTAGRAM_FIELDS))
    roles: list[str] = field(default_factory=list)
    webhook_timeout: float = 5.0
    retry_seconds: list[float] = field(
        default_factory=lambda: [0.5, 5, 30, 120, 600, 3600, 14400, 43200, 86400]
    )
    disable_after: float = 3600.0
    redirect_uris: list[str] = field(default_factory=list)
    """Addresses the login dialog may redirect to; empty: any."""
    object: str = "instagram"
    """The object its webhooks are about: ``instagram`` or ``whatsapp_business_account``."""


@dataclass(slots=True)
class Code:
    """A code from the login dialog, valid once, for an hour (M2, M30)."""

    value: str
    app_id: str
    user_id: str
    redirect_uri: str
    scopes: list[str]
    at: float
    page_ids: list[str] | None = None
    igid: str | None = None
    used: bool = False


@dataclass(slots=True)
class User:
    """The person who owns Pages and granted the tokens."""

    id: str
    name: str


@dataclass(slots=True)
class Page:
    """A Facebook Page, linked to at most one Instagram account."""

    id: str
    name: str
    user_id: str
    igid: str | None = None
    category: str = "Shopping & retail"
    tasks: list[str] = field(default_factory=lambda: ["MESSAGING", "MODERATE", "MANAGE"])
    subscriptions: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    """An Instagram professional account."""

    igid: str
    username: str
    name: str
    scoped_id: str
    page_id: str | None = None
    account_type: str = "BUSINESS"
    allow_messages: bool = True
    human_agent: bool = False
    messaging_blocked: bool = False
    followers_count: int = 0
    subscriptions: dict[str, list[str]] = field(default_factory=dict)
    profile: Json = field(default_factory=dict)

    @property
    def is_professional(self) -> bool:
        """Whether it is a business or a creator; the API returns nothing about others (M1, M21)."""
        return self.account_type != "PERSONAL"


@dataclass(slots=True)
class Customer:
    """A person, from the view of one account."""

    igsid: str
    igid: str
    name: str | None
    username: str
    follower_count: int = 0
    is_verified_user: bool = False
    is_user_follow_business: bool = False
    is_business_follow_user: bool = False
    has_picture: bool = True
    consent: str = "after_message"
    available: bool = True
    blocked_by_business: bool = False
    last_message_at: float | None = None
    typing: bool = False
    seen_at: float | None = None


@dataclass(slots=True)
class Token:
    """An access token. ``id`` names it in the ledger; ``value`` is never written there."""

    id: str
    value: str
    type: str
    app_id: str
    user_id: str
    scopes: list[str]
    page_id: str | None = None
    igid: str | None = None
    issued_at: float = 0.0
    expires_at: float = 0.0
    data_access_expires_at: float = 0.0
    valid: bool = True
    subcode: int | None = None
    page_ids: list[str] | None = None
    """The Pages ticked in the login dialog, for a user token; None: all."""
    waba_ids: list[str] | None = None
    """The WhatsApp Business Accounts it was granted; None: it is no WhatsApp token."""


@dataclass(slots=True)
class Message:
    """One item of a thread, from either side."""

    mid: str
    igid: str
    igsid: str
    inbound: bool
    at: float
    kind: str
    text: str | None = None
    attachments: list[Json] = field(default_factory=list)
    body: Json = field(default_factory=dict)
    reply_to: Json | None = None
    story: Json | None = None
    via: str = "customer"
    tag: str | None = None
    deleted: bool = False
    edits: int = 0
    reactions: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    read: bool = False
    comment_id: str | None = None
    """The comment this is the private reply to."""


@dataclass(slots=True)
class Conversation:
    """The thread of one customer with one account."""

    id: str
    igid: str
    igsid: str
    messages: list[Message] = field(default_factory=list)
    owner: str | None = None
    """The app that has the thread (M19, M29); None: any app may answer."""
    requested: bool = False
    """Whether it is among the customer's message requests, where a private reply may arrive (M13)."""


@dataclass(slots=True)
class Post:
    """A post, open to comments. ``kind`` is Meta's ``media_product_type``: FEED, REELS, AD, LIVE."""

    id: str
    igid: str
    """The account that published it; empty: someone else, named in ``owner``."""
    kind: str
    at: float
    caption: str | None = None
    owner: str = ""
    permalink: str = ""
    picture: str = ""
    ended_at: float | None = None
    """End of a broadcast; None: it is running, or the post is not a broadcast."""
    ad_id: str | None = None
    ad_title: str | None = None
    original_id: str | None = None
    """For an ad: the post it shows. Its comments are reported twice, with and without the ad (M13)."""


@dataclass(slots=True)
class Comment:
    """A comment under a post, which allows one private reply within seven days (M13).

    ``igid`` is the account it concerns: the owner of the post, or the mentioned one. ``igsid`` is its author,
    which may be the account itself.
    """

    id: str
    igid: str
    igsid: str
    text: str
    at: float
    replied: bool = False
    parent_id: str | None = None
    """The comment this one answers in public; None: it is directly below the post."""
    post_id: str = ""
    hidden: bool = False
    mention: bool = False
    """Whether it is below someone else's post and mentions the account."""

    @property
    def ours(self) -> bool:
        """Whether the account wrote it itself."""
        return self.igsid == self.igid


@dataclass(slots=True)
class World:
    """Everything that exists, by id."""

    apps: dict[str, App] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    grants: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """Permissions of each person and app on road F, all carried by a token (M39)."""
    conversations: dict[str, Conversation] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    """Manually published posts; each account also has generated ones from :mod:`sandbox.posts`."""
    comments: dict[str, Comment] = field(default_factory=dict)
    attachments: dict[str, Json] = field(default_factory=dict)

    def subscribers(self, account: Account) -> list[tuple[App, Flavour]]:
        """Return the apps that get this account's webhooks, each once, with the road."""
        found: dict[str, Flavour] = {}
        page = self.pages.get(account.page_id or "")
        if page is not None:
            found.update(dict.fromkeys(page.subscriptions, Flavour.F))
        for app_id in account.subscriptions:
            found.setdefault(app_id, Flavour.I)
        return [(self.apps[app_id], flavour) for app_id, flavour in found.items()]
