"""Names, reply windows, history sentences and detail fields, as the pages of contacts show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from babel.dates import format_date
from flask_babel import get_locale, ngettext
from flask_babel import lazy_gettext as _l

from host.channels.directory import Directory
from host.inbox.apply import phone_numbers
from host.inbox.apply.opt_out_words import CLOSING
from host.inbox.contacts import details
from host.inbox.contacts.attributes import NO, YES
from host.inbox.contacts.finding import Identity, PersonId
from host.inbox.contacts.history import TimelineEntry
from host.inbox.contacts.joining import Proof
from host.inbox.contacts.models import AttributeKind, ContactAttribute, EntryKind
from host.inbox.pages import durations
from host.inbox.reply import policy_for
from host.models.channels import AccountState
from host.models.inbox import LASTING_KINDS, PAST_KINDS, Contact, IdKind
from host.sdk.channel import AccountRef, ReplyState
from host.web.languages import gettext as _

KINDS = {
    AttributeKind.TEXT: _l("Text"),
    AttributeKind.NUMBER: _l("Number"),
    AttributeKind.DATE: _l("Date"),
    AttributeKind.YES_NO: _l("Yes or no"),
    AttributeKind.CHOICE: _l("Choice"),
}
"""The kinds of attributes, in the order they are offered."""


def name_of(name: str | None, email: str | None, identities: Sequence[Identity], directory: Directory) -> str:
    """Return a contact's name: the team's, else their own, else a short form of an id."""
    if name:
        return name
    for one in identities:
        if one.name or one.username:
            return one.name or one.username or ""
    if email:
        return email
    if not identities:
        return _("Nobody")
    adapter = directory.adapter(identities[0].channel)
    known = identities[0].external_id
    return known if adapter is None else adapter.contact_label(known)


def id_label(channel: str, directory: Directory) -> str:
    """Return what pages call a contact's id on *channel*: “Toy ID”, where programs read ``toy_id``."""
    adapter = directory.adapter(channel)
    named = "id" if adapter is None else adapter.contact_id_name
    if named != "id" and not named.endswith("_id"):
        return _(named.replace("_", " ").capitalize())
    # A channel of comments has the ids of the one beside it.
    key = named.removesuffix("_id").replace("_", "-")
    return _("%(channel)s ID", channel=directory.label(key if key in directory.keys else channel))


def handle_of(identity: Identity, directory: Directory) -> str:
    """Return a contact's name on one account."""
    if identity.username:
        return identity.username if "@" in identity.username else f"@{identity.username}"
    if "@" in identity.external_id:
        return identity.external_id
    if identity.name:
        return identity.name
    adapter = directory.adapter(identity.channel)
    return identity.external_id if adapter is None else adapter.contact_label(identity.external_id)


class IdView(msgspec.Struct, frozen=True):
    """One of several ids of a contact on an account.

    :param about: what kind of id it is, and how long it means them, in words.
    :param is_main: whether replies go to it.
    """

    text: str
    about: str
    is_main: bool


def ids_shown(
    ids: Sequence[PersonId], channel: str, account: str, directory: Directory, now: datetime
) -> list[IdView]:
    """Return a contact's ids on an account as pages show them; none if there is only one."""
    if len(ids) < 2:
        return []
    label, adapter = id_label(channel, directory), directory.adapter(channel)
    if account.startswith("+"):  # a phone number stays on one line
        account = account.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{NON-BREAKING HYPHEN}")
    found = []
    for one in ids:
        if one.is_main and one.kind == IdKind.FORMER:
            continue  # it stands for somebody who has no id that can be written to
        number = None if one.kind in LASTING_KINDS else phone_numbers.international(one.external_id)
        named = adapter.id_kind(one.external_id) if adapter is not None else ""
        kind = _(named) if named else _("Phone number") if number else label
        about = _("%(kind)s on %(account)s", kind=kind, account=account)
        if one.kind in PAST_KINDS:
            when = durations.moment(one.at, now).replace(" ", "\N{NO-BREAK SPACE}")
            about = _("%(kind)s, theirs until %(when)s", kind=about, when=when)
        elif one.kind == IdKind.LASTING:
            about = _("%(kind)s, stays the same", kind=about)
        elif one.kind == IdKind.PASSING:
            about = _("%(kind)s, can change", kind=about)
        found.append(IdView(f"+{number}" if number else one.external_id, about, one.is_main))
    return found


