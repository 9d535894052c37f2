"""Diagnose for an e-mail account: both servers, every folder's count, and what the DNS says of its domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from host.sdk import db
from host.sdk.cards import Finding, Problems, Verdict
from host.sdk.channel import AccountRef
from host.sdk.errors import SecretUnreadableError
from host.sdk.i18n import format_datetime
from host.sdk.i18n import gettext as _

from . import late, mailbox_card, round_trip, servers, signing, smtp
from .addresses import domain_of
from .mail import authentication
from .models import EmailAccount, Mailbox
from .oauth import flow, tokens
from .receiving import listen_address, size_limit

MOST_SHOWN = 300
MOST_DOMAINS = 3
"""Of further addresses: each takes as long as the DNS does."""

Tried = Callable[[smtp.Server], Problems | None]


def diagnose(account: AccountRef, tried: Tried) -> Sequence[Finding]:
    """Run every check on *account*.

    :param tried: signs in to the server for sending, and returns why that does not work.
    """
    with db.read() as session:
        row = session.get(EmailAccount, account.id)
    domain = domain_of(account.external_id)
    return [
        _sending(account, row, tried),
        *_receiving(account),
        round_trip.finding(account),
        _mx(domain),
        _spf(domain),
        _dkim(account, domain),
        _dmarc(domain),
        *_further(account),
    ]


def _sending(account: AccountRef, row: EmailAccount | None, tried: Tried) -> Finding:
    title = _("The mail server takes replies")
    fix = _("Open the account's Settings; saving tries it and says what is wrong.")
    if row is None:
        return Finding("sending", title, Verdict.FAIL, _("None is entered."), fix)
    try:
        server = servers.to_send(account, row)
    except SecretUnreadableError:
        return Finding("sending", title, Verdict.FAIL, _("The stored password cannot be read."), fix)
    problems = tried(server)
    if problems is not None:
        fix = _shared(account, read=True) or fix
        return Finding("sending", title, Verdict.FAIL, " ".join(problems.by_field.values()), fix)
    if server.security is smtp.Security.NONE:
        evidence = _("%(host)s takes mail, over a line that is not encrypted.", host=row.smtp_host)
        return Finding("sending", title, Verdict.WARN, evidence, _("Choose STARTTLS or TLS if it offers it."))
    evidence = _("%(host)s: encrypted, and its certificate is trusted.", host=row.smtp_host)
    return Finding("sending", title, Verdict.PASS, evidence)


def _shared(account: AccountRef, *, read: bool) -> str:
    """Return what to ask the admin for, where the account is a shared mailbox."""
    signed = tokens.row_of(account.id)
    if signed is None or not signed.person or signed.ended_at is not None:
        return ""
    return flow.asked_of_admin(signed.person, account.external_id, read=read)


def _receiving(account: AccountRef) -> list[Finding]:
    title = _("Mail comes in")
    box = mailbox_card.row_of(account.id)
    listening = listen_address()
    if box is None:
        if listening is None:
            fix = _("Edit the account and enter its mailbox, or have an admin set LOBBY_SMTP_LISTEN.")
            return [Finding("receiving", title, Verdict.FAIL, _("By no way."), fix)]
        evidence = _(
            "This desk takes it by SMTP at port %(port)s; whether your mail server delivers there cannot be "
            "told from here.",
            port=listening[1],
        )
        return [Finding("receiving", title, Verdict.UNKNOWN, evidence)]
    return [_mailbox(account, box), *_counts(account)]


def _mailbox(account: AccountRef, box: Mailbox) -> Finding:
    title = _("The mailbox can be opened")
    fix = _("Open the account's Settings; saving tries it and says what is wrong.")
    try:
        settings = servers.to_read(account, size_limit())
    except SecretUnreadableError:
        return Finding("mailbox", title, Verdict.FAIL, _("The stored password cannot be read."), fix)
    if settings is None or not settings.server.can_sign_in:
        return Finding("mailbox", title, Verdict.FAIL, _("There is no password for it."), fix)
    problems = mailbox_card.tried(settings.server)
    if problems is not None:
        fix = _shared(account, read=False) or fix
        return Finding("mailbox", title, Verdict.FAIL, " ".join(problems.by_field.values()), fix)
    evidence = _("%(host)s: encrypted, its certificate is trusted, signed in.", host=box.host)
    if box.checked_at is not None:
        evidence += " " + _("Last asked for mail: %(at)s.", at=format_datetime(box.checked_at))
    return Finding("mailbox", title, Verdict.PASS, evidence)


def _counts(account: AccountRef) -> list[Finding]:
    """Compare the server's count of each folder with what is accounted for here."""
    found = []
    for number, one in enumerate(mailbox_card.counted(account.id)):
        title = _("Every mail of “%(folder)s” is accounted for", folder=one.name)
        name = f"count-{one.role}" if not number else f"count-{one.role}-{number}"
        if one.problem is not None:
            fix = _("Open Folders in the account's Settings, and choose those that are there.")
            title = _("The folder “%(folder)s” can be opened", folder=one.name)
            found.append(Finding(name, title, Verdict.WARN, mailbox_card.unread(one), fix))
            continue
        if one.on_server is None:
            found.append(Finding(name, title, Verdict.UNKNOWN, _("It was not counted yet.")))
            continue
        here = one.here + one.cut + one.unreadable
        evidence = _(
            "%(there)s on the server that are wanted, %(here)s here.",
            there=max(one.on_server, here),
            here=here,
        )
        if one.left:
            evidence += " " + _("%(left)s are still to come.", left=one.left)
        verdict, fix = Verdict.PASS if not one.left else Verdict.WARN, ""
        if one.unreadable or one.cut:
            verdict = Verdict.WARN
            evidence += " " + _(
                "%(unreadable)s the server does not hand out; of %(cut)s only the beginning is here.",
                unreadable=one.unreadable,
                cut=one.cut,
            )
            fix = _("Read those in the mailbox itself.")
        elif one.left:
            fix = _("Wait while they are brought in. If the number stays, the server does not hand them out.")
        found.append(Finding(name, title, verdict, evidence, fix))
    return found


