"""DNS records for the mail of a domain."""

from __future__ import annotations

import dns.exception
import dns.resolver

SECONDS = 4.0


def mail_servers(domain: str) -> list[str] | None:
    """Return the names of the mail servers of *domain*, empty if it has none; None: no answer."""
    found = _asked(domain, "MX")
    if found is None:
        return None
    ranked = sorted((one.preference, str(one.exchange).rstrip(".")) for one in found)
    return [name for _, name in ranked if name]


def texts(name: str) -> list[str] | None:
    """Return the TXT records of a name; None: no answer."""
    found = _asked(name, "TXT")
    return None if found is None else [b"".join(one.strings).decode("utf-8", "replace") for one in found]


def _asked(name: str, kind: str) -> list | None:  # type: ignore[type-arg]  # of the package's own records
    try:
        return list(dns.resolver.resolve(name, kind, lifetime=SECONDS))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError):
        return None
