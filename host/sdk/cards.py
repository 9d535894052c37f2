"""The settings card of a channel on Settings -> Channels, with its actions and sign-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from host.sdk.channel import AccountRef


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a page of the provider or this desk, to do something there."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a card.

    :param name: not ``password``, ``confirmation_code``, ``move_account`` or ``csrf_token``, which the desk's
        own forms use.
    :param secret: write-only: never rendered back; leaving it empty while editing keeps the stored value.
    :param clean: returns the value to use or raises ValueError with a sentence for the person.
    """

    name: str
    label: str
    help: str = ""
    required: bool = True
    secret: bool = False
    placeholder: str = ""
    max_length: int = 255
    clean: Callable[[str], str] | None = None
    kind: str = "text"
    """``text``, ``lines`` (multi-line text), ``number``, ``checkbox`` (value ``1`` or empty) or ``select``
    (one of *choices*)."""
    choices: tuple[tuple[str, str], ...] = ()
    """Options of a select, as (value, label). The first is the default, also for an optional field that is
    not submitted."""
    pasted: bool = False
    """Whether it is part of the credentials: hidden when changing an account connected by signing in, and
    then absent from :attr:`ConnectRequest.values`."""
    link: Link | None = None
    """The provider's page that shows the value."""


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """A workspace owner pressed Save.

    :param account: the account being changed; None for a new one.
    :param values: cleaned values by field name; a secret left empty while editing is absent.
    :param taken: ``taken(external_id)`` returns a sentence if that account is connected elsewhere, else None.
    :param by_admin: whether that owner is also an admin of the desk.
    """

    workspace_id: int
    account: AccountRef | None
    values: Mapping[str, str] = field(repr=False)
    taken: Callable[[str], str | None]
    by_admin: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """The provider accepted. The host now writes the account and calls *store* in the same transaction.

    :param store: writes the addon's own row; SQL only.
    :param undo: called outside any transaction if that write failed.
    :param after: called outside any transaction once it has succeeded; its errors are ignored.
    """

    external_id: str
    name: str
    handle: str
    way: str
    store: Callable[[Session, AccountRef], None]
    undo: Callable[[], None] | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    after: Callable[[AccountRef], None] | None = None
    renewed: bool = True
    """Whether the provider checked the credentials again, so that warnings about the account are cleared."""
    lost: str = ""
    """A sentence for the person who connected it: what no longer works because of that."""
    lost_step: str = ""
    """The next step to get it back, as a sentence."""


@dataclass(frozen=True, slots=True)
class Problems:
    """Validation errors of the form: sentences by field name; ``""`` for the whole form."""

    by_field: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SettingsCheck:
    """Checks what owners filled in on the form of ``[settings.workspace.<name>]``, once it is saved.

    :param run: ``run(workspace_id)`` returns a sentence about what works, or :class:`Problems` by setting,
        each with what to do; called outside any transaction.
    :param seconds: how long it may take; at most 10.
    """

    run: Callable[[int], str | Problems]
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Nothing is connected yet: someone else must approve. The addon stores what it needs until then, and
    connects the account itself with :func:`host.sdk.accounts.save`.

    :param sentence: who was asked, and what happens next.
    """

    sentence: str


@dataclass(frozen=True, slots=True)
class SectionNotice:
    """A notice above the accounts of a channel that concerns no single account.

    :param url: a page of the addon with more; *link* is its label.
    """

    bold: str
    sentence: str
    url: str
    link: str


@dataclass(frozen=True, slots=True)
class Copyable:
    """A value to paste elsewhere, shown read-only next to a Copy button."""

    label: str
    value: str
    help: str = ""
    link: Link | None = None
    """The page where the value is entered."""


@dataclass(frozen=True, slots=True)
class Ability:
    """An optional feature of an account beyond messages, which its owner can switch on.

    :param name: as in :attr:`SignIn.abilities`, if signing in can request it.
    :param on: whether the owner wants it.
    :param granted: whether the account's credentials allow it.
    :param action: name of the :class:`CardAction` that toggles it, called with ``on`` as ``1`` or empty.
    """

    name: str
    label: str
    on: bool
    granted: bool
    action: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A setup step that must be done before the first message arrives.

    :param detail: how it was verified, or what to do.
    """

    label: str
    detail: str
    done: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """A description of the accounts that a way to connect is for, so that people choose the right one.

    :param when: what is true of such an account, in everyday words.
    :param how: what happens when connecting.
    :param needs: what is required; *takes*: how long it takes; *lasts*: how long the sign-in stays valid.
    """

    when: str
    how: str
    needs: str = ""
    takes: str = ""
    lasts: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission the provider will ask the person for.

    :param cost: the effect of not granting it.
    """

    name: str
    gives: str
    cost: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something an account still needs in order to send or receive; it heads the card.

    :param sentence: what doesn't work, in one sentence.
    :param button: what to do, as the label of the card's button.
    :param field: name of the :class:`Field` that the button leads to.
    :param detail: another way out, below the sentence.
    """

    sentence: str
    button: str
    field: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CardStatus:
    """The contents of the card of one connected account.

    :param steps: setup steps before the first message, in order; hidden once one arrived.
    :param facts: label and value pairs.
    :param abilities: features to switch on and off; one that is not granted requires signing in.
    :param notices: (tone, bold, sentence); tone one of ``good``, ``warn``, ``bad``.
    """

    facts: Sequence[tuple[str, str]] = ()
    abilities: Sequence[Ability] = ()
    copyables: Sequence[Copyable] = ()
    notices: Sequence[tuple[str, str, str]] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    """Values of the non-secret fields, to fill the form when editing."""
    stored_secrets: Mapping[str, str] = field(default_factory=dict)
    """A hint for each secret field that reveals no part of it: ``set on 1 May 2026``."""
    steps: Sequence[Step] = ()
    links: Sequence[Link] = ()
    """Pages about the account, such as the addon's own."""
    missing: Missing | None = None
    """Heads the card and the account's page, with its button, unless the account must be reconnected."""


