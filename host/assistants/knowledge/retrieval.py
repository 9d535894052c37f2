"""Find the knowledge for a question by its words (BM25), in any script.

Each assistant has an index per version of its knowledge; a few indexes are kept in memory. An index maps
terms to passages. It holds no text, which is read from the passages found.
"""

from __future__ import annotations

import heapq
import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants.knowledge.entries import MOST_PASSAGES
from host.assistants.models import Assistant, AssistantTurn, EntryState, KnowledgeEntry, KnowledgePassage
from host.assistants.values import Source, Topic
from host.core import db
from host.search import words

KEPT = 8
"""Assistants whose index is kept in memory."""
MOST_TURNS = 5_000
"""Most turns read to count how often entries were used."""
_FEWEST = 10
"""Passages a term is weighed against at least. Among one or two, a term that they have would weigh next to
nothing, and a question with a few other words would find none."""
FLOOR = 0.12
"""Minimum share of a question's weight that a passage must have to be given to a model, which judges it."""
TOPIC_FLOOR = 0.25
"""Minimum share of a topic offered without a model."""
BESIDE = 0.35
"""Minimum score of an additional topic, as a share of the best score."""

_K1, _B = 1.2, 0.5
_TITLE, _QUESTIONS = 2.0, 1.5
"""Weight of a term in a title, and in an example question; in the text it is 1."""
_STEM, _STEM_COUNTS = 5, 0.5
"""Letters shared by forms of one word, and the weight of such a match."""
_UNKNOWN = 0.5
"""Weight of a word of the question that no passage has: customers write much that is irrelevant."""
_LONGEST_QUESTION = 4_000


def terms(text: str) -> set[str]:
    """Return the search terms of *text*: its words, and prefixes of the longer ones."""
    found = words.terms(text)
    return found | {f"{one[:_STEM]}*" for one in found if len(one) >= _STEM and one.isalpha()}


@dataclass(slots=True)
class Index:
    """An inverted index of an assistant's passages.

    :ivar passages: ids of passages; *entries*: ids of their entries; *lengths*: their number of terms.
    :ivar postings: for each term, the positions in these lists and the weight there.
    """

    passages: array[int] = field(default_factory=lambda: array("q"))
    entries: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("l"))
    postings: dict[str, tuple[array[int], array[float]]] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)

    def add(self, passage: int, entry: int, title: str, asked: Iterable[set[str]], text: str) -> None:
        """Add a passage.

        :param asked: the terms of its entry's title and questions.
        """
        counted: dict[str, float] = {}
        for weight, found in zip((_TITLE, _QUESTIONS, 1.0), (*asked, terms(text)), strict=True):
            for term in found:
                counted[term] = counted.get(term, 0.0) + weight
        number = len(self.passages)
        self.passages.append(passage)
        self.entries.append(entry)
        self.lengths.append(len(counted))
        self.titles[entry] = title
        for term, weight in counted.items():
            kept = self.postings.get(term)
            if kept is None:
                kept = self.postings[term] = (array("l"), array("f"))
            kept[0].append(number)
            kept[1].append(weight)

    def weight(self, term: str) -> float:
        """Return the weight of a term: higher if fewer passages have it."""
        number, kept = max(len(self.passages), _FEWEST), self.postings.get(term)
        has = 0 if kept is None else len(kept[0])
        counts = (_STEM_COUNTS if term.endswith("*") else 1.0) * (1.0 if has else _UNKNOWN)
        return counts * math.log(1 + (number - has + 0.5) / (has + 0.5))

    def found(self, question: str) -> dict[int, tuple[float, float]]:
        """Return passages that have terms of *question*, by position: score and share of the question's
        weight.
        """
        scores: dict[int, float] = {}
        covered: dict[int, float] = {}
        asked = terms(question[:_LONGEST_QUESTION])
        whole = sum(map(self.weight, asked))
        average = (sum(self.lengths) / len(self.lengths)) if self.lengths else 1.0
        for term in asked:
            kept = self.postings.get(term)
            if kept is None:
                continue
            weight = self.weight(term)
            for number, count in zip(*kept, strict=True):
                length = 1 - _B + _B * self.lengths[number] / average
                scores[number] = scores.get(number, 0.0) + weight * count * (_K1 + 1) / (count + _K1 * length)
                covered[number] = covered.get(number, 0.0) + weight
        return {number: (score, covered[number] / whole) for number, score in scores.items()}

    def says(self, text: str) -> float:
        """Return the largest share of the words of *text* that one passage has, 0 to 1."""
        asked = words.terms(text)
        has: dict[int, int] = {}
        for term in asked:
            for number in self.postings.get(term, ((), ()))[0]:
                has[number] = has.get(number, 0) + 1
        return max(has.values(), default=0) / len(asked) if asked else 0.0


