"""The initial world of the Cloud API: one account, one number, one token, some templates and customers."""

from __future__ import annotations

from sandbox.seed import DAY, USER_ID
from sandbox.whatsapp.world import Customer, Number, Template, Waba, WhatsApp
from sandbox.world import WHATSAPP_FIELDS, App, Json, Token, World

APP_ID = "1112223334445556"
APP_SECRET = "5a9db0c25a9db0c25a9db0c25a9db0c2"  # noqa: S105 - guards nothing but this stand-in
WABA_ID = "102000000000001"
NUMBER_ID = "106000000000001"
TOKEN = "EAASANDBOXWhatsAppLong102000000000001"  # noqa: S105 - nor does this
SCOPES = ["whatsapp_business_management", "whatsapp_business_messaging"]

_CUSTOMERS = [
    Customer("15550100001", "Ana Q.", "US.13491208655302741001"),
    Customer("15550100002", "Kit L.", "US.13491208655302741002"),
    Customer("447700900003", "Rosa S.", "GB.13491208655302741003", username="rosa.sample"),
    Customer("551190000004", "Gil F.", "BR.13491208655302741004", dialled_as=["5511990000004"]),
]


def _body(text: str, *examples: str) -> Json:
    return {
        "type": "BODY",
        "text": text,
        **({"example": {"body_text": [list(examples)]}} if examples else {}),
    }


def _templates() -> list[Template]:
    named: Json = {
        "type": "BODY",
        "text": "Hello {{customer_name}}, your parcel arrives on {{day}}.",
        "example": {
            "body_text_named_params": [
                {"param_name": "customer_name", "example": "Ana"},
                {"param_name": "day", "example": "Friday"},
            ]
        },
    }
    picture: Json = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1hZ2U="]}}
    buttons: Json = {
        "type": "BUTTONS",
        "buttons": [
            {"type": "QUICK_REPLY", "text": "Yes, please"},
            {"type": "QUICK_REPLY", "text": "No, thanks"},
            {
                "type": "URL",
                "text": "See the sale",
                "url": "https://shop.example/sale/{{1}}",
                "example": ["https://shop.example/sale/spring"],
            },
        ],
    }
    code: Json = {
        "type": "BUTTONS",
        "buttons": [
            {
                "type": "URL",
                "text": "Copy code",
                "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
                "example": ["https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp123456"],
            }
        ],
    }
    footer: Json = {"type": "FOOTER", "text": "Sample Pottery"}
    rows: list[tuple[str, str, str, str, list[Json]]] = [
        ("hello_world", "en_US", "UTILITY", "APPROVED", [_body("Welcome to Sample Pottery."), footer]),
        (
            "order_update",
            "en",
            "UTILITY",
            "APPROVED",
            [
                {"type": "HEADER", "format": "TEXT", "text": "Your order"},
                _body("Hello {{1}}, your order {{2}} has been shipped.", "Ana", "4711"),
                footer,
            ],
        ),
        (
            "order_update",
            "de",
            "UTILITY",
            "APPROVED",
            [_body("Hallo {{1}}, Ihre Bestellung {{2}} ist unterwegs.", "Ana", "4711"), footer],
        ),
        ("delivery_day", "en", "UTILITY", "APPROVED", [named]),
        (
            "spring_sale",
            "en",
            "MARKETING",
            "APPROVED",
            [picture, _body("Hello {{1}}, our spring sale has begun.", "Ana"), footer, buttons],
        ),
        (
            "sign_in_code",
            "en",
            "AUTHENTICATION",
            "APPROVED",
            [_body("*{{1}}* is your verification code.", "123456"), code],
        ),
        ("new_opening_hours", "en", "UTILITY", "PENDING", [_body("We now open at nine.")]),
        ("too_loud", "en", "MARKETING", "REJECTED", [_body("BUY NOW!!!")]),
        ("winter_sale", "en", "MARKETING", "PAUSED", [_body("Our winter sale has begun.")]),
        ("old_sale", "en", "MARKETING", "DISABLED", [_body("Our sale has begun.")]),
    ]
    found = []
    for at, (name, language, category, status, components) in enumerate(rows, 1):
        template = Template(f"590000000000{at:03d}", name, language, category, components, status)
        if components[0] is named:
            template.parameter_format = "NAMED"
        if status == "REJECTED":
            template.rejected_reason = "INVALID_FORMAT"
        found.append(template)
    return found


def plant(world: World, whatsapp: WhatsApp, now: float) -> None:
    """Add the WhatsApp app and token to *world*, and fill an empty *whatsapp*."""
    app = App(APP_ID, APP_SECRET, "Sample WhatsApp Desk", fields=list(WHATSAPP_FIELDS))
    app.object = "whatsapp_business_account"
    app.disable_after = 0.0
    world.apps[APP_ID] = app
    world.tokens[TOKEN] = Token(
        id="whatsapp-long",
        value=TOKEN,
        type="SYSTEM_USER",
        app_id=APP_ID,
        user_id=USER_ID,
        scopes=list(SCOPES),
        issued_at=now - 2 * DAY,
        data_access_expires_at=0.0,
        waba_ids=[WABA_ID],
    )
    whatsapp.accounts[WABA_ID] = Waba(WABA_ID, "Sample Pottery", templates=_templates())
    whatsapp.numbers[NUMBER_ID] = Number(NUMBER_ID, WABA_ID, "+1 555-010-0100", "Sample Pottery")
    for customer in _CUSTOMERS:
        whatsapp.customers[customer.wa_id] = Customer(
            customer.wa_id,
            customer.name,
            customer.user_id,
            username=customer.username,
            dialled_as=list(customer.dialled_as),
        )
