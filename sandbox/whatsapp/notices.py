"""Events about an account, its numbers and its templates, and about what a customer wants to get.

The shapes are those of the pages webhooks/reference/account_alerts and the fields beside it (11 Nov 2025 to
21 May 2026), and business-scoped-user-ids (5 Nov 2026) for ``user_preferences``.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.box import Emission, Sandbox
from sandbox.whatsapp import webhooks
from sandbox.whatsapp.world import Customer, Number
from sandbox.world import Json

_TEMPLATE: Json = {
    "message_template_id": 590000000000001,
    "message_template_name": "order_update",
    "message_template_language": "en",
}
_LIMITS = "Limits cannot be increased for your business. Follow our messaging policies."
ABOUT_THE_ACCOUNT: dict[str, tuple[str, Json]] = {
    "account_alert": (
        "account_alerts",
        {
            "entity_type": "BUSINESS",
            "entity_id": "506914307656634",
            "alert_info": {
                "alert_severity": "WARNING",
                "alert_status": "ACTIVE",
                "alert_type": "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED",
                "alert_description": _LIMITS,
            },
        },
    ),
    "account_review": ("account_review_update", {"decision": "APPROVED"}),
    "account_restricted": ("account_update", {"event": "ACCOUNT_RESTRICTION"}),
    "account_reinstated": ("account_update", {"event": "ACCOUNT_REINSTATED"}),
    "capability": (
        "business_capability_update",
        {
            "max_daily_conversations_per_business": 2000,
            "max_phone_numbers_per_business": 20,
            "max_phone_numbers_per_waba": 20,
        },
    ),
    "number_flagged": (
        "phone_number_quality_update",
        {
            "display_phone_number": "15550100100",
            "event": "FLAGGED",
            "current_limit": "TIER_2K",
            "max_daily_conversations_per_business": "TIER_2K",
        },
    ),
    "number_name": (
        "phone_number_name_update",
        {
            "display_phone_number": "15550100100",
            "decision": "APPROVED",
            "requested_verified_name": "Sample Pottery",
            "rejection_reason": None,
        },
    ),
    "number_pin": (
        "security",
        {"display_phone_number": "15550100100", "event": "PIN_CHANGED"},
    ),
    "template_paused": (
        "message_template_status_update",
        {**_TEMPLATE, "event": "PAUSED", "message_template_category": "UTILITY", "reason": "NONE"},
    ),
    "template_changed": (
        "message_template_components_update",
        {**_TEMPLATE, "message_template_element": "Hello {{1}}, your order {{2}} has left."},
    ),
    "template_quality": (
        "message_template_quality_update",
        {**_TEMPLATE, "previous_quality_score": "GREEN", "new_quality_score": "YELLOW"},
    ),
    "template_category": (
        "template_category_update",
        {**_TEMPLATE, "previous_category": "UTILITY", "new_category": "MARKETING"},
    ),
    "template_category_soon": (
        "template_category_update",
        {
            **_TEMPLATE,
            "new_category": "UTILITY",
            "correct_category": "MARKETING",
            "category_update_timestamp": 1796169200,
        },
    ),
}
"""Field and value of each, by kind."""


def _tells(field: str, value: Json) -> Callable[[Sandbox, Number, Customer, Json], Emission]:
    def told(box: Sandbox, number: Number, _customer: Customer, _data: Json) -> Emission:
        waba = box.whatsapp.accounts[number.waba_id]
        return webhooks.emit(box, waba, field, value, field, number=number)

    return told


def _prefers(value: str) -> Callable[[Sandbox, Number, Customer, Json], Emission]:
    def told(box: Sandbox, number: Number, customer: Customer, _data: Json) -> Emission:
        customer.stopped_marketing = value == "stop"
        said: Json = {} if customer.hides_number else {"wa_id": customer.wa_id}
        said |= webhooks.ids_of(customer)
        said |= {"detail": f"User requested to {value} marketing messages", "category": "marketing_messages"}
        said |= {"value": value, "timestamp": int(box.clock.now())}
        contacts = [webhooks.contact(customer)]
        value_ = {**webhooks.metadata(number), "contacts": contacts, "user_preferences": [said]}
        waba, field = box.whatsapp.accounts[number.waba_id], "user_preferences"
        return webhooks.emit(box, waba, field, value_, field, number=number, customer=customer.wa_id)

    return told


OTHERS = {
    "stop_marketing": _prefers("stop"),
    "resume_marketing": _prefers("resume"),
    **{kind: _tells(*told) for kind, told in ABOUT_THE_ACCOUNT.items()},
}
"""Events of both, by kind."""
