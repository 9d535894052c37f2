"""Refusals of a provider that end a call of an addon: their words, and the account they are about."""

from __future__ import annotations

from host.channels import warnings
from host.core import db
from host.core.logs import redact
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, ForbiddenAddressError, ProviderError
from host.sdk.i18n import noop
from host.web.languages import gettext as _

KIND = "provider-refused"
SENTENCE = noop("The provider refused to show customers that you type or have read their message: %(words)s.")
NEXT_STEP = noop(
    "Messages are sent and received as usual unless the account says otherwise. Diagnose finds the reason."
)
MOST_WORDS = 300


def sentence(error: Exception, otherwise: str) -> str:
    """Return what people read after a call failed: the provider's part in it, or *otherwise*."""
    if isinstance(error, ProviderError):
        return str(_("The provider refused: %(words)s.", words=_words(error)))
    if isinstance(error, FetchError) and not isinstance(error, ForbiddenAddressError):
        return str(_("The provider could not be reached. Try again later."))
    return otherwise


def _words(error: Exception) -> str:
    return redact(str(error)).strip().rstrip(".")[:MOST_WORDS] or type(error).__name__


class SignalWarnings:
    """Names an account whose signals the provider refuses, until it takes one again."""

    def __init__(self) -> None:
        self._fine: set[int] = set()

    def __call__(self, account: AccountRef, error: Exception | None) -> None:
        """Note how the last signal of *account* ended. Network errors say nothing about it."""
        if error is None and account.id not in self._fine:
            db.write(warnings.clear, account.id, KIND)
            self._fine.add(account.id)
        elif isinstance(error, ProviderError):
            self._fine.discard(account.id)
            details = {"words": _words(error)}
            db.write(
                lambda session: warnings.raise_warning(
                    session,
                    account.id,
                    kind=KIND,
                    sentence=SENTENCE,
                    next_step=NEXT_STEP,
                    details=details,
                    notify=False,
                )
            )
