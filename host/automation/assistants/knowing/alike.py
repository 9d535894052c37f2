"""Put texts together that have most of their words in common, in any script. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from host.search import words

CANDIDATES = 8
"""The rarest terms of a text, by which others like it are looked for."""


def grouped(texts: Sequence[str], *, least: float, weighted: bool = False) -> list[list[int]]:
    """Return the places of *texts* in groups, the largest first, each with the text first that began it.

    A text joins the group whose first text it is most like, or begins one. One without words is with those
    that are letter for letter the same.

    :param least: of all their words, the part that two have in common to be alike, 0 to 1.
    :param weighted: whether a word that few of the texts have counts more.
    """
    found = [frozenset(words.terms(text)) or frozenset({text.strip()}) for text in texts]
    has = Counter(term for terms in found for term in terms)
    number = len(found)
    weight = {term: math.log(1 + number / count) if weighted else 1.0 for term, count in has.items()}
    whole = [sum(weight[term] for term in terms) for terms in found]
    groups: list[list[int]] = []
    by_term: dict[str, list[int]] = {}
    for place, terms in enumerate(found):
        rarest = sorted(terms, key=lambda term: (has[term], term))[:CANDIDATES]
        near = {group for term in rarest for group in by_term.get(term, ())}
        best, share = -1, least
        for group in sorted(near):
            first = groups[group][0]
            small, large = sorted((whole[place], whole[first]))
            if small < share * large:
                continue  # they could not have enough in common
            both = sum(weight[term] for term in terms & found[first])
            now = both / (small + large - both)
            if now > share or (now == share and best < 0):
                best, share = group, now
        if best >= 0:
            groups[best].append(place)
            continue
        for term in rarest:
            by_term.setdefault(term, []).append(len(groups))
        groups.append([place])
    return sorted(groups, key=lambda group: (-len(group), group[0]))
