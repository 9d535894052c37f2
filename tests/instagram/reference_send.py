"""The half of docs/messages.md about sending, made of the addon's declaration and of the golden files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from host.core.backports.values import replace
from host.sdk.channel import Capabilities, MediaLimits
from host.sdk.messages import MessageKind

NAMES = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/gif": "GIF",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "video/ogg": "OGG",
    "video/x-msvideo": "AVI",
    "video/webm": "WebM",
    "audio/aac": "AAC",
    "audio/mp4": "M4A",
    "audio/wav": "WAV",
    "application/pdf": "PDF",
}
ASKS = "refused: Meta disabled them on Instagram on 5 October 2026, and a request creates none"
QUOTES = "a message of the conversation that Meta gave an ID; with Instagram Login since 21 September 2026"
ORDER = (
    *("text", "text-long", "text-cut", "text-quote", "text-quote-login", "text-late", "quick-replies"),
    *("image", "image-upload", "image-fallback", "image-quote", "image-late", "images", "images-upload"),
    *(
        "video",
        "audio",
        "file",
        "files-and-text",
        "images-by-id",
        "video-by-id",
        "heart",
        "buttons",
        "carousel",
        "carousel-picture",
        "products",
    ),
    *(
        "own-post",
        "reaction",
        "reaction-removed",
        "typing",
        "seen",
        "thread-taken",
        "thread-passed",
        "ice-breakers",
        "ice-breakers-deleted",
    ),
    *("menu", "menu-deleted", "refused-unreachable", "refused-window"),
)


def render(capabilities: Capabilities, by_login: Capabilities, golden: Mapping[str, dict[str, Any]]) -> str:
    """Return the section in Markdown, without its markers."""
    lines = ["## What can be sent", ""]
    lines += ["Held before anything is sent; what breaks a limit is refused with the limit named.", ""]
    lines += ["| what | kind | limits |", "|---|---|---|"]
    lines += [f"| {what} | {kind} | {limits} |" for what, kind, limits in _rows(capabilities, by_login)]
    lines += ["", "Files go before the text, each a message of its own with its own state and Retry;"]
    lines += ["several pictures are one message."]
    lines += ["Quick replies and cards are shown in the mobile app only.", ""]
    for name in ORDER:
        lines += _example(golden[name])
    return "\n".join(lines).rstrip()


def _rows(found: Capabilities, by_login: Capabilities) -> list[tuple[str, str, str]]:
    quick, cards, ice, menu = found.quick_replies, found.template, found.ice_breakers, found.menu
    buttons = found.buttons
    assert buttons is not None
    assert quick is not None
    assert cards is not None
    assert ice is not None
    assert menu is not None
    media = found.media
    several = f"{_files(media[MessageKind.IMAGE])} each; {found.images_per_message} in one message"
    return [
        ("text", "`text`", f"{found.text_limit_bytes:,} bytes of UTF-8; longer ones are split, or cut"),
        ("quick replies", "`text`", f"{quick.most}; title {quick.title_length} characters"),
        ("quick replies that ask for a phone number or email address", "", ASKS),
        ("picture", "`image`", several),
        ("film", "`video`", _files(media[MessageKind.VIDEO])),
        ("voice note, sound", "`audio`", _files(media[MessageKind.AUDIO])),
        ("document", "`file`", _files(media[MessageKind.FILE])),
        ("a file Meta has", "`image`, `video`, `audio`, `file`", "by the id Meta gave it; the API only"),
        ("heart", "`sticker`", "no other sticker"),
        (
            "text with buttons",
            "`template`",
            f"{buttons.text_length} characters, {buttons.buttons} buttons; label {buttons.title_length}",
        ),
        (
            "cards (generic template)",
            "`template`",
            f"{cards.elements} cards, {cards.buttons} buttons each; title and line {cards.title_length} "
            f"characters, label {cards.button_title_length}",
        ),
        ("products", "`template`", f"{found.product_template} of the catalogue"),
        ("own post", "`share`", "a post of the account, by its ID"),
        (
            "quote",
            "any",
            QUOTES,
        ),
        ("reaction, and its removal", "", _reactions(found, by_login)),
        ("typing, seen", "", "as the account is set; the API whenever it is asked"),
        ("taking and passing a conversation", "", "where the Page's conversation routing lets the app"),
        ("ice breakers", "", f"{ice.most} a locale; {ice.question_length} characters"),
        ("menu", "", f"{menu.most} items a locale; title {menu.title_length} characters"),
    ]


def _reactions(by_page: Capabilities, by_login: Capabilities) -> str:
    assert by_page.reactions
    assert by_login == replace(by_page, reactions=frozenset(), blocks=False)
    return f"{' '.join(sorted(by_page.reactions))}; any emoji for an account connected with Instagram Login"


def _files(limits: MediaLimits) -> str:
    names = ", ".join(sorted({NAMES[one] for one in limits.content_types}))
    return f"{names}; {limits.max_bytes // 1024 // 1024} MB"


def _example(golden: dict[str, Any]) -> list[str]:
    lines = [f"### {golden['about']}", "", "```"]
    for request in golden["requests"]:
        query = "&".join(f"{name}={value}" for name, value in request.get("query", {}).items())
        lines.append(f"{request['method']} {request['path']}{f'?{query}' if query else ''}")
        if "body" in request:
            lines.append(_json(request["body"]))
        for name, value in request.get("form", {}).items():
            lines.append(f"{name}={_json(value) if isinstance(value, dict) else value}")
        lines.append(f"→ {request['answer']['status']} {_json(request['answer']['body'])}")
        lines.append("")
    lines[-1:] = ["```", ""]
    rows = golden.get("rows", {}).get("messages", [])
    states = [f"`{row['kind']}` {row['state']}" for row in rows]
    if states:
        lines += [f"In the inbox: {', '.join(states)}{_why(rows)}", ""]
    return lines


def _why(rows: list[dict[str, Any]]) -> str:
    error = next((row["error"] for row in rows if "error" in row), None)
    return f": “{error['sentence']}” {error['next_step']}" if error else "."


def _json(value: Any) -> str:
    return json.dumps(_short(value), ensure_ascii=False)


def _short(value: Any) -> Any:
    """Return *value* with long texts cut in their middle."""
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    if isinstance(value, str) and len(value) > 200:
        return f"{value[:40]}… ({len(value.encode())} bytes)"
    return value
