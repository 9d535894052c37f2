"""Render the inbox page and its fragments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import current_app, g, render_template, request
from markupsafe import Markup

from host.channels import abilities
from host.channels.directory import current_directory
from host.core import clock
from host.features import registry
from host.inbox import queries, variables
from host.inbox.comments import private
from host.inbox.comments.private import CameFrom
from host.inbox.labels import labels
from host.inbox.labels.models import Label
from host.inbox.list_positions import position_text
from host.inbox.messages import load_thread
from host.inbox.pages import composer, durations, keys, message_view, pieces, snooze_times, text_view
from host.inbox.pages.arguments import Filter, filter_from_request, position_from_request
from host.inbox.pages.comments.parts import PostShown, picture_of, shown_post, titled
from host.inbox.pages.composer import ComposerState, composer_values, tools_for
from host.inbox.pages.context import InboxContext, bp, opened_inbox
from host.inbox.pages.conversation_view import Head, contact_details, head
from host.inbox.pages.kept_views import kept
from host.inbox.pages.message_view import ThreadEntry
from host.inbox.pages.outreach.shown import before
from host.inbox.queries import Row
from host.live.events import newest_id
from host.sdk.panels import Place
from host.web import devices, message_kinds
from host.web.request_helpers import id_argument, seen_accounts

bp.add_app_template_filter(pieces.piece, "piece")

PANES = frozenset({"list", "filters", "contact"})

SCRIPTS = tuple(
    f"{name}.js"
    for name in (
        "base",
        "bulk",
        "composer-draft",
        "composer-kept",
        "device-texts",
        "erased",
        "gallery",
        "inbox-ahead",
        "inbox-back",
        "inbox-edit",
        "inbox-form",
        "inbox-kept",
        "inbox-keys",
        "inbox-list",
        "inbox-macros",
        "inbox-media",
        "inbox-player",
        "inbox-presence",
        "inbox-sending",
        "inbox-swipe",
        "inbox-tap",
        "inbox-thread",
        "inbox-time",
        "inbox-undo",
        "inbox-unsent",
        "live",
        "menus",
        "notice",
        "notices",
        "offline-copy",
        "offline-line",
        "page-user",
        "pieces",
        "reactions",
        "sending",
        "typed-ahead-box",
        "typed-ahead",
    )
)
"""The JavaScript modules that ``inbox.js`` imports, directly or indirectly."""
CONVERSATION_SCRIPTS = tuple(
    f"{name}.js"
    for name in (
        "bytes",
        "composer-along",
        "composer-canned",
        "composer-cards",
        "composer-files",
        "composer-format",
        "composer-offers",
        "composer-parts",
        "composer-pictures",
        "composer-preview",
        "composer-quote",
        "composer-tools",
        "composer-typing",
        "composer-unfilled",
        "composer-voice",
        "composer",
        "inbox-conversation",
        "inbox-foreseen",
        "panels",
        "popover",
        "voice",
        "voice-ogg",
    )
)
"""Those it loads with the first conversation."""


@bp.context_processor
def template_values() -> dict[str, Any]:
    """Return values for every template of the inbox, and for blueprints that show messages."""
    return {
        "activity": message_view.activity,
        "keys_of_inbox": lambda may: keys.groups(may, abilities.of(current_directory().adapters)),
        "search_address": search_address,
        "key_caps": devices.key_caps,
        "shown_keys": devices.shown_keys,
        "edges": text_view.edges,
        "piece_below": pieces.piece_below,
        "id_in_piece": pieces.ID,
        "name_in_piece": pieces.NAME,
        "tail": text_view.tail,
        "start": text_view.start,
        "is_note": message_view.is_note,
        "note_by": message_view.note_by,
        "kind_label": lambda kind: message_kinds.look_of(kind).label,
        "moment_of": lambda at: durations.moment(at, clock.now()),
        "offered_snoozes": lambda: snooze_times.offered(clock.now()),
        "own_snooze": lambda: snooze_times.own_time(clock.now()),
        "snooze_text": lambda snooze: snooze_times.snooze_text(snooze, clock.now()),
        "until_text": lambda until: snooze_times.until_text(until, clock.now()),
        "known_endpoints": current_app.view_functions,
        "scripts_of_inbox": SCRIPTS,
        "scripts_of_conversation": CONVERSATION_SCRIPTS,
        "words_of_tools": composer.words,
        "voice_problems": composer.voice_problems,
        "unfilled_pattern": variables.UNFILLED,
        "variable_labels": lambda: [(name, str(words)) for name, words in variables.VARIABLES.items()],
        "emoji_groups": composer.emoji_groups,
        "title_of_post": titled,
        "picture_of_post": picture_of,
    }


FEW = 5
"""Conversations with which a workspace is still new."""
SEARCH = "/w/<int:workspace_id>/search"


def search_address() -> str:
    """Return the URL of the search page of the workspace; empty if search is disabled."""
    known = any(rule.rule == SEARCH for rule in current_app.url_map.iter_rules())
    return SEARCH.replace("<int:workspace_id>", str(g.workspace.id)) if known else ""


def head_of(inbox: InboxContext, row: Row) -> Head:
    """Return the head of a thread, for its fragment and the contact pane."""
    members = queries.members(inbox.session, inbox.workspace_id, row.account.id)
    return head(row, inbox.adapter(row), members, inbox.teams(), inbox.user_id, inbox.now, inbox.post(row))


def render_head(shown: Head, filter_: Filter, all_labels: Sequence[Label]) -> str:
    """Return the head of a thread as HTML."""
    return render_template("inbox/_head.html", head=shown, filter=filter_, all_labels=all_labels)


def render_contact(inbox: InboxContext, shown: Head, filter_: Filter) -> str:
    """Return the contact pane as HTML."""
    row = shown.row
    about = contact_details(inbox.session, row, inbox.adapter(row), seen_accounts())
    return render_template(
        "inbox/_contact.html",
        head=shown,
        filter=filter_,
        about=about,
        panels=inbox.directory.panels_at(Place.CONVERSATION),
    )


def render_messages(
    inbox: InboxContext, row: Row, entries: Sequence[ThreadEntry], *, quiet: bool = False
) -> str:
    """Return entries of a thread as HTML.

    :param quiet: whether they are shown above another thread, without actions.
    """
    label = current_directory().label(row.channel)
    return render_template(
        "inbox/_messages.html",
        thread_entries=entries,
        row=row,
        label=label,
        quiet=quiet,
        tools=tools_for(inbox, row),
    )


def inbox_page(workspace_id: int, conversation_id: int | None, draft: ComposerState | None = None) -> str:
    """Return the whole page.

    :param conversation_id: the open conversation, or None.
    :param draft: a reply or note that could not be sent.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    with opened_inbox(workspace_id) as inbox:
        session, directory = inbox.session, inbox.directory
        filter_ = filter_from_request(directory)
        # Read first, so that a concurrent change is sent twice rather than never.
        values: dict[str, Any] = {"live_after": newest_id(session)}
        page = inbox.page(filter_, None if conversation_id else position_from_request())
        items = inbox.listed(page.rows, filter_)
        counts = inbox.counts(filter_)
        values["kept"] = kept(inbox, filter_)
        if conversation_id is not None:
            values |= _conversation_values(inbox, inbox.row(conversation_id), draft)
        empty = not page.rows and not counts.open and not counts.closed
        values["here"] = inbox.here()
        values["connected"] = not empty or queries.has_accounts(session, workspace_id)
    if conversation_id is None and not request.args and empty:
        instead = registry.hooks().instead_of_inbox(workspace_id=workspace_id)
        if instead is not None:
            return page_instead(workspace_id, instead)
    above = None
    if conversation_id is None and not request.args and 0 < counts.open + counts.closed <= FEW:
        above = registry.hooks().above_inbox(workspace_id=workspace_id)
    pane = request.args.get("pane", "")
    if pane not in PANES or (pane == "contact" and conversation_id is None):
        pane = "thread" if conversation_id is not None else "list"
    return render_template(
        "inbox/index.html",
        items=items,
        more=position_text(page.next) if page.next else None,
        counts=counts,
        filter=filter_,
        above=above,
        pane=pane,
        directory=directory,
        selected=conversation_id,
        empty=empty,
        now=inbox.now,
        all_labels=values["kept"].labels,
        **values,
    )