@dataclass(frozen=True, slots=True)
class CardAction:
    """A button on the card of a connected account, such as generating a new verify token.

    :param fields: fields to fill in before it runs.
    :param run: ``run(account, values)`` returns a sentence to show, or raises ValueError with one.
    :param ways: ways to connect, as in :attr:`Connection.way`, whose accounts have it; empty: all.
    """

    name: str
    label: str
    run: Callable[[AccountRef, Mapping[str, str]], str]
    fields: tuple[Field, ...] = ()
    confirm: str = ""
    listed: bool = True
    """Whether it has its own button; False if an :class:`Ability` or a :class:`Finding` calls it."""
    ways: tuple[str, ...] = ()
    ends: frozenset[str] = frozenset()
    """Reasons for which an account stopped that it looks whether they are over, calling
    :func:`host.sdk.accounts.mark_connected`. While an account has stopped for one, it is the card's main
    button instead of Reconnect, and it is shown at no other time."""

    def is_for(self, way: str) -> bool:
        """Return whether accounts connected this way have it."""
        return not self.ways or way in self.ways


class Verdict(StrEnum):
    """The result of a check."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    """A problem that blocks nothing yet, or not everything."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The check could not determine the result."""


RECONNECT = "reconnect"
"""Value of :attr:`Finding.action` that reconnects the account the way it was connected."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check of Diagnose.

    :param name: a stable id: lower-case letters and hyphens.
    :param title: what was checked.
    :param evidence: what was observed; never a credential or part of one.
    :param fix: what to do; empty if it passed.
    :param action: name of the :class:`CardAction` that does it, or :data:`RECONNECT`.
    :param seen_at: when the evidence was collected; None: while the check ran.
    :param old: whether the evidence is too old to rely on.
    :param link: the page where a person fixes it.
    """

    name: str
    title: str
    verdict: Verdict
    evidence: str = ""
    fix: str = ""
    action: str = ""
    seen_at: datetime | None = None
    old: bool = False
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class SignInProblem:
    """A failed sign-in.

    :param sentence: what happened, translated; never quotes a credential.
    :param next_step: what to do about it.
    """

    sentence: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class SignInStart:
    """A person pressed the button of a sign-in.

    :param state: passed to the provider, which returns it unchanged.
    :param return_url: the redirect URI at the desk; must be identical in every step.
    :param account: the account being connected again; None for a new one.
    :param abilities: further abilities to request, from :attr:`SignIn.abilities`.
    :param given: cleaned values of :attr:`SignIn.fields`, by field name; empty when reconnecting an account.
        The same in :class:`SignInReturn`.
    :param verifier: PKCE code verifier of 43 characters (RFC 7636), never sent to a browser: the provider
        gets its hash now, and the verifier itself with the code. The same in :class:`SignInReturn`.
    """

    workspace_id: int
    state: str
    return_url: str
    account: AccountRef | None = None
    abilities: frozenset[str] = frozenset()
    verifier: str = field(default="", repr=False)
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignInReturn:
    """The provider sent the person back.

    :param values: the first value of each query parameter, such as a code.
    """

    workspace_id: int
    return_url: str
    values: Mapping[str, str] = field(repr=False)
    account: AccountRef | None = None
    abilities: frozenset[str] = frozenset()
    """The requested abilities, see :class:`SignInStart`."""
    verifier: str = field(default="", repr=False)
    """The PKCE code verifier, see :class:`SignInStart`."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values entered before the dialog, see :class:`SignInStart`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account of the person, and whether it can be connected.

    :param detail: what distinguishes it from others: the page it belongs to.
    :param problem: why it cannot be chosen; None if it can.
    :param moves: a change caused by choosing it that people must confirm, shown next to an unticked checkbox.
    :param keep: data that :attr:`SignIn.connect` needs later, such as credentials; the host encrypts it until
        then and never shows it.
    """

    external_id: str
    name: str
    handle: str
    detail: str = ""
    problem: SignInProblem | None = None
    keep: Mapping[str, str] = field(default_factory=dict, repr=False)
    moves: str = ""


