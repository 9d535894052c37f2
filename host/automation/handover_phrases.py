"""Phrases by which customers ask for a person instead of an assistant or a sequence.

A phrase counts only as a whole message, and in every language, like the opt-out words
(:mod:`host.inbox.apply.opt_out_words`). Recognising the wish in a longer sentence is up to the model. These
phrases work without one, and whatever the model decides.
"""

from __future__ import annotations

from host.automation.buttons import PERSON_PAYLOAD
from host.inbox.apply.opt_out_words import LONGEST, fold

__all__ = ["PERSON_PAYLOAD", "TOPIC_PAYLOAD", "is_asked", "topic_of"]

TOPIC_PAYLOAD = "lobby:topic:"
"""Prefix of the payload of a topic's button; the id of its entry follows."""

WORDS = (
    # English
    *("person", "human", "agent", "real person", "a person", "a human", "operator", "support", "help desk"),
    *("talk to a person", "talk to a human", "speak to a person", "speak to a human", "representative"),
    *("موظف", "شخص", "إنسان"),
    *("মানুষ",),
    *("човек", "оператор"),
    *("人工", "人工客服", "真人", "轉人工", "转人工"),
    *("osoba", "čovjek", "operater"),
    *("člověk", "operátor"),
    *("menneske", "en person", "medarbejder"),
    *("mens", "medewerker", "echt persoon"),
    *("ihminen", "asiakaspalvelija"),
    *("personne", "humain", "une personne", "conseiller", "un conseiller", "parler à un conseiller"),
    *("mensch", "ein mensch", "mitarbeiter", "echter mensch", "kundendienst", "mit einem menschen sprechen"),
    *("άνθρωπος", "εκπρόσωπος"),
    *("אדם", "נציג", "בן אדם"),
    *("इंसान", "व्यक्ति", "एजेंट"),
    *("ember", "ügyintéző", "élő ember"),
    *("orang", "manusia", "petugas", "operator manusia"),
    *("persona", "operatore", "una persona", "umano"),
    *("人", "人間", "オペレーター", "担当者"),
    *("상담원", "사람", "상담사"),
    *("kundebehandler", "et menneske"),
    *("انسان", "اپراتور", "پشتیبان"),
    *("człowiek", "konsultant", "osoba kontaktowa"),
    *("pessoa", "humano", "atendente", "falar com uma pessoa", "falar com atendente"),
    *("om", "persoană", "operator uman"),
    *("человек", "живой человек", "позовите человека"),
    *("una persona real", "agente", "asesor", "hablar con una persona", "hablar con un humano"),
    *("människa", "handläggare", "en människa"),
    *("เจ้าหน้าที่", "พนักงาน", "คน"),
    *("insan", "temsilci", "müşteri temsilcisi"),
    *("людина", "жива людина"),
    *("nhân viên", "người thật"),
)
_FOLDED = frozenset(fold(word) for word in WORDS)


def is_asked(text: str) -> bool:
    """Return whether a message asks for a person and says nothing else."""
    return len(text) <= LONGEST and fold(text) in _FOLDED


def topic_of(payload: object) -> int | None:
    """Return the id of the entry whose button was tapped, or None for another button."""
    if not isinstance(payload, str) or not payload.startswith(TOPIC_PAYLOAD):
        return None
    number = payload.removeprefix(TOPIC_PAYLOAD)
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