class _IndexCache:
    """A cache of the most recently used indexes. Threads that need the same index build it only once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, tuple[int, Index]] = OrderedDict()
        self._making: dict[int, threading.Lock] = {}

    def get(self, assistant_id: int, version: int, make: Callable[[], Index]) -> Index:
        with self._lock:
            found = self._there(assistant_id, version)
            if found is not None:
                return found
            making = self._making.setdefault(assistant_id, threading.Lock())
        with making:
            with self._lock:
                found = self._there(assistant_id, version)
            if found is None:
                found = make()
                with self._lock:
                    before = self._kept.get(assistant_id)
                    if before is None or before[0] <= version:
                        self._kept[assistant_id] = (version, found)
                        self._kept.move_to_end(assistant_id)
                    while len(self._kept) > self._most:
                        self._making.pop(self._kept.popitem(last=False)[0], None)
            return found

    def _there(self, assistant_id: int, version: int) -> Index | None:
        found = self._kept.get(assistant_id)
        if found is None or found[0] != version:
            return None
        self._kept.move_to_end(assistant_id)
        return found[1]


_of: WeakKeyDictionary[db.Database, _IndexCache] = WeakKeyDictionary()
_of_lock = threading.Lock()


def _kept() -> _IndexCache:
    """Return the cache for this process's database: another database has the same ids."""
    with _of_lock:
        return _of.setdefault(db.current(), _IndexCache(KEPT))


def index_of(session: Session, assistant_id: int) -> Index:
    """Return the index of an assistant's current knowledge; one statement if it is not cached."""
    version = session.scalar(sa.select(Assistant.knowledge_version).where(Assistant.id == assistant_id))
    if version is None:
        return Index()
    return _kept().get(assistant_id, version, lambda: _made(session, assistant_id))


def _made(session: Session, assistant_id: int) -> Index:
    query = (
        sa.select(
            KnowledgePassage.id,
            KnowledgePassage.entry_id,
            KnowledgeEntry.title,
            KnowledgeEntry.questions,
            KnowledgePassage.text,
        )
        .join(KnowledgeEntry, KnowledgeEntry.id == KnowledgePassage.entry_id)
        .where(KnowledgePassage.assistant_id == assistant_id, KnowledgeEntry.state == EntryState.READY)
        .order_by(KnowledgePassage.id)
        .limit(MOST_PASSAGES)
    )
    made = Index()
    asked: dict[int, tuple[set[str], set[str]]] = {}
    for id_, entry_id, title, questions, text in session.execute(query):
        if entry_id not in asked:
            asked[entry_id] = terms(title), terms("\n".join(map(str, questions)))
        made.add(id_, entry_id, title, asked[entry_id], text)
    return made


def matching(session: Session, assistant_id: int, question: str, *, most: int = 8) -> list[Source]:
    """Return passages that may answer *question*, best first, numbered from 1; none below the floor."""
    index = index_of(session, assistant_id)
    above = [(score, -number) for number, (score, part) in index.found(question).items() if part >= FLOOR]
    best = [(index.passages[-number], score) for score, number in heapq.nlargest(most, above)]
    if not best:
        return []
    query = (
        sa.select(
            KnowledgePassage.id,
            KnowledgePassage.text,
            KnowledgePassage.place,
            KnowledgeEntry.id.label("entry_id"),
            KnowledgeEntry.title,
            KnowledgeEntry.checked_at,
        )
        .join(KnowledgeEntry, KnowledgeEntry.id == KnowledgePassage.entry_id)
        # The index may be slightly outdated, so entries that may no longer be used are filtered here too.
        .where(KnowledgePassage.id.in_([id_ for id_, _score in best]))
        .where(KnowledgePassage.assistant_id == assistant_id, KnowledgeEntry.state == EntryState.READY)
    )
    rows: Mapping[int, Any] = {row.id: row for row in session.execute(query)}
    there = [(rows[id_], score) for id_, score in best if id_ in rows]
    return [
        Source(
            number=number,
            title=row.title,
            text=row.text,
            place=row.place,
            at=row.checked_at,
            entry_id=row.entry_id,
            score=round(score, 4),
        )
        for number, (row, score) in enumerate(there, 1)
    ]


def topics(session: Session, assistant_id: int, question: str, *, most: int = 3) -> list[Topic]:
    """Return the entries that *question* may be about, best first, or none if no entry is close enough.

    Used without a model: the customer taps the right topic, so nothing is asserted.
    """
    index = index_of(session, assistant_id)
    best: dict[int, float] = {}
    for number, (score, part) in index.found(question).items():
        if part >= TOPIC_FLOOR:
            entry = index.entries[number]
            best[entry] = max(best.get(entry, 0.0), score)
    ranked = sorted(best.items(), key=lambda one: (-one[1], one[0]))[:most]
    return [Topic(entry, index.titles[entry]) for entry, score in ranked if score >= BESIDE * ranked[0][1]]


def used(session: Session, assistant_id: int, since: datetime) -> dict[int, int]:
    """Return how many turns since then used each entry, by its id: one statement, bounded."""
    query = (
        sa.select(AssistantTurn.sources)
        .where(AssistantTurn.assistant_id == assistant_id, AssistantTurn.created_at >= since)
        .order_by(AssistantTurn.created_at.desc())
        .limit(MOST_TURNS)
    )
    counted: dict[int, int] = {}
    for sources in session.scalars(query):
        for entry in _entries(sources):
            counted[entry] = counted.get(entry, 0) + 1
    return counted


def _entries(sources: Sequence[Mapping[str, Any]]) -> set[int]:
    found = (one.get("entry", 0) for one in sources if one.get("used", True))
    return {one for one in found if isinstance(one, int) and one}
