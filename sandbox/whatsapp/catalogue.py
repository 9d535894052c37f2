"""The buttons of the WhatsApp page: every kind of message that needs nothing to tap."""

from __future__ import annotations

from dataclasses import asdict

from sandbox.catalogue import Item
from sandbox.whatsapp import notices
from sandbox.world import Json

WORDS, FILES, ORIGIN, ABOUT, ODD, APP, ACCOUNT = (
    "Words",
    "Files",
    "Where they come from",
    "About a message",
    "From elsewhere",
    "WhatsApp Business app",
    "About the account",
)

ITEMS = (
    Item(WORDS, "Text", "text", {"text": "Hi, is the blue mug still in stock?"}),
    Item(WORDS, "Forwarded", "forwarded", {"text": "Look what they have!"}),
    Item(WORDS, "Forwarded often", "forwarded", {"text": "Share this with ten friends", "often": True}),
    Item(FILES, "Picture", "image", {"text": "This one"}),
    Item(FILES, "Video", "video"),
    Item(FILES, "Voice message", "voice"),
    Item(FILES, "Audio file", "audio"),
    Item(FILES, "Document", "document"),
    Item(FILES, "Sticker", "sticker"),
    Item(FILES, "Location", "location"),
    Item(FILES, "Contact", "contact"),
    Item(FILES, "Own contact, not asked for", "contact", {"own": True}),
    Item(ORIGIN, "From an ad", "ad", {"text": "I saw your ad"}),
    Item(ORIGIN, "About a product", "product", {"text": "Is this one dishwasher safe?"}),
    Item(ORIGIN, "Order", "order", {"text": "Please wrap them as gifts"}),
    Item(ORIGIN, "Form", "form"),
    Item(ABOUT, "Quote", "reply", {"text": "That is quick, thank you!"}, about="theirs"),
    Item(ABOUT, "Reaction", "reaction", {"emoji": "👍"}, about="theirs"),
    Item(ABOUT, "Take a reaction away", "unreact", about="theirs"),
    Item(ABOUT, "Correction", "edit", {"text": "Is it dishwasher safe?"}, about="mine"),
    Item(ABOUT, "Delete for everyone", "revoke", about="mine"),
    Item(APP, "Written there", "app_echo"),
    Item(APP, "Corrected there", "app_echo", {"text": "Yes, come by until six.", "edited": True}),
    Item(APP, "Deleted there", "app_echo", {"revoked": True}),
    Item(APP, "Address book", "app_contact"),
    Item(APP, "History", "history"),
    Item(APP, "File of the history", "history_file"),
    Item(APP, "History not shared", "history_declined"),
    *(Item(ACCOUNT, kind.replace("_", " ").capitalize(), kind) for kind in notices.ABOUT_THE_ACCOUNT),
    Item(ODD, "Not shown by the API", "unsupported"),
    Item(ODD, "Call that nobody takes", "call"),
    Item(ODD, "Call that somebody takes", "call", {"taken": 120}),
    Item(ODD, "While another answers", "standby", {"text": "Is the workshop open on Saturday?"}),
    Item(ODD, "Meta's agent answers", "agent"),
    Item(
        ODD,
        "Passed to the app",
        "pass_control",
        {
            "text": "wants to talk to somebody",
            "summary": "Asked whether the workshop is open on Saturday. Wants to book two places.",
        },
    ),
    Item(ODD, "Taken by another app", "take_control"),
    Item(ODD, "Passed back to the app", "pass_control"),
    Item(ODD, "New ID", "new_id"),
    Item(ODD, "Opens the chat, writes nothing", "welcome"),
    Item(ODD, "May be called", "call_permission"),
    Item(ODD, "In a group", "group", {"text": "Who comes on Saturday?"}),
    Item(ODD, "Without the number it went to", "no_metadata"),
    Item(ODD, "To a number that is not connected", "other_number"),
    Item(ODD, "Stops marketing messages", "stop_marketing"),
    Item(ODD, "Resumes marketing messages", "resume_marketing"),
    Item(ODD, "New number", "system"),
)


def show() -> list[Json]:
    """Return the items for the page."""
    return [asdict(item) for item in ITEMS]
