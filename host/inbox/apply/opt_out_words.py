"""The words by which customers opt out of automated messages, and in again.

A word counts only as a whole message. Surrounding characters, case, invisible characters, full-width letters
and omitted accents are ignored. STOP and START count in every language. The table in ``docs/answer.md`` is
generated from this one.

A word is listed if carriers or newsletter senders tell people to write it, or if it names the messages. It is
not listed if it may be an ordinary answer in any of the languages:

- "cancel", "end", "quit", "annuler", "iptal", "取消", "ยกเลิก": customers cancel orders or bookings.
- "cancelar suscripción", "إلغاء الاشتراك", "peruuta tilaus", "hủy đăng ký", "rezygnuję": they may cancel a
  paid subscription, or a place in a course.
- "no", "nein", "basta", "그만", "yes", "alta", "बंद" (the shop is closed): ordinary answers.
- Words with a meaning in another language: "dur" (Turkish for stop) is French for hard, "ret" is Danish for a
  dish, and "dung" (Vietnamese, without accents) may be "right!".

"BAJA" and "SAIR" are ordinary words, too. They are listed because Spanish and Brazilian carriers tell people
to write them. There are fewer opt-in words, and one with a question mark does not count: a mistaken opt-in
sends people messages they refused. After a mistaken opt-out, people's answers still reach them, and the
thread shows the opt-out.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

LONGEST = 64
"""Longest message considered, in characters, including everything around the word."""
MOST_LETTERS = 32
"""Maximum letters considered: counting them is ten times faster than folding most messages."""


class OptOutWord(NamedTuple):
    """An opt-out word, as people are told to write it.

    :param closes: whether it stops automated messages; False if it allows them again.
    """

    text: str
    closes: bool


class Language(NamedTuple):
    """The words of a language."""

    name: str
    closing: tuple[str, ...]
    opening: tuple[str, ...] = ()


LANGUAGES = (
    Language(
        "English, and everywhere",
        ("STOP", "STOP ALL", "STOPALL", "STOP MESSAGES", "UNSUBSCRIBE", "OPT OUT", "OPTOUT"),
        ("START", "UNSTOP", "SUBSCRIBE", "RESUBSCRIBE", "OPT IN", "OPTIN"),
    ),
    Language("Arabic", ("توقف", "إيقاف", "إيقاف الرسائل", "أوقف الرسائل"), ("ابدأ", "استئناف")),
    Language("Bengali", ("থামুন", "বার্তা বন্ধ করুন"), ("শুরু করুন",)),
    Language("Bulgarian", ("СТОП", "ОТПИСВАНЕ", "ОТПИШИ МЕ"), ("СТАРТ", "АБОНИРАЙ МЕ")),
    Language("Chinese", ("停止", "退订", "退訂"), ("开始", "開始", "重新订阅", "重新訂閱")),
    Language("Croatian, Serbian", ("ODJAVA", "ODJAVI ME", "СТОП", "ОДЈАВА"), ("PONOVNA PRIJAVA", "СТАРТ")),
    Language("Czech", ("ODHLÁSIT", "ODHLÁSIT ODBĚR"), ("OBNOVIT ODBĚR",)),
    Language("Danish", ("AFMELD", "FRAMELD"), ("GENTILMELD",)),
    Language("Dutch", ("STOPPEN", "AFMELDEN", "UITSCHRIJVEN"), ("HERVATTEN",)),
    Language("Filipino", ("ITIGIL", "TIGIL"), ("SIMULAN",)),
    Language("Finnish", ("LOPETA", "LOPETA VIESTIT"), ("ALOITA",)),
    Language(
        "French", ("ARRÊT", "DÉSABONNER", "ME DÉSABONNER", "SE DÉSABONNER"), ("RÉABONNER", "ME RÉABONNER")
    ),
    Language("German", ("STOPP", "ABBESTELLEN", "ABMELDEN", "KEINE NACHRICHTEN MEHR"), ("ABONNIEREN",)),
    Language("Greek", ("ΣΤΟΠ", "ΔΙΑΚΟΠΗ", "ΑΠΕΓΓΡΑΦΗ"), ("ΕΝΑΡΞΗ", "ΕΠΑΝΕΓΓΡΑΦΗ")),
    Language("Hebrew", ("הסר", "הסירו", "הסירו אותי", "עצור"), ("התחל", "הרשמה מחדש")),
    Language("Hindi", ("रोकें", "रोको", "संदेश बंद करें"), ("शुरू", "शुरू करें")),
    Language("Hungarian", ("LEIRATKOZÁS", "LEIRATKOZOM"), ("FELIRATKOZÁS", "FELIRATKOZOM")),
    Language("Indonesian, Malay", ("BERHENTI", "BERHENTI BERLANGGANAN", "UNREG"), ("MULAI", "BERLANGGANAN")),
    Language("Italian", ("INTERROMPI", "DISISCRIVIMI", "DISISCRIVERMI"), ("REISCRIVIMI", "RIPRENDI")),
    Language("Japanese", ("停止", "ストップ", "配信停止"), ("開始", "再開", "配信再開", "スタート")),
    Language("Korean", ("중지", "정지", "수신거부", "수신 거부"), ("시작", "수신동의", "수신 동의")),
    Language("Norwegian", ("STOPP", "AVMELD"), ("GJENOPPTA",)),
    Language("Persian", ("توقف", "لغو11"), ("شروع",)),
    Language("Polish", ("WYPISZ", "WYPISZ MNIE"), ("WZNÓW",)),
    Language("Portuguese", ("PARAR", "SAIR", "DESCADASTRAR", "DESINSCREVER"), ("REINSCREVER", "RETOMAR")),
    Language("Romanian", ("DEZABONARE", "OPREȘTE MESAJELE"), ("REABONARE",)),
    Language("Russian", ("СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА"), ("СТАРТ", "ПОДПИСАТЬСЯ", "ВОЗОБНОВИТЬ")),
    Language("Slovak", ("ODHLÁSIŤ", "ODHLÁSIŤ ODBER"), ("OBNOVIŤ ODBER",)),
    Language("Spanish", ("PARAR", "BAJA", "DAR DE BAJA", "DARME DE BAJA"), ("REANUDAR", "SUSCRIBIRME")),
    Language("Swedish", ("STOPP", "STOPPA", "AVREGISTRERA", "AVPRENUMERERA"), ("STARTA", "PRENUMERERA")),
    Language("Thai", ("หยุด", "หยุดส่ง", "หยุดส่งข้อความ"), ("เริ่ม", "เริ่มส่ง")),
    Language("Turkish", ("DURDUR", "ABONELİKTEN ÇIK", "MESAJ İSTEMİYORUM"), ("BAŞLAT", "YENİDEN BAŞLAT")),
    Language("Ukrainian", ("СТОП", "ВІДПИСАТИСЯ", "ВІДПИСКА"), ("СТАРТ", "ПІДПИСАТИСЯ")),
    Language("Vietnamese", ("DỪNG LẠI", "NGỪNG NHẬN TIN", "DỪNG NHẬN TIN"), ("BẮT ĐẦU", "NHẬN TIN LẠI")),
)

_PLAIN = str.maketrans({"đ": "d", "ł": "l", "ø": "o", "ı": "i", "\u0640": None})
"""Letters that Unicode does not decompose but people write without accents, and the Arabic tatweel."""
_ACCENTED_BELOW = 0x700
"""Code points below it are Latin, Greek, Cyrillic, Hebrew and Arabic letters, whose marks people omit. In
other scripts a mark is a vowel, and a word without it is a different word.
"""
_ASKING = frozenset("?\uff1f\u061f\u037e")


def fold(text: str) -> str:
    """Return *text* normalized for comparison: without surrounding characters and omitted marks."""
    if not text.isascii():
        text = _without_marks(unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(text.casefold().replace("-", " ").split())
    first, end = 0, len(words)
    while first < end and unicodedata.category(words[first])[0] not in "LN":
        first += 1
    while first < end and unicodedata.category(words[end - 1])[0] not in "LMN":
        end -= 1
    return words[first:end]


def _without_marks(text: str) -> str:
    kept: list[str] = []
    base = 0
    for char in unicodedata.normalize("NFD", text).translate(_PLAIN):
        category = unicodedata.category(char)
        if category == "Cf" or "\ufe00" <= char <= "\ufe0f":
            continue  # invisible: joiners, directions, emoji variants
        if category[0] == "M":
            if base >= _ACCENTED_BELOW:
                kept.append(char)
        elif category == "Pd":
            kept.append("-")
        else:
            base = ord(char)
            kept.append(str(unicodedata.decimal(char)) if category == "Nd" else char)
    return unicodedata.normalize("NFC", "".join(kept))


_WORDS = {
    fold(text): OptOutWord(text, closes)
    for language in reversed(LANGUAGES)  # of words that fold to the same text, the first is stored
    for closes, texts in ((True, language.closing), (False, language.opening))
    for text in texts
}
CLOSING = frozenset(word.text for word in _WORDS.values() if word.closes)
"""The opt-out words in their stored form."""


def word_in(text: str) -> OptOutWord | None:
    """Return the word if *text* consists only of it, otherwise None."""
    if len(text) > LONGEST or sum(map(str.isalpha, text)) > MOST_LETTERS:
        return None
    word = _WORDS.get(fold(text))
    return None if word is not None and not word.closes and _ASKING & set(text) else word
