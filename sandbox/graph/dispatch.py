"""Dispatch of paths to handlers, with the names that faults use for calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox import posts as own_posts
from sandbox.errors import GraphError, missing_object
from sandbox.graph import (
    attach,
    comments,
    conversations,
    messenger_profile,
    moderate,
    nodes,
    oauth,
    posts,
    profile,
    send,
    subscriptions,
)
from sandbox.graph.call import Call
from sandbox.whatsapp import accounts as whatsapp_accounts
from sandbox.whatsapp import routes as whatsapp
from sandbox.world import Flavour, Json

Handler = Callable[[Call], Json]

# edge: (name for faults, methods, handler)
EDGES: dict[str, tuple[str, tuple[str, ...], Handler]] = {
    "messages": ("send", ("POST",), send.send),
    "subscribed_apps": ("subscribe", ("GET", "POST", "DELETE"), nodes.subscribed_apps),
    "media": ("media", ("GET",), comments.list_media),
    "live_media": ("media", ("GET",), posts.list_live),
    "comments": ("comment", ("GET",), comments.listed),
    "replies": ("comment", ("GET", "POST"), comments.replies),
    "mentions": ("comment", ("POST",), comments.mentions),
    "thread_owner": ("other", ("GET",), moderate.thread_owner),
    "secondary_receivers": ("other", ("GET",), moderate.secondary_receivers),
    "conversations": ("conversations", ("GET",), conversations.list_conversations),
    "message_attachments": ("upload", ("POST",), attach.upload),
    "messenger_profile": (
        "messenger_profile",
        ("GET", "POST", "DELETE"),
        messenger_profile.messenger_profile,
    ),
    "moderate_conversations": ("other", ("POST",), moderate.moderate_conversations),
    "take_thread_control": ("other", ("POST",), moderate.take_thread_control),
    "pass_thread_control": ("other", ("POST",), moderate.pass_thread_control),
    "request_thread_control": ("other", ("POST",), moderate.request_thread_control),
}
MOST_IDS = 50
BELOW = ("178", "179", "180", "181")
"""Prefixes of ids of posts and comments, so that a deleted one is not taken for a profile."""
# These lock themselves, because they call external servers in between.
UNLOCKED = (
    send.send,
    attach.upload,
    subscriptions.app_subscriptions,
    whatsapp_accounts.subscribed_apps,
    whatsapp_accounts.change_number,
)
PERMISSIONS = {(2, "GET"), (2, "DELETE"), (3, "DELETE")}


def find(call: Call) -> tuple[str, Handler, bool]:
    """Return the call's name for faults, its handler, and whether a token is needed first."""
    found = _special(call)
    if found is not None:
        return found
    if not call.path and call.method == "GET" and "ids" in call.params:
        return "other", several, True
    if len(call.path) == 1:
        return _node(call)
    if call.method == "GET" and len(call.path) == 2 and call.edge == "messages":
        return "conversations", conversations.list_messages, True
    if len(call.path) == 2 and call.edge in EDGES:
        name, methods, handler = EDGES[call.edge]
        if call.method in methods:
            return name, handler, True
    return "other", _unknown, True


def _special(call: Call) -> tuple[str, Handler, bool] | None:
    if call.method == "GET" and call.path == ["debug_token"]:
        return "debug_token", nodes.debug_token, False
    if call.method in ("GET", "POST", "DELETE") and len(call.path) == 2 and call.edge == "subscriptions":
        return "other", subscriptions.app_subscriptions, False
    if call.path[:2] == ["me", "permissions"] and (len(call.path), call.method) in PERMISSIONS:
        return "other", subscriptions.permissions, True
    if (found := whatsapp.find(call)) is not None:
        return found
    if call.path == ["oauth", "access_token"] and call.flavour is Flavour.F:
        return "oauth", oauth.exchange, False
    if call.flavour is Flavour.I and call.node in ("access_token", "refresh_access_token"):
        return "oauth", oauth.instagram_exchange, False
    if call.method == "GET" and call.path == ["me"]:
        return "me", nodes.read_me, True
    if call.method == "GET" and call.path == ["me", "accounts"]:
        return "me", nodes.read_accounts, True
    return None


def several(call: Call) -> Json:
    """Answer ``GET /?ids=1,2``: each object under its id; one missing object fails the whole call."""
    found: Json = {}
    for one in call.words("ids")[:MOST_IDS]:
        part = replace(call, path=[one])
        _name, handler, _needs_token = find(part)
        found[one] = handler(part)
    return found


def _node(call: Call) -> tuple[str, Handler, bool]:
    world, node = call.box.world, call.node
    if (comment := comments.find(call)) is not None:
        return comment
    if call.method != "GET":
        return "other", _unknown, True
    if node in world.pages and call.flavour is Flavour.F:
        return "page", nodes.read_page, True
    if node in world.accounts:
        return "page", nodes.read_account, True
    if (post := own_posts.find(call.box, node)) is not None:
        return "media", lambda asked: posts.read(asked, post), True
    if node in world.conversations:
        return "conversations", conversations.read_conversation, True
    if node in world.messages:
        return "message", conversations.read_message, True
    if node in nodes.PRODUCTS and call.flavour is Flavour.F:
        return "other", nodes.read_product, True
    if node in world.customers or (node.isdigit() and 15 <= len(node) <= 17 and not node.startswith(BELOW)):
        return "profile", profile.read_profile, True
    return "other", _unknown, True


def _unknown(call: Call) -> Json:
    if len(call.path) > 1:
        raise GraphError(
            2500,
            None,
            f"Unknown path components: /{'/'.join(call.path[1:])}",
        )
    raise missing_object(call.node)