def page_instead(workspace_id: int, lead: Any, *, parts: bool = False) -> str:
    """Return the page with the sidebar, and something else in place of the list.

    :param lead: what its ``template`` shows.
    :param parts: whether to return only these two, for a page that shows them already.
    """
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        counts, shown = inbox.counts(filter_), kept(inbox, filter_)
    return render_template(
        "inbox/_instead.html" if parts else "inbox/instead.html",
        **template_values(),  # other blueprints have such pages, too
        lead=lead,
        filter=filter_,
        counts=counts,
        directory=inbox.directory,
        kept=shown,
        all_labels=shown.labels,
    )


def opened_by(inbox: InboxContext, row: Row) -> tuple[CameFrom, PostShown | None] | None:
    """Return the private reply that began a conversation, and its post, or None.

    It queries only conversations on accounts with an account beside.
    """
    beside = row.account.beside_id
    accounts = seen_accounts()
    if row.post_id is not None or beside is None or (accounts is not None and beside not in accounts):
        return None
    found = private.came_from(inbox.session, inbox.workspace_id, row.id)
    if found is None:
        return None
    there = inbox.seen_row(found.conversation_id)
    post = None if there is None else inbox.post(there)
    return found, None if post is None else shown_post(post, inbox.workspace_id)


def asked_draft() -> ComposerState:
    """Return the composer state requested in the URL: its form, and the message it answers."""
    mode = request.args.get("write", "")
    return ComposerState(
        mode=mode if mode in {"note", "private", "onward"} else "reply",
        reply_to=id_argument("quote"),
        react_to=id_argument("react"),
        suggestion=id_argument("suggestion"),
    )


