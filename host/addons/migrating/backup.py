"""Back up the database before an addon's migrations change it."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from host.addons.package.failures import AddonError, Skipped
from host.core import clock
from host.core.config import Config
from host.web.languages import gettext as _

FOLDER = "backups"


def back_up(config: Config, reason: str) -> str:
    """Back up the database; return what was done, or a :class:`Skipped` if the settings disable backups.

    Runs ``LOBBY_BACKUP_COMMAND``; if that is not set, copies SQLite's file to the data folder.

    :param reason: for the name of the copy and for the command: ``toy-1.0.0``.
    :raises AddonError: if it failed; the migration must not run then.
    """
    if config.backup_command:
        return _command(config, reason)
    if not config.database_url.startswith("sqlite"):
        return Skipped(_("LOBBY_BACKUP_COMMAND is not set, so there is no command to back up this database."))
    if not config.backups:
        return Skipped(_("LOBBY_BACKUPS=0 turns backups off."))
    return _copy(config, reason)


def _command(config: Config, reason: str) -> str:
    with tempfile.TemporaryFile() as output:
        try:
            arguments = [word.replace("{reason}", reason) for word in shlex.split(config.backup_command)]
            status = _run(arguments, output, config.backup_seconds)
        except (OSError, ValueError) as error:
            raise _failed(_("The command cannot be run."), str(error)) from error
        output.seek(0)
        said = _last_line(output.read())
    if status is None:
        raise _failed(
            _("The command timed out after %(seconds)s seconds.", seconds=config.backup_seconds), said
        )
    if status:
        raise _failed(_("The command exited with status %(status)s.", status=status), said)
    return said or _("The command succeeded without output.")


def _run(arguments: list[str], output: IO[bytes], seconds: int) -> int | None:
    """Run the command; return its status, None if it and its children were killed for taking too long."""
    with subprocess.Popen(  # noqa: S603 - the admin's own command, without a shell
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as child:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            return None


def _failed(why: str, detail: str) -> AddonError:
    return AddonError(
        _("The database could not be backed up, so nothing was changed. %(why)s", why=why), detail=detail
    )


def _last_line(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1].strip()[:500] if lines else ""


def _copy(config: Config, reason: str) -> str:
    folder = config.data / FOLDER
    target = folder / f"{clock.now():%Y%m%d-%H%M%S}-{reason}.sqlite3"
    draft = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(str(make_url(config.database_url).database), timeout=30)) as connection:
            connection.execute("VACUUM INTO ?", (str(draft),))
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.chmod(0o600)
        draft.replace(target)
        for old in sorted(folder.glob("*.sqlite3"))[: -config.backups]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            draft.unlink()
        raise _failed(_("The file could not be copied."), str(error)) from error
    return str(
        _("%(file)s, %(size)s MB", file=_shown(target, config), size=_megabytes(target.stat().st_size))
    )


def _shown(path: Path, config: Config) -> str:
    return path.relative_to(config.data).as_posix()


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:.1f}"
