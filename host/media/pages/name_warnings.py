"""Warn of file names that hide what a file is.

The names are cleaned before (:func:`host.core.cleaning.clean_file_name`); a warning blocks nothing, because a
customer may have reasons, and the file is never run here.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from host.core.cleaning import TURNED
from host.web.languages import gettext as _


class Disguise(StrEnum):
    """Ways in which a name hides what a file is, the worst first."""

    TURNED = "turned"
    """Characters in it reversed the direction of writing, so its ending stood elsewhere."""
    LOOKALIKE = "lookalike"
    """Its ending has letters of other scripts that look like those of a known ending."""
    DOUBLE = "double"
    """Before the ending of a program stands that of a document or picture."""
    PROGRAM = "program"
    """A program that says so."""


_PROGRAMS = frozenset(
    """apk app appimage application appref-ms bat chm cmd com cpl crx deb desktop dll dmg exe gadget hta img
    inf iso jar js jse lnk mht mhtml msc msi msix msp one pif pkg ps1 psm1 py rb reg run scf scr sct service
    sh sys url vb vbe vbs vhd vhdx wsc wsf wsh xll""".split()  # noqa: SIM905 - reads better than 60 quotes
)
"""Endings of files that run something when they are opened."""
_PAGES = frozenset({"htm", "html", "shtml", "svg", "xhtml", "xht"})
"""Endings of pages, which ask for passwords: harmless by themselves, but not as a document."""
_KNOWN = frozenset(
    """7z avi bmp csv doc docm docx eml gif gz heic jpeg jpg key mov mp3 mp4 msg numbers odp ods odt pages pdf
    png ppt pptm pptx rar rtf tif tiff txt wav webp xls xlsm xlsx xml zip""".split()  # noqa: SIM905
)
"""Endings under which a program hides."""
_LETTERS = str.maketrans(
    "аАвВсСԁеЕёһНіІјЈкКӏмМոопОрРԛѕЅтТυѵԝхХуУզαΑβΒϲεΕηΗιΙκΚνΝοΟρΡτΤχΧγΥıſ",
    "aAbBcCdeEehHiIjJkKlmMnonOpPqsStTuvwxXyYqaAbBceEnHiIkKvNoOpPtTxXyYis",
)
"""Cyrillic, Greek and other letters that look like Latin ones."""
_DOTS = re.compile("[\u2024\u3002\ufe52\uff0e\uff61\ua4f8\u0701\u0702\u00b7]")


def disguise(name: str) -> Disguise | None:
    """Return what is wrong with the cleaned *name* of a file, or None."""
    if TURNED in name:
        return Disguise.TURNED
    seen = _as_seen(name)
    stem, dot, ending = seen.rpartition(".")
    ending = ending.strip().lower()
    if not dot:
        return None
    written = name.rpartition(".")[2].strip()
    if (ending in _PROGRAMS or ending in _KNOWN or ending in _PAGES) and written.lower() != ending:
        return Disguise.LOOKALIKE
    claimed = stem.rpartition(".")[2].strip().lower() if "." in stem else ""
    if ending in _PROGRAMS | _PAGES and claimed in _KNOWN:
        return Disguise.DOUBLE
    return Disguise.PROGRAM if ending in _PROGRAMS else None


def warning(name: str) -> str:
    """Return the warning beside a file with the cleaned *name*; empty if there is none."""
    found = disguise(name)
    if found is None:
        return ""
    ending = _as_seen(name).rpartition(".")[2].strip().lower()[:20]
    if found is Disguise.TURNED:
        return str(
            _(
                "Its name contains signs that reverse the direction of writing, shown as ⇄. "
                "Do not open it unless you know why."
            )
        )
    if found is Disguise.LOOKALIKE:
        return str(
            _("The ending of its name contains look-alike letters. Do not open it unless you know why.")
        )
    if found is Disguise.DOUBLE:
        return str(
            _(
                "Looks like another type of file, but is an .%(ending)s file. "
                "Do not open it unless you know why.",
                ending=ending,
            )
        )
    return str(_("It can run a program when opened (.%(ending)s).", ending=ending))


def _as_seen(name: str) -> str:
    """Return *name* in the Latin letters that it looks like."""
    return unicodedata.normalize("NFKC", _DOTS.sub(".", name)).translate(_LETTERS)
