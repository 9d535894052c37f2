"""The settings card: connects a number, and shows its status."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from host.sdk import clock, settings
from host.sdk.cards import (
    CardAction,
    CardStatus,
    Connection,
    ConnectRequest,
    Field,
    Finding,
    Link,
    Problems,
    SettingsCard,
    Verdict,
)
from host.sdk.channel import AccountRef
from host.sdk.http import FetchError
from host.sdk.i18n import format_date, lazy_gettext
from host.sdk.i18n import gettext as _
from host.sdk.secrets import Secret

from . import accounts, checks, mixed_up, rights
from .accounts import Credentials
from .checks import Number, TokenFacts
from .graph import Graph, GraphError, root, webhook_url
from .values import digits

log = logging.getLogger(__name__)

_DIGITS = re.compile(r"[0-9]{5,32}", re.ASCII)
_PHONE = re.compile(r"\+?[0-9 ()/.-]{5,32}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_|-]{20,2000}", re.ASCII)
_SECRET = re.compile(r"[0-9a-f]{32}", re.ASCII)
SOON = timedelta(days=7)
"""How long before a token expires that is said."""


def clean_id(value: str) -> str:
    """Return *value* if it looks like an id of Meta's.

    :raises ValueError: with a sentence if it does not, naming what it looks like.
    """
    if _PHONE.fullmatch(value) and not _DIGITS.fullmatch(value):
        raise ValueError(_("This looks like the phone number itself. Enter an ID, which has digits only."))
    if value.startswith("EAA"):
        raise ValueError(_("This looks like an access token. Enter an ID, which has digits only."))
    if _SECRET.fullmatch(value) and not value.isdigit():
        raise ValueError(_("This looks like an app secret. Enter an ID, which has digits only."))
    if not _DIGITS.fullmatch(value):
        raise ValueError(_("An ID has digits only, for example %(example)s.", example="106540352242922"))
    return value


def clean_token(value: str) -> str:
    """Return *value* if it looks like an access token; errors as :func:`clean_id`."""
    if _SECRET.fullmatch(value):
        raise ValueError(_("This looks like the app secret. Enter the token, which begins with EAA."))
    if value.isdigit():
        raise ValueError(_("This looks like an ID. Enter the token, which begins with EAA."))
    if not _TOKEN.fullmatch(value):
        raise ValueError(_("A token begins with EAA and has no spaces. Copy the whole token."))
    return value


def clean_secret(value: str) -> str:
    """Return *value* if it looks like an app secret; errors as :func:`clean_id`."""
    if value.startswith("EAA"):
        raise ValueError(_("This looks like an access token. Enter the app secret from App settings, Basic."))
    if value.isdigit() and len(value) < 32:
        raise ValueError(_("This looks like an app ID. The app secret is below it in App settings, Basic."))
    if not _SECRET.fullmatch(value):
        raise ValueError(_("An app secret has 32 characters: digits and the letters a to f."))
    return value


class _RefusedError(Exception):
    """The number can't be connected; *problems* by field."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(*problems.values())
        self.problems = Problems(problems)


def connect(request: ConnectRequest) -> Connection | Problems:
    """Check everything with Meta, and have messages delivered to this desk."""
    before = None if request.account is None else accounts.of(request.account)
    token, secret = request.values.get("token"), request.values.get("app_secret")
    if before is not None:
        pasted = Graph(
            Secret(token) if token else before.token, Secret(secret) if secret else before.app_secret
        )
    elif token and secret:
        pasted = Graph(Secret(token), Secret(secret))
    else:
        return Problems({"token": _("Paste the token and the app secret again.")})
    number_id, business_id = request.values["number"], request.values["business"]
    if request.account is not None and request.account.external_id != number_id:
        if before is not None and number_id == before.business_id:
            return Problems({"number": mixed_up.account_for_number()})
        if before is not None and number_id == before.app_id:
            return Problems({"number": mixed_up.app_for_number()})
        said = _("This account has another number. Connect this one as a new account.")
        return Problems({"number": said})
    if taken := request.taken(number_id):
        return Problems({"number": taken})
    if not settings.public_url().startswith("https://") and root().startswith("https://"):
        said = _(
            "Meta only delivers to https addresses, and Lobby's is %(address)s.",
            address=settings.public_url(),
        )
        return Problems({"": said})
    try:
        facts, number = _checked(pasted, number_id, business_id)
        _set_up(pasted, facts.app_id, business_id)
    except _RefusedError as error:
        return error.problems
    except GraphError as error:
        return Problems({"": _("Meta refused the request: %(words)s", words=error.words)})
    except FetchError as error:
        return Problems({"": _("Meta can't be reached: %(why)s.", why=error.reason)})
    assert pasted.app_secret is not None
    found = Credentials(business_id, facts.app_id, pasted.token, pasted.app_secret, clock.now())

    def store(session: Session, account: AccountRef) -> None:
        accounts.store(session, account, found)

    return Connection(number_id, number.name or number.display, number.display, "pasted", store)