def _further(account: AccountRef) -> list[Finding]:
    """Ask the DNS about the other domains the account sends from: what SPF allows there counts for nothing.

    A mail from a further address is handed over as the account's, so that only a signature speaks for it.
    """
    found = []
    for number, domain in enumerate(signing.domains_of(account)[1 : MOST_DOMAINS + 1], start=2):
        for one in (_dkim(account, domain), _dmarc(domain)):
            found.append(replace(one, name=f"{one.name}-{number}"))
    return found


# ---- the domain ----------------------------------------------------------------------------------------


def _cannot_tell(name: str, title: str) -> Finding:
    return Finding(name, title, Verdict.UNKNOWN, _("Cannot tell: the name server does not answer."))


def _mx(domain: str) -> Finding:
    title = _("Mail for %(domain)s has somewhere to go (MX)", domain=domain)
    servers = late.machinery().mail_servers(domain)
    if servers is None:
        return _cannot_tell("mx", title)
    if not servers:
        fix = _("Enter an MX record where the domain is managed.")
        return Finding("mx", title, Verdict.FAIL, _("The domain names no mail server."), fix)
    return Finding("mx", title, Verdict.PASS, ", ".join(servers)[:MOST_SHOWN])


def _spf(domain: str) -> Finding:
    title = _("%(domain)s says who may send for it (SPF)", domain=domain)
    found = late.machinery().texts(domain)
    if found is None:
        return _cannot_tell("spf", title)
    records = [one for one in found if one.lower().startswith("v=spf1")]
    if len(records) == 1:
        return Finding("spf", title, Verdict.PASS, records[0][:MOST_SHOWN])
    evidence = _("It has no such record.") if not records else _("It has more than one, so none counts.")
    fix = _("Enter one TXT record “v=spf1 …” that names your mail server, as its provider tells you.")
    return Finding("spf", title, Verdict.WARN, evidence, fix)


def _dkim(account: AccountRef, domain: str) -> Finding:
    """Tell whether mails are signed, by the key of this desk, or by the one that signed a mail to itself."""
    title = _("Mail of %(domain)s is signed (DKIM)", domain=domain)
    key = signing.key_of(account, domain)
    if key is not None:
        name = signing.name_of(key)
        found = signing.looked_up(key)
        if found is None:
            return _cannot_tell("dkim", title)
        if found:
            evidence = _("This desk signs; its record at %(name)s is there and right.", name=name)
            return Finding("dkim", title, Verdict.PASS, evidence)
        evidence = _("The record at %(name)s is missing, or another, so this desk does not sign.", name=name)
        fix = _("Enter the record that Settings of this account shows.")
        return Finding("dkim", title, Verdict.WARN, evidence, fix)
    if domain != domain_of(account.external_id):
        evidence = _("Whether the mail server signs what goes from there cannot be told from here.")
        fix = _("If it does not, choose “Sign mails here (DKIM)” in the menu, or it may be taken for spam.")
        return Finding("dkim", title, Verdict.UNKNOWN, evidence, fix)
    trip = round_trip.found_in(round_trip.row_of(account.id))
    if not trip.get("selector"):
        evidence = _("The name of the key is not known until a mail came back.")
        if trip:
            evidence = _("The mail to itself came back without a signature of this domain.")
        fix = _("Send a mail to itself. If nobody signs it, choose “Sign mails here (DKIM)” in the menu.")
        return Finding("dkim", title, Verdict.WARN if trip else Verdict.UNKNOWN, evidence, fix)
    name = f"{trip['selector']}._domainkey.{trip['domain']}"
    records = late.machinery().texts(name)
    if records is None:
        return _cannot_tell("dkim", title)
    if any(authentication.tags(one).get("p") for one in records):
        evidence = _("The mail server signs; its record at %(name)s is there.", name=name)
        return Finding("dkim", title, Verdict.PASS, evidence)
    evidence = _("The mail server signs, but there is no record at %(name)s.", name=name)
    fix = _("Enter the record its provider names, else no other server can check the signature.")
    return Finding("dkim", title, Verdict.WARN, evidence, fix)


def _dmarc(domain: str) -> Finding:
    title = _("%(domain)s says what to do with forged mail (DMARC)", domain=domain)
    found = late.machinery().texts(f"_dmarc.{domain}")
    if found is None:
        return _cannot_tell("dmarc", title)
    records = [one for one in found if one.lower().replace(" ", "").startswith("v=dmarc1")]
    if records:
        return Finding("dmarc", title, Verdict.PASS, records[0][:MOST_SHOWN])
    fix = _("Enter a TXT record at _dmarc.%(domain)s, to begin with “v=DMARC1; p=none”.", domain=domain)
    return Finding("dmarc", title, Verdict.WARN, _("It has no such record."), fix)
