"""Parse an SQL statement to find what it would change before it runs.

This is not a full SQL parser: it knows the few kinds of statement a migration needs; all others are unknown.
"""

from __future__ import annotations

import re

import msgspec

# The databases quote texts, names and comments differently.
_PLAIN = r"[nNxXbB]?'(?:[^']|'')*'"
_TOKENS = {
    dialect: re.compile(
        rf"(?P<skip>\s+|--[^\n]*|/\*(?![!M]).*?\*/{comment})|(?P<text>{text})"
        rf'|(?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`{name})'
        r"|(?P<word>[^\W\d][\w$]*)|(?P<rest>\d[\w.]*|.)",
        re.DOTALL,
    )
    for dialect, comment, text, name in (
        ("sqlite", "", _PLAIN, r"|\[[^\]]*\]"),
        (
            "postgresql",
            "",
            rf"[eE]'(?:[^'\\]|''|\\.)*'|{_PLAIN}|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$",
            "",
        ),
        ("mariadb", r"|\#[^\n]*", r"[nNxXbB]?'(?:[^'\\]|''|\\.)*'", ""),
    )
}
_READING_PRAGMAS = frozenset(
    {
        *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo"),
        *("foreign_key_list", "foreign_key_check", "integrity_check", "quick_check"),
        *("database_list", "collation_list"),
    }
)
_READS = frozenset({"select", "show", "explain", "describe", "desc", "values", "table"})
_FAR_REACHING = ("global", "persist", "role", "password", "statement", "authorization")
_HARMLESS = frozenset({"begin", "savepoint", "release"})
_WRITES = frozenset({"insert", "replace", "update", "delete", "merge", "truncate"})
# Words that may occur between CREATE, ALTER or DROP and the kind of object.
_ADJECTIVES = frozenset({"temporary", "temp", "unlogged", "global", "local", "unique", "fulltext", "spatial"})
_FILLERS = frozenset({"if", "not", "exists", "only", "concurrently", "ignore", "low_priority", "online"})


class Effect(msgspec.Struct, frozen=True):
    """One thing a statement changes.

    :param verb: in capitals: ``CREATE TABLE``, ``INSERT``; for an unknown statement its first words.
    :param kind: the kind of object *name* is: ``table``, ``index``, ``type``, ``sequence``; empty if unknown.
    :param name: without quotes, with its schema if the statement names one.
    """

    verb: str
    kind: str
    name: str


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str

    def __bool__(self) -> bool:
        return bool(self.kind)

    def is_(self, *words: str) -> bool:
        return self.kind in {"word", "rest"} and self.text.lower() in words