def _checked(graph: Graph, number_id: str, business_id: str) -> tuple[TokenFacts, Number]:
    """Return what Meta says of the token and the number.

    :raises _RefusedError: if one of the values is wrong.
    """
    try:
        facts = checks.token_facts(graph.token)
    except GraphError as error:
        said = _("Meta doesn't accept this token: %(words)s", words=error.words)
        raise _RefusedError({"token": said}) from None
    if facts is None:
        raise _RefusedError({"token": _("Meta doesn't accept this token. It may have expired.")})
    if facts.missing:
        names = ", ".join(facts.missing)
        raise _RefusedError({"token": _("The token lacks these permissions: %(names)s", names=names)})
    try:
        number = checks.number(graph, number_id)
    except GraphError as error:
        if "appsecret_proof" in error.words:
            said = _("This is not the secret of the Meta app that the token belongs to.")
            raise _RefusedError({"app_secret": said}) from None
        said = _("The token can't use this phone number ID: %(words)s", words=error.words)
        other = mixed_up.in_number(graph, facts.app_id, number_id, business_id)
        raise _RefusedError(other or {"number": said}) from None
    try:
        numbers = checks.numbers(graph, business_id)
    except GraphError as error:
        said = _("The token can't use this account: %(words)s", words=error.words)
        other = mixed_up.in_business(graph, facts.app_id, business_id, number.display)
        raise _RefusedError(other or {"business": said}) from None
    if number_id not in numbers:
        raise _RefusedError({"business": _("This WhatsApp Business Account doesn't have that number.")})
    return facts, number


def _set_up(graph: Graph, app_id: str, business_id: str) -> None:
    """Have messages delivered to this desk. An app whose webhook another program uses keeps its address."""
    assert graph.app_secret is not None
    address, fields = checks.app_fields(app_id, graph.app_secret)
    if not address or address == webhook_url():
        checks.set_app_fields(app_id, graph.app_secret)
    elif "messages" not in fields:
        said = _(
            "The webhook of this Meta app doesn't have the field “messages”. Subscribe to it in the app "
            "under WhatsApp, Configuration, and save again."
        )
        raise _RefusedError({"": said})
    checks.subscribe(graph, business_id)


def statuses(every: Sequence[AccountRef]) -> dict[int, CardStatus]:
    """Return the contents of the cards of connected numbers, by id."""
    found = accounts.of_all(every)
    return {account.id: _status(account, found.get(account.id)) for account in every}


def status(account: AccountRef) -> CardStatus:
    """Return the contents of the card of a connected number."""
    return statuses([account])[account.id]


def _status(account: AccountRef, found: Credentials | None) -> CardStatus:
    if found is None:
        lost = _("The token of this number can't be read. Paste it again, with the app secret.")
        return CardStatus(notices=(("bad", _("Incomplete."), lost),), values={"number": account.external_id})
    day = _("set on %(date)s", date=format_date(found.set_at))
    return CardStatus(
        facts=(
            (_("Number"), account.handle),
            (_("Link for customers"), f"https://wa.me/{digits(account.handle)}"),
        ),
        values={"number": account.external_id, "business": found.business_id},
        stored_secrets={"token": day, "app_secret": day},
        links=(Link(_("WhatsApp Manager"), "https://business.facebook.com/wa/manage/home/"),),
    )


def disconnect(account: AccountRef) -> None:
    """Have Meta deliver to the app's own address again, unless another number here needs the deliveries."""
    found = accounts.of(account)
    if found is None or accounts.others_of(account, found.business_id):
        return
    try:
        checks.unsubscribe(Graph.of(found), found.business_id)
    except (GraphError, FetchError) as error:
        log.warning("the deliveries of %s could not be taken back: %s", account.handle, error)


def diagnose(account: AccountRef) -> Sequence[Finding]:
    """Ask Meta for the state of the token, the number and the deliveries."""
    found = accounts.of(account)
    again = _("Open the account's Settings, paste a new token and save.")
    if found is None:
        return (Finding("token", _("The token"), Verdict.FAIL, _("It can't be read."), again),)
    graph = Graph.of(found)
    try:
        return tuple(_findings(account, found, graph, again))
    except GraphError as error:
        return (Finding("token", _("The token"), Verdict.FAIL, str(error), again),)
    except FetchError as error:
        why = _("Check that Lobby can reach graph.facebook.com over https.")
        return (Finding("reach", _("Reaching Meta"), Verdict.FAIL, error.reason, why),)


