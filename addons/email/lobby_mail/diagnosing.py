"""Diagnose an email account: both servers, the count of every folder, and the DNS of its domain."""

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
"""Maximum number of alias domains to check, because each waits for the DNS."""

Tried = Callable[[smtp.Server], Problems | None]


def diagnose(account: AccountRef, tried: Tried) -> Sequence[Finding]:
    """Run every check on *account*.

    :param tried: signs in to the outgoing server, and returns why that fails.
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
    title = _("The mail server accepts replies")
    fix = _("Open the account's Settings and save. Any problem is shown there.")
    if row is None:
        return Finding("sending", title, Verdict.FAIL, _("No mail server is set."), fix)
    try:
        server = servers.to_send(account, row)
    except SecretUnreadableError:
        return Finding("sending", title, Verdict.FAIL, _("The stored password can't be read."), fix)
    problems = tried(server)
    if problems is not None:
        fix = _shared(account, read=True) or fix
        return Finding("sending", title, Verdict.FAIL, " ".join(problems.by_field.values()), fix)
    if server.security is smtp.Security.NONE:
        evidence = _("%(host)s accepts mail, but the connection isn't encrypted.", host=row.smtp_host)
        return Finding(
            "sending", title, Verdict.WARN, evidence, _("Choose STARTTLS or TLS if the server offers it.")
        )
    evidence = _("%(host)s: encrypted, trusted certificate.", host=row.smtp_host)
    return Finding("sending", title, Verdict.PASS, evidence)


def _shared(account: AccountRef, *, read: bool) -> str:
    """Return what to ask the admin for if the account is a shared mailbox."""
    signed = tokens.row_of(account.id)
    if signed is None or not signed.person or signed.ended_at is not None:
        return ""
    return flow.asked_of_admin(signed.person, account.external_id, read=read)


def _receiving(account: AccountRef) -> list[Finding]:
    title = _("Mail can be received")
    box = mailbox_card.row_of(account.id)
    listening = listen_address()
    if box is None:
        if listening is None:
            fix = _("Add a mailbox in the account's Settings, or ask an admin to set LOBBY_SMTP_LISTEN.")
            return [
                Finding(
                    "receiving",
                    title,
                    Verdict.FAIL,
                    _("There is no mailbox, and this desk doesn't receive mail over SMTP."),
                    fix,
                )
            ]
        evidence = _(
            "This desk receives mail over SMTP on port %(port)s. Lobby can't check whether your mail "
            "server delivers there.",
            port=listening[1],
        )
        return [Finding("receiving", title, Verdict.UNKNOWN, evidence)]
    return [_mailbox(account, box), *_counts(account)]


def _mailbox(account: AccountRef, box: Mailbox) -> Finding:
    title = _("The mailbox can be opened")
    fix = _("Open the account's Settings and save. Any problem is shown there.")
    try:
        settings = servers.to_read(account, size_limit())
    except SecretUnreadableError:
        return Finding("mailbox", title, Verdict.FAIL, _("The stored password can't be read."), fix)
    if settings is None or not settings.server.can_sign_in:
        return Finding("mailbox", title, Verdict.FAIL, _("No password is set."), fix)
    problems = mailbox_card.tried(settings.server)
    if problems is not None:
        fix = _shared(account, read=False) or fix
        return Finding("mailbox", title, Verdict.FAIL, " ".join(problems.by_field.values()), fix)
    evidence = _("%(host)s: encrypted, trusted certificate, signed in.", host=box.host)
    if box.checked_at is not None:
        evidence += " " + _("Last checked for mail: %(at)s.", at=format_datetime(box.checked_at))
    return Finding("mailbox", title, Verdict.PASS, evidence)


def _counts(account: AccountRef) -> list[Finding]:
    """Compare the server's count of each folder with the number of mails stored in Lobby."""
    found = []
    for number, one in enumerate(mailbox_card.counted(account.id)):
        title = _("All emails in “%(folder)s” are accounted for", folder=one.name)
        name = f"count-{one.role}" if not number else f"count-{one.role}-{number}"
        if one.problem is not None:
            fix = _("Open Folders in the account's Settings and choose folders that exist.")
            title = _("The folder “%(folder)s” can be opened", folder=one.name)
            found.append(Finding(name, title, Verdict.WARN, mailbox_card.unread(one), fix))
            continue
        if one.on_server is None:
            found.append(Finding(name, title, Verdict.UNKNOWN, _("Not counted yet.")))
            continue
        here = one.here + one.cut + one.unreadable
        evidence = _(
            "%(here)s of %(there)s emails on the server accounted for.",
            there=max(one.on_server, here),
            here=here,
        )
        if one.left:
            evidence += " " + _("%(left)s still to import.", left=one.left)
        verdict, fix = Verdict.PASS if not one.left else Verdict.WARN, ""
        if one.unreadable or one.cut:
            verdict = Verdict.WARN
            evidence += " " + _(
                "The server won't return %(unreadable)s; %(cut)s are too large, so only their beginning "
                "is here.",
                unreadable=one.unreadable,
                cut=one.cut,
            )
            fix = _("Read those in the mailbox.")
        elif one.left:
            fix = _(
                "Wait while they are imported. If the number stays the same, the server isn't returning them."
            )
        found.append(Finding(name, title, verdict, evidence, fix))
    return found


