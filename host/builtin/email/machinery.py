"""The parts of the channel that need packages of their own. Only :mod:`.late` imports this."""

from __future__ import annotations

from .domain import mail_servers, texts
from .imap.connection import check
from .imap.session import Watcher
from .smtp_connection import SmtpConnection

__all__ = ["SmtpConnection", "Watcher", "check", "mail_servers", "texts"]
