"""Find what an assistant knows about a question, by its words (BM25), in any script.

An index lies in memory for each assistant and version of its knowledge, and for a few assistants at a time.
It holds which passage has which term and no words: those are read of the passages that were found.
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

from host.automation.assistants.knowing.entries import MOST_PASSAGES
from host.automation.assistants.values import Source, Topic
from host.core import db
from host.models.assistants import Assistant, AssistantTurn, EntryState, KnowledgeEntry, KnowledgePassage
from host.search import words

KEPT = 8
"""Assistants whose index is kept in memory."""
MOST_TURNS = 5_000
"""Turns that are looked at to see what was used."""
FLOOR = 0.12
"""The least part of a question's weight that a passage has to have to be given to a model, which judges."""
TOPIC_FLOOR = 0.25
"""The same for a topic that is offered without one."""
BESIDE = 0.35
"""The least score of a topic beside the best one, as a part of that one's."""

_K1, _B = 1.2, 0.5
_TITLE, _QUESTIONS = 2.0, 1.5
"""What a term counts in a title, and in an example question; in the text it counts 1."""
_STEM, _STEM_COUNTS = 5, 0.5
"""Letters that words have in common which are forms of one, and what that counts."""
_UNKNOWN = 0.5
"""What a word counts of a question that no passage has: customers write much that is beside it."""
_LONGEST_QUESTION = 4_000


def terms(text: str) -> set[str]:
    """Return what *text* is found by: its terms, and the beginnings of its longer words."""
    found = words.terms(text)
    return found | {f"{one[:_STEM]}*" for one in found if len(one) >= _STEM and one.isalpha()}


@dataclass(slots=True)
class Index:
    """Which passage of an assistant has which term.

    :ivar passages: ids of passages; *entries*: of their entries, *lengths*: terms of each.
    :ivar postings: by term, the places in these lists, and what the term counts there.
    """

    passages: array[int] = field(default_factory=lambda: array("q"))
    entries: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("l"))
    postings: dict[str, tuple[array[int], array[float]]] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)

    def add(self, passage: int, entry: int, title: str, asked: Iterable[set[str]], text: str) -> None:
        """Add a passage.

        :param asked: the terms of title and questions of its entry.
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
        """Return how much a term says: more if few passages have it."""
        number, kept = len(self.passages), self.postings.get(term)
        has = 0 if kept is None else len(kept[0])
        counts = (_STEM_COUNTS if term.endswith("*") else 1.0) * (1.0 if has else _UNKNOWN)
        return counts * math.log(1 + (number - has + 0.5) / (has + 0.5))

    def found(self, question: str) -> dict[int, tuple[float, float]]:
        """Return the passages that have terms of *question*: score and part of its weight, by their place."""
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
        """Return which part of the words of *text* the passage has that has most of them, 0 to 1."""
        asked = words.terms(text)
        has: dict[int, int] = {}
        for term in asked:
            for number in self.postings.get(term, ((), ()))[0]:
                has[number] = has.get(number, 0) + 1
        return max(has.values(), default=0) / len(asked) if asked else 0.0


class _Kept:
    """The indexes in memory, those used last kept. Each is made once, however many threads ask for it."""

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


_of: WeakKeyDictionary[db.Database, _Kept] = WeakKeyDictionary()
_of_lock = threading.Lock()


def _kept() -> _Kept:
    """Return the indexes of the database of this process: another counts its assistants from 1 again."""
    with _of_lock:
        return _of.setdefault(db.current(), _Kept(KEPT))


def index_of(session: Session, assistant_id: int) -> Index:
    """Return the index of what an assistant knows now; made with one statement if it is not there."""
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
    """Return passages that may answer *question*, the best first, numbered from 1; none below a floor."""
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
        # Its index may be older than this moment: what is not to be used any more is asked for here, too.
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
    """Return the entries that *question* may be about, the best first; empty: none is near enough.

    For a desk without a model: a person taps on the right one, so nothing is claimed.
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
    """Return in how many turns since then each entry was used, by its id: one statement, bounded."""
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
