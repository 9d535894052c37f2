"""The process that calls one hook of one addon for :mod:`host.addons.running.hooks_apart`."""

from __future__ import annotations

import logging
import pickle
import sys

import msgspec

from host.addons.package.failures import AddonError
from host.addons.package.store import Release
from host.addons.running import generation
from host.core import child, child_limits, db, guard, logs, secrets, storage
from host.core.config import Config

_MOST_LINES = 100
_LONGEST = 2000


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The result of a hook call.

    :param failed: the error; None: it returned.
    :param lines: level, logger and text of each log record, without credentials.
    """

    failed: str | None = None
    lines: tuple[tuple[int, str, str], ...] = ()


class _Lines(logging.Handler):
    """Log handler that collects records, because the output of this process is not read."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[int, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.kept) < _MOST_LINES:
            text = logs.redact(self.format(record))[:_LONGEST]
            self.kept.append((record.levelno, record.name, text))


def main() -> None:
    """Call the requested hooks on the descriptor ``argv[2]``."""
    child_limits.end_with_parent()
    child_limits.no_core()
    child_limits.hide()
    child.answer(int(sys.argv[2]), _answer)


def _answer(asked: bytes) -> bytes:
    config, release, hook = pickle.loads(asked)  # noqa: S301 - from the process that started this one
    lines = _Lines()
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(config.log_level)
    failed = None
    try:
        call(config, release, hook)
    except AddonError as error:
        failed = f"{error.sentence} {error.detail}".rstrip()
    except Exception as error:  # noqa: BLE001 - told to who asked
        failed = db.describe(error)[1] or type(error).__name__
    return msgspec.json.encode(Answer(failed, tuple(lines.kept)))


def call(config: Config, release: Release, hook: str) -> None:
    """Prepare this process for the code of *release*, and call its *hook*.

    :raises AddonError: if its code cannot be loaded, or for anything the hook raises.
    """
    db.connect(config.database_url)
    db.call_process("hooks")
    secrets.use(secrets.load_keyring(config))
    guard.allow(config.allow_hosts, config.mail_relays, config.oidc_hosts, config.model_hosts)
    storage.use(storage.opened(config))
    generation.build_one(config, release).call(release.slug, hook)