class Window(msgspec.Struct, frozen=True):
    """The reply window of a contact on an account, as shown on the page.

    :param tone: empty, ``warn`` or ``bad``.
    """

    text: str
    tone: str = ""
    open: bool = False


def follow_state(facts: Mapping[str, Any]) -> str:
    """Return whether the contact and the account follow each other, in words; empty if unknown."""
    them, us = facts.get("follows_us"), facts.get("we_follow")
    if them is True:
        return _("Follows you, you follow back") if us is True else _("Follows you")
    if them is False:
        return _("You follow them") if us is True else _("Does not follow")
    return ""


SOON, VERY_SOON = timedelta(hours=3), timedelta(minutes=30)


def window(
    directory: Directory,
    account: AccountRef,
    state: str,
    last_inbound_at: datetime | None,
    now: datetime,
) -> Window:
    """Return the reply window of a contact whose last message was at *last_inbound_at*."""
    adapter = directory.adapter(account.channel)
    if adapter is None:
        return Window(_("channel not active"))
    if state == AccountState.DISCONNECTED:
        return Window(_("disconnected"))
    policy = policy_for(adapter, account, last_inbound_at, now)
    if policy.state is ReplyState.CLOSED:
        return Window(_("closed"))
    if policy.until is None:
        return Window(_("any time"), open=True)
    left = policy.until - now
    tone = "bad" if left < VERY_SOON else "warn" if left < SOON else ""
    return Window(durations.exact(left), tone, open=True)


class Detail(msgspec.Struct, frozen=True):
    """A detail as a row that can be edited in place.

    :param field: name of its form field; *type*: type of that field.
    :param shown: the displayed value, or empty.
    :param choices: the stored options, each with its label.
    """

    field: str
    label: str
    value: str
    shown: str
    type: str
    choices: Sequence[tuple[str, str]] = ()


def details_of(name: str | None, email: str | None, values: Sequence[tuple[Any, str]]) -> list[Detail]:
    """Return every detail of a contact.

    :param values: each attribute with its value, or empty.
    """
    found = [
        Detail(details.NAME, _("Name"), name or "", name or "", "text"),
        Detail(details.EMAIL, _("Email"), email or "", email or "", "email"),
    ]
    return found + [detail_of(attribute, value) for attribute, value in values]


def detail_of(attribute: ContactAttribute, value: str) -> Detail:
    """Return an attribute of a contact as a row."""
    kind = AttributeKind(attribute.kind)
    choices: list[str] = []
    if kind is AttributeKind.YES_NO:
        choices = [YES, NO]
    elif kind is AttributeKind.CHOICE:
        choices = list(attribute.choices or ())
        choices += [value] if value and value not in choices else []
    types = {AttributeKind.NUMBER: "text", AttributeKind.DATE: "date"}
    return Detail(
        field=details.field_of(attribute.id),
        label=attribute.name,
        value=value,
        shown=value_text(kind, value),
        type="select" if choices else types.get(kind, "text"),
        choices=[(word, choice_text(word)) for word in choices],
    )


def value_text(kind: AttributeKind | None, value: str) -> str:
    """Return a value as displayed."""
    if kind is AttributeKind.YES_NO and value:
        return _("Yes") if value == YES else _("No")
    if kind is AttributeKind.DATE and value:
        try:
            return format_date(date.fromisoformat(value), format="medium", locale=get_locale())
        except ValueError:
            return value
    return value


def choice_text(value: str) -> str:
    """Return the label of an option: yes and no in the reader's language."""
    return {YES: _("Yes"), NO: _("No")}.get(value, value)


