"""The buttons of the WhatsApp page: every kind of message that needs nothing to tap."""

from __future__ import annotations

from dataclasses import asdict

from sandbox.catalogue import Item
from sandbox.world import Json

WORDS, FILES, ORIGIN, ABOUT, ODD = (
    "Words",
    "Files",
    "Where they come from",
    "About a message",
    "From elsewhere",
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
    Item(ODD, "New number", "system"),
)


def show() -> list[Json]:
    """Return the items for the page."""
    return [asdict(item) for item in ITEMS]