@dataclass(frozen=True, slots=True)
class SignInChoice:
    """The person chose *candidate*.

    :param taken: as in :class:`ConnectRequest`.
    :param abilities: as in :class:`SignInStart`.
    """

    workspace_id: int
    candidate: Candidate
    account: AccountRef | None
    taken: Callable[[str], str | None]
    abilities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SignIn:
    """A way to connect accounts in the provider's dialog, in a separate window.

    All three functions are called outside any transaction.

    :param name: lower-case letters; part of the redirect URI, and stored as :attr:`Connection.way`.
    :param label: label of the button.
    :param begin: returns the address of the dialog.
    :param finish: exchanges the returned values; returns all accounts of the person, including those that
        cannot be chosen.
    :param connect: connects the chosen account, like :attr:`SettingsCard.connect`.
    :param available: returns why this way is unavailable now, or None.
    :param abilities: names of further permissions that signing in again can request.
    """

    name: str
    label: str
    begin: Callable[[SignInStart], str | SignInProblem]
    finish: Callable[[SignInReturn], Sequence[Candidate] | SignInProblem]
    connect: Callable[[SignInChoice], Connection | SignInProblem]
    available: Callable[[int], str | None] = field(default=lambda _workspace_id: None)
    help: str = ""
    abilities: tuple[str, ...] = ()
    advice: Advice | None = None
    permissions: Callable[[], Sequence[Permission]] | None = None
    """Returns the permissions the provider will ask the person for."""
    fields: tuple[Field, ...] = ()
    """Fields to fill in next to the button before the dialog opens; none is secret."""


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """Settings of a workspace for all its accounts of a channel, on a separate page.

    :param label: label of the link to the page, and its heading.
    :param fields: a secret left empty keeps the stored one.
    :param read: returns the current settings: values, hints of secrets, facts, notices, values to copy.
    :param save: ``save(workspace_id, values)`` returns a sentence to show, or why it was not saved; called
        outside any transaction.
    """

    label: str
    fields: tuple[Field, ...]
    read: Callable[[int], CardStatus]
    save: Callable[[int, Mapping[str, str]], str | Problems]
    help: str = ""


@dataclass(frozen=True, slots=True)
class SettingsCard:
    """The form with which a workspace owner connects accounts of *channel*.

    :param connect: checks with the provider, outside any transaction.
    :param disconnect: notifies the provider; called after the account was disabled here.
    """

    channel: str
    summary: str
    fields: tuple[Field, ...]
    connect: Callable[[ConnectRequest], Connection | Problems | Asked]
    status: Callable[[AccountRef], CardStatus]
    disconnect: Callable[[AccountRef], None]
    configure_label: str = ""
    configure_help: str = ""
    actions: tuple[CardAction, ...] = ()
    sign_ins: tuple[SignIn, ...] = ()
    diagnose: Callable[[AccountRef], Sequence[Finding]] | None = None
    """Runs every check on an account, outside any transaction, and returns the findings in order."""
    workspace: WorkspaceSettings | None = None
    advice: Advice | None = None
    """Describes the accounts the form is for, if people can also sign in."""
    notices: Callable[[int], Sequence[SectionNotice]] | None = None
    """Given a workspace id, returns notices for its owners that concern no single account."""
    statuses: Callable[[Sequence[AccountRef]], Mapping[int, CardStatus]] | None = None
    """Like :attr:`status` for many accounts at once, by their ids, in as many statements as for one. If it is
    None, or leaves out an account, *status* is called."""
