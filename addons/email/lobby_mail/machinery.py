"""The parts of the channel that need extra packages. Only :mod:`.late` imports this."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from .domain import mail_servers, texts
from .imap.connection import check
from .imap.folders import folders
from .imap.session import Watcher
from .smtp_connection import SmtpConnection

# An optional dependency, which may be missing.
sign = import_module("dkim").sign if find_spec("dkim") is not None else None

__all__ = ["SmtpConnection", "Watcher", "check", "folders", "mail_servers", "sign", "texts"]