def _conversation_values(inbox: InboxContext, row: Row, draft: ComposerState | None) -> dict[str, Any]:
    thread = load_thread(inbox.session, inbox.workspace_id, row.id, before=position_from_request())
    draft = draft or asked_draft()
    entries = inbox.shown(row, thread.entries, others=True, whole=id_argument("below"))
    # Only a thread that begins with this activity line continues another conversation.
    goes_on = any(one.content.get("what") == "came_from" for one in thread.entries)
    above = before(inbox, row) if goes_on and thread.earlier is None else None
    return {
        "before": above,
        "before_html": ""
        if above is None
        else Markup(render_messages(inbox, above.row, above.entries, quiet=True)),  # noqa: S704
        "head": head_of(inbox, row),
        "thread_entries": entries,
        "earlier": position_text(thread.earlier) if thread.earlier else None,
        "older_page": request.args.get("before") is not None,
        "about": contact_details(inbox.session, row, inbox.adapter(row), seen_accounts()),
        "panels": inbox.directory.panels_at(Place.CONVERSATION),
        "opened_by": opened_by(inbox, row),
        "seen": max((one.id for one in thread.entries), default=0),
        **composer_values(inbox, row, draft),
    }


def opened_part(workspace_id: int, conversation_id: int) -> str:
    """Return the part of the page with one conversation, without the list.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    with opened_inbox(workspace_id) as inbox:
        filter_ = filter_from_request(inbox.directory)
        values = _conversation_values(inbox, inbox.row(conversation_id), None)
        values["all_labels"] = labels.all_of(inbox.session, workspace_id)
    return render_template("inbox/_opened.html", filter=filter_, selected=conversation_id, **values)