class EventView(msgspec.Struct, frozen=True):
    """A timeline entry as displayed.

    :param before: the old value, shown struck through before *text*.
    :param undo: the id of the merge to undo; None if it cannot be undone.
    """

    icon: str
    tone: str
    title: str
    text: str
    before: str = ""
    note: bool = False
    undo: int | None = None


_ICONS = {
    EntryKind.NOTE: ("note", "note"),
    EntryKind.CHANGED: ("note", ""),
    EntryKind.OPTED_OUT: ("ban", "bad"),
    EntryKind.OPTED_IN: ("check", ""),
    EntryKind.BLOCKED: ("ban", "bad"),
    EntryKind.UNBLOCKED: ("check", ""),
    EntryKind.MERGED: ("merge", ""),
    EntryKind.SPLIT: ("split", ""),
}
_TITLES = {
    EntryKind.OPTED_OUT: _l("Opted out of automated messages"),
    EntryKind.OPTED_IN: _l("Opted in to automated messages again"),
    EntryKind.BLOCKED: _l("Blocked"),
    EntryKind.UNBLOCKED: _l("Unblocked"),
    EntryKind.MERGED: _l("Merged"),
    EntryKind.SPLIT: _l("Split again"),
}
_PROOFS: Mapping[str, Any] = {
    Proof.PHONE: _l("the same verified phone number"),
    Proof.EMAIL: _l("the same verified email address"),
    Proof.PROVIDER: _l("the provider says that they are one person"),
}


def line_of(event: TimelineEntry, undoable: Any = ()) -> EventView:
    """Return an entry as displayed.

    :param undoable: the ids of merges that can be undone.
    """
    icon, tone = _ICONS[event.kind]
    who = event.author or _("a former member")
    if event.kind is EntryKind.NOTE:
        return EventView(icon, tone, who, event.text, note=True)
    if event.kind is EntryKind.CHANGED:
        names = {details.NAME: _("Name"), details.EMAIL: _("Email")}
        title = str(event.content.get("name") or names.get(str(event.content.get("field")), _("Detail")))
        before, after = (_value_of(event, name) for name in ("before", "after"))
        text = _("%(value)s · by %(who)s", value=after or _("nothing"), who=who)
        return EventView(icon, tone, title, text, before)
    title = str(_TITLES[event.kind])
    other = event.other or _("an erased contact")
    if event.kind is EntryKind.MERGED:
        talks, messages = (int(event.content.get(name, 0)) for name in ("conversations", "messages"))
        told = {
            "other": other,
            "talks": ngettext("%(num)s conversation", "%(num)s conversations", talks),
            "messages": ngettext("%(num)s message", "%(num)s messages", messages),
        }
        proof = _PROOFS.get(str(event.content.get("proof")))
        if proof is not None:
            text = _(
                "%(other)s merged into this contact: %(talks)s, %(messages)s · automatically, %(proof)s",
                **told,
                proof=proof,
            )
        else:
            text = _(
                "%(other)s merged into this contact: %(talks)s, %(messages)s · by %(who)s", **told, who=who
            )
        merge = event.content.get("merge")
        return EventView(icon, tone, title, text, undo=merge if merge in undoable else None)
    if event.kind is EntryKind.SPLIT:
        return EventView(icon, tone, title, _("from %(other)s · by %(who)s", other=other, who=who))
    if "message" in event.content:
        if event.kind is EntryKind.OPTED_IN:
            title = _("Accepts automated messages")  # they may never have opted out
        return EventView(icon, tone, title, _they_wrote(event.text))
    by = _("by %(who)s", who=who)
    return EventView(icon, tone, title, f"{event.text} · {by}" if event.text else by)


def source_of(contact: Contact) -> str:
    """Return how the opt-out of a contact became known; empty if they did not opt out."""
    source = contact.opted_out_source or ""
    return _they_wrote(source) if contact.opted_out_by is None and source in CLOSING else source


def _they_wrote(word: str) -> str:
    return _("They wrote “%(word)s”", word=word)


def _value_of(event: TimelineEntry, name: str) -> str:
    value = str(event.content.get(name, ""))
    return choice_text(value) if value in {YES, NO} else value