def _findings(account: AccountRef, found: Credentials, graph: Graph, again: str) -> list[Finding]:
    facts = checks.token_facts(found.token)
    if facts is None or facts.missing:
        names = _("It is no longer valid.") if facts is None else ", ".join(facts.missing)
        return [Finding("token", _("The token"), Verdict.FAIL, names, again)]
    ends = facts.until
    until = _("It doesn't expire.") if ends is None else _("It expires on %(date)s.", date=format_date(ends))
    is_late = ends is not None and ends - clock.now() < SOON
    findings = [
        Finding(
            "token",
            _("The token"),
            Verdict.WARN if is_late else Verdict.PASS,
            until,
            again if is_late else "",
        )
    ]
    number = checks.number(graph, account.external_id)
    poor = number.quality in {"YELLOW", "RED"}
    findings.append(
        Finding(
            "quality",
            _("The quality of the number"),
            Verdict.WARN if poor else Verdict.PASS,
            number.quality or _("not rated yet"),
            _("Customers block it or report its messages: send fewer of those they didn't ask for.")
            if poor
            else "",
        )
    )
    save = _("Open the account's Settings and save.")
    _address, fields = checks.app_fields(found.app_id, found.app_secret)
    has_messages = "messages" in fields
    findings.append(
        Finding(
            "fields",
            _("The app's webhook has the field “messages”"),
            Verdict.PASS if has_messages else Verdict.FAIL,
            ", ".join(sorted(fields)) or _("none"),
            "" if has_messages else save,
        )
    )
    lacking = [one for one in checks.RESPONDERS if one not in fields]
    findings.append(
        Finding(
            "responders",
            _("Messages that another responder of the number answers arrive"),
            # Whether the number has another responder is not known.
            Verdict.UNKNOWN if lacking else Verdict.PASS,
            _("The app's webhook lacks these fields: %(names)s", names=", ".join(lacking)) if lacking else "",
            _(
                "Without them, nothing arrives of conversations that Meta's agent or another app answers: "
                "%(save)s",
                save=save,
            )
            if lacking
            else "",
        )
    )
    echoes = checks.ECHOES in fields
    findings.append(
        Finding(
            "echoes",
            _("Messages written in the WhatsApp Business app arrive"),
            # Whether that app is used with the number is not known.
            Verdict.PASS if echoes else Verdict.UNKNOWN,
            "" if echoes else _("The app's webhook doesn't have the field “smb_message_echoes”."),
            "" if echoes else _("Only needed if you use that app with this number: %(save)s", save=save),
        )
    )
    for name, title, field, when in (
        (
            "calls",
            _("Missed calls arrive"),
            "calls",
            _("Only needed if customers may call: %(save)s", save=save),
        ),
        (
            "history",
            _("Messages from before the number was connected arrive"),
            "history",
            _("Only needed if the WhatsApp Business app has this number, too: %(save)s", save=save),
        ),
    ):
        there = field in fields
        lacks = "" if there else _("The app's webhook lacks these fields: %(names)s", names=field)
        findings.append(
            Finding(name, title, Verdict.PASS if there else Verdict.UNKNOWN, lacks, "" if there else when)
        )
    findings.append(
        Finding(
            "entry-points",
            _("Who answers customers who write, come from an ad or call"),
            Verdict.UNKNOWN,
            _("It cannot be read: Meta doesn't tell an app which other programs answer for the number."),
            _(
                "In Meta Business Suite, under conversation routing, this desk's app must be the primary of "
                "each entry point, or in standby. Otherwise nothing arrives from there, with no change here."
            ),
        )
    )
    address = checks.delivers_to(graph, found.business_id, found.app_id)
    right = address == webhook_url() or (address == "" and _address == webhook_url())
    findings.append(
        Finding(
            "deliveries",
            _("Meta delivers to this Lobby"),
            Verdict.PASS if right else Verdict.FAIL,
            address or _address or _("nowhere"),
            "" if right else save,
        )
    )
    return findings


_APP = "https://developers.facebook.com/apps/"
CARD = SettingsCard(
    channel="whatsapp",
    summary=lazy_gettext("Messages to your WhatsApp Business number"),
    fields=(
        Field(
            "number",
            lazy_gettext("Phone number ID"),
            help=lazy_gettext("In the Meta app under WhatsApp, API Setup."),
            clean=clean_id,
            link=Link(lazy_gettext("Open your Meta apps"), _APP),
        ),
        Field(
            "business",
            lazy_gettext("WhatsApp Business Account ID"),
            help=lazy_gettext("On the same page, below the phone number ID."),
            clean=clean_id,
        ),
        Field(
            "token",
            lazy_gettext("Access token"),
            help=lazy_gettext(
                "Of a system user with the permissions whatsapp_business_messaging and "
                "whatsapp_business_management. The one on that page expires after a day."
            ),
            secret=True,
            max_length=2000,
            clean=clean_token,
        ),
        Field(
            "app_secret",
            lazy_gettext("App secret"),
            help=lazy_gettext("In the Meta app under App settings, Basic."),
            secret=True,
            clean=clean_secret,
        ),
    ),
    connect=connect,
    status=status,
    statuses=statuses,
    disconnect=disconnect,
    configure_help=lazy_gettext(
        "When you save, Lobby checks all of it with Meta and sets up delivery to this desk."
    ),
    diagnose=diagnose,
    actions=(CardAction("check", lazy_gettext("Check now"), rights.check, ends=rights.REASONS),),
)
