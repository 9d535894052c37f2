"""Parse TOML that a person or a program wrote, within bounds that are checked before it is parsed.

The time ``tomllib`` takes grows with the square of the parts of a dotted key: 40 kB of ``a.a.a…`` keep it
busy for minutes. One scan of the text refuses such a key first. Only this module parses TOML from outside.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

MOST_PARTS = 8
"""Most parts of a dotted key, of a table's header as well."""
MOST_NESTED = 16
"""Deepest nesting of arrays and inline tables."""

_TOKEN = re.compile(
    r"""
    (?P<skipped>
        \"{3} (?: [^"\\]++ | \\[\s\S] | "(?!"") )*+ \"{3,5}
      | '{3} [\s\S]*? '{3,5}
      | (?!\"{3}) " (?: [^"\\\n]++ | \\[^\n] )*+ "
      | (?!'{3}) ' [^'\n]*+ '
      | \#[^\n]*+
    )
  | (?P<unended> ["'] )
  | (?P<dot> \. )
  | (?P<opens> [\[{] )
  | (?P<closes> [\]}] )
  | (?P<ends> [\n=,] )
    """,
    re.VERBOSE,
)


class TomlError(ValueError):
    """A text is not TOML."""


class TooDeepError(TomlError):
    """A text is TOML perhaps, but exceeds the bounds.

    :ivar line: the number of the line, from 1.
    """

    words = "arrays and inline tables are nested too deeply"

    def __init__(self, line: int) -> None:
        super().__init__(f"{self.words} (at line {line})")
        self.line = line


class KeyTooDeepError(TooDeepError):
    """A dotted key has more than :data:`MOST_PARTS` parts."""

    words = f"a dotted key has more than {MOST_PARTS} parts"


def loads(text: str) -> dict[str, Any]:
    """Parse a text as TOML.

    :raises TooDeepError: if it exceeds the bounds; it was not parsed then.
    :raises TomlError: if it is not TOML, or has a number with thousands of digits.
    """
    _check_bounds(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(str(error)) from None
    except ValueError:  # Python reads integers of up to 4,300 digits
        raise TomlError("it holds a number with thousands of digits") from None


def _check_bounds(text: str) -> None:
    """Refuse a key that is too deep, and nesting.

    Dots are counted without looking whether they belong to a key or a number, which has at most one. A string
    that does not end is left to the parser, which reads no further.
    """
    parts, nested = 1, 0
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "dot":
                parts += 1
                if parts > MOST_PARTS:
                    raise KeyTooDeepError(_line(text, token))
            case "opens":
                parts, nested = 1, nested + 1
                if nested > MOST_NESTED:
                    raise TooDeepError(_line(text, token))
            case "closes":
                parts, nested = 1, max(0, nested - 1)
            case "ends":
                parts = 1
            case "unended":
                return


def _line(text: str, token: re.Match[str]) -> int:
    return text.count("\n", 0, token.start()) + 1
