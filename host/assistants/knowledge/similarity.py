"""Group texts that share most of their words, in any script. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from host.search import words

CANDIDATES = 8
"""Number of a text's rarest terms used to find similar texts."""


def grouped(texts: Sequence[str], *, least: float, weighted: bool = False) -> list[list[int]]:
    """Return the indexes of *texts* in groups, largest first; the first text of a group comes first in it.

    A text joins the group whose first text is most similar, or begins one. Texts without words are grouped if
    they are identical.

    :param least: share of all their words that two similar texts have in common, 0 to 1.
    :param weighted: whether rare words count more.
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
