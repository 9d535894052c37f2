"""The objects of the Cloud API: accounts, phone numbers, templates, customers, messages, media."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.world import Json

DAY = 24 * 3600.0


@dataclass(slots=True)
class Override:
    """An alternate callback, which replaces the app's for one account or number (W9)."""

    url: str
    verify_token: str


@dataclass(slots=True)
class Template:
    """A message template in one language (W8)."""

    id: str
    name: str
    language: str
    category: str
    components: list[Json]
    status: str = "APPROVED"
    parameter_format: str = "POSITIONAL"
    rejected_reason: str = "NONE"
    quality: str = "GREEN"


@dataclass(slots=True)
class Number:
    """A business phone number (W9)."""

    id: str
    waba_id: str
    display_phone_number: str
    verified_name: str
    quality_rating: str = "GREEN"
    messaging_limit_tier: str = "TIER_1K"
    throughput: str = "STANDARD"
    name_status: str = "APPROVED"
    code_verification_status: str = "VERIFIED"
    account_mode: str = "LIVE"
    """``SANDBOX``: Meta's test number, which may write to the numbers in ``allowed`` only (131030)."""
    allowed: list[str] = field(default_factory=list)
    registered: bool = True
    pin: str = "123456"
    override: Override | None = None

    @property
    def digits(self) -> str:
        """Return the number as webhooks write it."""
        return "".join(filter(str.isdigit, self.display_phone_number))


@dataclass(slots=True)
class Waba:
    """A WhatsApp Business Account (W9)."""

    id: str
    name: str
    currency: str = "EUR"
    timezone_id: str = "1"
    message_template_namespace: str = "5a9db0c0_0000_4000_8000_000000000001"
    review_status: str = "APPROVED"
    blocked_for_policy: bool = False
    """Whether every message is refused with code 368."""
    templates: list[Template] = field(default_factory=list)
    subscriptions: dict[str, Override | None] = field(default_factory=dict)


@dataclass(slots=True)
class Customer:
    """A person with a WhatsApp number."""

    wa_id: str
    name: str
    user_id: str
    """The business-scoped user id (W7)."""
    parent_id: str = ""
    """The id for all businesses of the owner (W7); empty unless these ids are switched on."""
    username: str | None = None
    hides_number: bool = False
    """Whether webhooks leave out the number, as they may for people with a username (W7)."""
    dialled_as: list[str] = field(default_factory=list)
    """Other spellings of the number that reach it, as in Brazil with and without the ninth digit."""
    on_whatsapp: bool = True
    online: bool = True
    """Whether messages reach the phone at once; otherwise they stay at one tick."""
    receipts: bool = True
    """Whether reading sends read receipts."""
    responder: str = ""
    """The role of who answers instead of the app: ``ai_agent`` or ``escalation``; empty: the app does."""
    blocked: bool = False
    """Whether the person blocked the business (131026)."""
    stopped_marketing: bool = False
    """Whether the person stopped marketing messages of the business (131050)."""
    wrote_in_app: str = ""
    """The id of the newest message that the business wrote to the person in the WhatsApp Business app."""
    placeholder: str = ""
    """The id under which the history had a file last, which comes by itself."""
    last_message_at: float | None = None
    entry_point_until: float = 0.0
    """End of the free entry point conversation that an ad opened (W11)."""
    entry_point_id: str = ""
    typing: bool = False


@dataclass(slots=True)
class Message:
    """One message, from either side. ``body`` is the object named after the type."""

    id: str
    number_id: str
    wa_id: str
    inbound: bool
    at: float
    kind: str
    body: Json | list[Json]
    text: str = ""
    """The text a person reads: the message, the caption, or a filled template."""
    context: Json | None = None
    status: str = ""
    """A sent message is accepted, sent, delivered, read, played or failed; a received one is read or not."""
    announced: list[str] = field(default_factory=list)
    """The statuses that webhooks told."""
    errors: list[Json] = field(default_factory=list)
    pricing: Json = field(default_factory=dict)
    conversation: Json | None = None
    opaque: str | None = None
    to_user_id: bool = False
    """Whether it was sent to the business-scoped user id."""
    reactions: dict[str, str] = field(default_factory=dict)
    buttons: list[Json] = field(default_factory=list)
    """Buttons the customer can tap: ``kind`` is button, button_reply, list_reply or link."""
    media_id: str | None = None
    link: str | None = None
    deleted: bool = False


@dataclass(slots=True)
class MediaFile:
    """A file that was uploaded or received (W2)."""

    id: str
    number_id: str
    mime_type: str
    data: bytes
    expires_at: float
    filename: str | None = None
    gone: bool = False


@dataclass(slots=True)
class Settings:
    """Settings of the Cloud API, changed through ``PATCH /control/whatsapp/settings``."""

    refuse_at_once: bool = False
    """Answer 131047 and 131026 to the call, where Meta accepts it and sends a failed status."""
    deliver: bool = True
    """Send the statuses sent and delivered by themselves."""
    conversations: bool = False
    """Add the conversation object to every status, as before version 24."""


@dataclass(slots=True)
class WhatsApp:
    """Everything that exists, by id."""

    accounts: dict[str, Waba] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    media: dict[str, MediaFile] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def thread(self, customer: Customer) -> list[Message]:
        """Return the messages of a customer, oldest first."""
        return [message for message in self.messages.values() if message.wa_id == customer.wa_id]

    def customer(self, name: str) -> Customer | None:
        """Return a customer by number, user id or username."""
        digits = "".join(filter(str.isdigit, name))
        for customer in self.customers.values():
            known = (customer.user_id, customer.username, f"@{customer.username}")
            if name in known or (digits and digits in (customer.wa_id, *customer.dialled_as)):
                return customer
        return None