_END = _Token("", "")


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead: int = 0) -> _Token:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else _END

    def next_token(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def skip(self, *words: str) -> bool:
        """Skip any of *words*; return whether there was one."""
        start = self.at
        while self.peek().is_(*words):
            self.at += 1
        return self.at > start

    def name(self) -> str:
        """Read a name, which may be qualified; empty if there is none."""
        parts: list[str] = []
        while self.peek().kind in {"name", "word"}:
            token = self.next_token()
            text = token.text
            parts.append(text[1:-1].replace(text[-1] * 2, text[-1]) if token.kind == "name" else text)
            if self.peek().text != ".":
                break
            self.at += 1
        return ".".join(parts)

    def names(self) -> list[str]:
        """Read names separated by commas."""
        found = [self.name()]
        while self.peek().text == ",":
            self.at += 1
            self.skip(*_FILLERS)
            found.append(self.name())
        return found


def effects(statement: str, dialect: str) -> list[Effect]:
    """Return the effects of *statement*; none if it only reads.

    A text with several statements has the effects of all of them.

    :param dialect: SQLAlchemy's name of the dialect; dialects differ in quoting.
    """
    pattern = _TOKENS["mariadb" if dialect == "mysql" else dialect]
    matches = (match for match in pattern.finditer(statement) if match.lastgroup != "skip")
    tokens = [_Token(str(match.lastgroup), match.group()) for match in matches]
    found: list[Effect] = []
    rest: list[_Token] = []
    for token in [*tokens, _Token("rest", ";")]:
        if token.kind == "rest" and token.text == ";":
            found += _one(rest)
            rest = []
        else:
            rest.append(token)
    return found


def _one(tokens: list[_Token]) -> list[Effect]:
    reader = _Reader(tokens)
    first = reader.next_token()
    if not first:
        return []
    word = first.text.lower() if first.kind == "word" else first.text
    if word in {"(", "with"} or word in _READS or word in _WRITES:
        return _written_inside(tokens)
    if word in {"create", "alter", "drop"}:
        return _schema(word, reader, tokens)
    if word == "pragma":
        return _pragma(reader)
    if word == "comment":
        return _comment(reader)
    if word == "lock":
        reader.skip("table", "tables", "only")
        return [Effect("LOCK", "table", name) for name in reader.names()]
    if word == "set" and not any(token.is_(*_FAR_REACHING) for token in tokens):
        return []
    if word in _HARMLESS:
        return []
    return [_unknown(tokens)]


def _unknown(tokens: list[_Token]) -> Effect:
    return Effect(" ".join(token.text for token in tokens[:2]).upper(), "", "")


def _written_inside(tokens: list[_Token]) -> list[Effect]:
    """Return the writes of a statement: at its start, inside a WITH, or by SELECT INTO."""
    found: list[Effect] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else _END
        starts = not before or before.text in {"(", ")"} or before.is_("explain", "analyze")
        if token.kind == "word" and token.text.lower() in _WRITES and starts:
            reader = _Reader(tokens)
            reader.at = index + 1
            if reader.peek().text != "(":  # replace() and the like are functions
                found += _written(token.text.lower(), reader)
        elif token.is_("into") and not _is_insert(tokens, index):
            reader = _Reader(tokens)
            reader.at = index + 1
            reader.skip("temporary", "temp", "unlogged", "table")
            found.append(Effect("SELECT INTO", "table", reader.name()))
    return found


def _is_insert(tokens: list[_Token], into: int) -> bool:
    """Return whether the INTO at *into* belongs to an INSERT, REPLACE or MERGE a few words before it."""
    return any(token.is_("insert", "replace", "merge") for token in tokens[max(0, into - 3) : into])


def _written(word: str, reader: _Reader) -> list[Effect]:
    verb = word.upper()
    if word in {"insert", "replace", "update"} and reader.skip("or"):
        reader.next_token()  # INSERT OR REPLACE, UPDATE OR IGNORE
    reader.skip(
        "into", "from", "table", "low_priority", "delayed", "high_priority", "quick", "ignore", "only"
    )
    found = [Effect(verb, "table", name) for name in reader.names()]
    if word == "update":
        # MariaDB can change any table of a join; only SET names it.
        while (token := reader.next_token()) and not token.is_("set"):
            if token.is_(",", "join"):
                found.append(Effect(verb, "table", reader.name()))
    return found


def _schema(word: str, reader: _Reader, tokens: list[_Token]) -> list[Effect]:
    if reader.skip("or"):
        return [_unknown(tokens)]
    reader.skip(*_ADJECTIVES)
    reader.skip(*_FILLERS)
    kind = reader.next_token().text.lower()
    verb = f"{word} {kind}".upper()
    reader.skip(*_FILLERS)
    if kind == "table":
        if word == "drop":
            return [Effect(verb, kind, name) for name in reader.names()]
        found = [Effect(verb, kind, reader.name())]
        return found + (_renamed(verb, reader) if word == "alter" else [])
    if kind == "index":
        return _index(word, verb, reader)
    if kind in {"type", "sequence"}:
        names = reader.names() if word == "drop" else [reader.name()]
        return [Effect(verb, kind, name) for name in names]
    return [_unknown(tokens)]


def _renamed(verb: str, reader: _Reader) -> list[Effect]:
    """Return the new name an ALTER TABLE gives its table, if it does."""
    depth = 0
    while token := reader.next_token():
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.is_("rename"):
            if reader.peek().is_("column", "index", "key", "constraint"):
                continue
            if reader.skip("to", "as"):
                return [Effect(verb, "table", reader.name())]
            name = reader.name()
            if not reader.peek().is_("to"):  # ALTER TABLE a RENAME b; with TO it is a column
                return [Effect(verb, "table", name)]
        elif depth == 0 and token.is_("exchange"):
            return [Effect("ALTER TABLE EXCHANGE", "", "")]
    return []


def _index(word: str, verb: str, reader: _Reader) -> list[Effect]:
    name = "" if reader.peek().is_("on") else reader.name()
    found = [Effect(verb, "index", name)] if word != "create" else []
    while token := reader.next_token():
        if token.is_("on"):
            reader.skip("only")
            return [Effect(verb, "table", reader.name())]
        if token.text == ",":
            reader.skip(*_FILLERS)
            found.append(Effect(verb, "index", reader.name()))
    return found


def _pragma(reader: _Reader) -> list[Effect]:
    name = reader.name().rpartition(".")[2].lower()
    if not reader.peek() or name in _READING_PRAGMAS:
        return []
    return [Effect(f"PRAGMA {name}", "", "")]


def _comment(reader: _Reader) -> list[Effect]:
    reader.skip("on")
    kind = reader.next_token().text.lower()
    name = reader.name()
    if kind == "column":
        return [Effect("COMMENT", "table", name.rpartition(".")[0])]
    return [Effect("COMMENT", kind if kind in {"table", "index", "type", "sequence"} else "", name)]