def _further(account: AccountRef) -> list[Finding]:
    """Check the DNS of the other domains the account sends from. Their SPF records are not checked.

    A mail from an alias has the account as its envelope sender, so only a DKIM signature authenticates it.
    """
    found = []
    for number, domain in enumerate(signing.domains_of(account)[1 : MOST_DOMAINS + 1], start=2):
        for one in (_dkim(account, domain), _dmarc(domain)):
            found.append(replace(one, name=f"{one.name}-{number}"))
    return found


# ---- the domain ----------------------------------------------------------------------------------------


def _cannot_tell(name: str, title: str) -> Finding:
    return Finding(name, title, Verdict.UNKNOWN, _("Couldn't check: the name server didn't respond."))


def _mx(domain: str) -> Finding:
    title = _("%(domain)s can receive mail (MX)", domain=domain)
    servers = late.machinery().mail_servers(domain)
    if servers is None:
        return _cannot_tell("mx", title)
    if not servers:
        fix = _("Add an MX record in your domain's DNS settings.")
        return Finding("mx", title, Verdict.FAIL, _("The domain has no MX record."), fix)
    return Finding("mx", title, Verdict.PASS, ", ".join(servers)[:MOST_SHOWN])


def _spf(domain: str) -> Finding:
    title = _("%(domain)s lists its allowed senders (SPF)", domain=domain)
    found = late.machinery().texts(domain)
    if found is None:
        return _cannot_tell("spf", title)
    records = [one for one in found if one.lower().startswith("v=spf1")]
    if len(records) == 1:
        return Finding("spf", title, Verdict.PASS, records[0][:MOST_SHOWN])
    evidence = (
        _("There is no such record.")
        if not records
        else _("There is more than one record, so all of them are ignored.")
    )
    fix = _("Add exactly one TXT record “v=spf1 …” for your mail server. Your provider has its value.")
    return Finding("spf", title, Verdict.WARN, evidence, fix)


def _dkim(account: AccountRef, domain: str) -> Finding:
    """Check whether mails are signed, by this desk's key or by the result of the last test mail."""
    title = _("Mail from %(domain)s is signed (DKIM)", domain=domain)
    key = signing.key_of(account, domain)
    if key is not None:
        name = signing.name_of(key)
        found = signing.looked_up(key)
        if found is None:
            return _cannot_tell("dkim", title)
        if found:
            evidence = _("This desk signs. The record at %(name)s is correct.", name=name)
            return Finding("dkim", title, Verdict.PASS, evidence)
        evidence = _("The record at %(name)s is missing or different, so this desk doesn't sign.", name=name)
        fix = _("Add the DNS record shown in this account's Settings.")
        return Finding("dkim", title, Verdict.WARN, evidence, fix)
    if domain != domain_of(account.external_id):
        evidence = _("Lobby can't check whether the mail server signs outgoing mail.")
        fix = _(
            "If it doesn't, choose “Sign emails with DKIM” in the menu. Unsigned mail may be treated as spam."
        )
        return Finding("dkim", title, Verdict.UNKNOWN, evidence, fix)
    trip = round_trip.found_in(round_trip.row_of(account.id))
    if not trip.get("selector"):
        evidence = _("The name of the key isn't known until a test email has come back.")
        if trip:
            evidence = _("The test email came back without a signature of this domain.")
        fix = _("Send a test email. If it comes back unsigned, choose “Sign emails with DKIM” in the menu.")
        return Finding("dkim", title, Verdict.WARN if trip else Verdict.UNKNOWN, evidence, fix)
    name = f"{trip['selector']}._domainkey.{trip['domain']}"
    records = late.machinery().texts(name)
    if records is None:
        return _cannot_tell("dkim", title)
    if any(authentication.tags(one).get("p") for one in records):
        evidence = _("The mail server signs. The record at %(name)s exists.", name=name)
        return Finding("dkim", title, Verdict.PASS, evidence)
    evidence = _("The mail server signs, but there is no record at %(name)s.", name=name)
    fix = _("Add the record your provider gives you. Without it, other servers can't verify the signature.")
    return Finding("dkim", title, Verdict.WARN, evidence, fix)


def _dmarc(domain: str) -> Finding:
    title = _("%(domain)s has a policy for forged mail (DMARC)", domain=domain)
    found = late.machinery().texts(f"_dmarc.{domain}")
    if found is None:
        return _cannot_tell("dmarc", title)
    records = [one for one in found if one.lower().replace(" ", "").startswith("v=dmarc1")]
    if records:
        return Finding("dmarc", title, Verdict.PASS, records[0][:MOST_SHOWN])
    fix = _("Add a TXT record at _dmarc.%(domain)s. Start with “v=DMARC1; p=none”.", domain=domain)
    return Finding("dmarc", title, Verdict.WARN, _("There is no such record."), fix)
