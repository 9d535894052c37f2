"""Recognise what stands below the words of a mail: signatures, legal notices and footers of mailing lists.

Nothing is cut; the page shows each behind a button of its own. Hiding what somebody wrote is worse than
showing a signature, so whatever could be written for the reader is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple


class ClosingKind(StrEnum):
    """Kinds of text below the words of a mail."""

    SIGNATURE = "signature"
    NOTICE = "notice"
    """A legal notice, as companies' mail servers add."""
    FOOTER = "footer"
    """Text that a mailing list adds."""


class Closing(NamedTuple):
    """Lines that close a mail.

    :param first: index of the first line.
    :param after: index of the line after the last one.
    """

    kind: ClosingKind
    first: int
    after: int


MOST_LINES = 80
"""Maximum number of lines that are looked at, from the end."""
_LONGEST = 4000
"""Maximum characters of a line of a closing."""
_MOST_PARTS = 12

_RULE = re.compile(r"[-_*=~\u2500\u2014]{4,200}\Z")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>()]{3,500}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>()@:]{1,64}@[^\s<>()@]{1,200}\.[a-z]{2,20}", re.IGNORECASE)
_LINK = re.compile(r"\s?[<(\[](?:https?://|mailto:|www\.)[^<>()\[\]\s]{1,1000}[>)\]]", re.IGNORECASE)
_ASKS = re.compile(r"[?\uff1f\u061f]")
_SPEAKS = re.compile(
    r"(?<![\w./-])(?:I(?![\w./-])|I['’]|[Mm]y\b|[Ii]ch\b|[Mm]ir\b|[Mm]ich\b|[Mm]ein(?:e[nmrs]?)?\b"
    r"|[Jj]e\b|[Mm]on\b"
    r"|[Yy]o\b|[Ii]k\b|[Mm]ijn\b|[Pp]lease (?:send|call|cancel|ship|note that)\b|[Bb]itte (?:senden"
    r"|schick|ruf)"
    r"|P\.?\s?S\.?\b)"
)
"""Words of somebody who writes to somebody; closings have none, apart from :data:`_SENT_FROM`."""


def closings(lines: Sequence[str], *, alone: bool = False) -> tuple[Closing, ...]:
    """Return what closes a mail, from the top, up to the last line. Blank lines may stand between.

    :param lines: the lines above or below a quote, without line breaks.
    :param alone: whether there may be nothing else in *lines*, as below a quote.
    """
    start = max(0, len(lines) - MOST_LINES)
    found: list[Closing] = []
    after = _without_blanks(lines, start, len(lines))
    while after > start and len(found) < _MOST_PARTS:
        kind, first = _last(lines, start, after)
        if kind is None:
            break
        if found and found[-1].kind is kind:
            found[-1] = Closing(kind, first, found[-1].after)
        else:
            found.append(Closing(kind, first, after))
        after = _without_blanks(lines, start, first)
    if not alone and not any(line.strip() for line in lines[: found[-1].first if found else 0]):
        return ()
    return tuple(reversed(found))


def _without_blanks(lines: Sequence[str], start: int, after: int) -> int:
    while after > start and not lines[after - 1].strip():
        after -= 1
    return after


def _last(lines: Sequence[str], start: int, after: int) -> tuple[ClosingKind | None, int]:
    """Return the last closing above line *after* and its first line."""
    ways: tuple[tuple[ClosingKind, Callable[[Sequence[str], int, int], int | None]], ...] = (
        (ClosingKind.FOOTER, _footer),
        (ClosingKind.NOTICE, _notice),
        (ClosingKind.SIGNATURE, _sent_from),
        (ClosingKind.SIGNATURE, _dashed),
        (ClosingKind.SIGNATURE, _business),
    )
    for kind, way in ways:
        first = way(lines, start, after)
        if first is not None:
            part = lines[first:after]
            if any(line.lstrip().startswith(">") or len(line) > _LONGEST for line in part):
                return None, after
            return kind, first
    return None, after


# ---- mailing lists -----------------------------------------------------------------------------------

_LISTED = re.compile(
    r"\b(?:mailing[ -]?list[es]?|mailinglist|mailman|unsubscribe|listinfo|subscribed to|listserv|sympa"
    r"|liste de diffusion|lista de correo|lista di distribuzione|abmelden|abbestellen)\b",
    re.IGNORECASE,
)
_MOST_FOOTER = 12


def _footer(lines: Sequence[str], start: int, after: int) -> int | None:
    """Return the rule above the footer of a mailing list, as Mailman, Google Groups and Sympa write it."""
    for number in range(after - 1, max(start, after - _MOST_FOOTER) - 1, -1):
        bare = lines[number].strip()
        if bare in {"--", "---"} or _RULE.match(bare):
            text = "\n".join(lines[number + 1 : after])
            is_one = _LISTED.search(text) and (_URL.search(text) or _ADDRESS.search(text))
            return number if is_one and not _SPEAKS.search(text) and not _ASKS.search(_plain(text)) else None
    return None


def _plain(text: str) -> str:
    """Return *text* without addresses, in which a question mark asks nothing."""
    return _URL.sub("", text)


# ---- legal notices -----------------------------------------------------------------------------------

_NOTICE_BEGINS = re.compile(
    r"[\s*_\"(\[]*(?:confidential(?:ity)?\b|disclaimer\b|legal (?:notice|disclaimer)\b"
    r"|important(?: notice)?:|notice:|privileged\b"
    r"|haftungsausschluss|rechtlicher hinweis|vertraulichkeitshinweis|wichtiger hinweis|hinweis:"
    r"|avis de confidentialité"
    r"|aviso (?:legal|de confidencialidad)|aviso de confidencialidade|avviso di riservatezza"
    r"|(?:this|the)(?: (?:contents? of|information(?: contained)? in) this)? (?:e-?mail|electronic"
    r"|message|communication|transmission"
    r"|information|contents?)\b"
    r"|(?:diese|der inhalt dieser|die in dieser)\s?(?:e-?mail|mail|nachricht)|dieses (?:e-?mail|mail)\b"
    r"|if you (?:are not|have received|received|receive)\b|(?:wenn|falls|sollten) sie (?:nicht|diese"
    r"|dieses)\b"
    r"|ce (?:message|courriel|courrier|mail)|le contenu de ce|cet e-?mail|este (?:mensaje|correo|e-?mail)"
    r"|esta mensagem"
    r"|el contenido de este|(?:il|questo|la) (?:presente )?(?:messaggio|e-?mail|comunicazione)|(?:dit"
    r"|deze) (?:bericht|e-?mail)"
    r"|(?:de|het) (?:informatie in )?(?:dit|deze) (?:bericht|e-?mail)|(?:ta|niniejsza) wiadomość|(?:detta"
    r"|dette|denne)"
    r" (?:e-?post|meddelande|e-?mail|meddelelse)|это (?:сообщение|письмо)|настоящее (?:сообщение|письмо))",
    re.IGNORECASE,
)
_HEADED = re.compile(
    r"[\s*_\"(\[]*(?:confidentiality (?:notice|note)|(?:legal |email |e-mail )?disclaimer|legal notice"
    r"|haftungsausschluss"
    r"|rechtlicher hinweis|vertraulichkeitshinweis|avis de confidentialité|aviso (?:legal"
    r"|de confidencialidade?)"
    r"|avviso di riservatezza)\b[\s*_:.)\]\-]*",
    re.IGNORECASE,
)
_SAYS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        r"confidential|privileged|vertraulich|confidentiel|confidencia|riservat|confidenzial"
        r"|vertrouwelijk|poufn"
        r"|конфиденциальн|konfidentiel|fortrolig|luottamuksell|důvěrn|bizalmas",
        r"intended (?:solely |only |exclusively )?(?:recipient|for)|addressee|(?:richtige|vorgesehene"
        r"|beabsichtigte|bestimmte)[rn]?"
        r" (?:adressat|empfänger)|(?:ausschließlich|nur) für|destinataire|destinat[aá]ri|geadresseerde"
        r"|bestemd voor|odbiorc|adresat"
        r"|получател|mottaker|modtager|mottagar",
        r"in error|by mistake|irrtümlich|versehentlich|par erreur|por error|por erro|per errore"
        r"|ten onrechte|abusievelijk"
        r"|omyłkowo|przez pomyłkę|по ошибке|ved en feil|ved en fejl|av misstag",
        r"unauthori[sz]ed|prohibited|strictly forbidden|unlawful|unbefugt|unerlaubt|nicht gestattet"
        r"|untersagt|interdit"
        r"|prohibid|proibid|vietat|verboden|zabronion|запрещ|förbjud|forbudt",
        r"(?:notify|inform|contact|advise) (?:the |us\b)(?:sender)?|\bdelete\b|\bdestroy\b"
        r"|informieren sie|löschen sie|vernichten sie"
        r"|détrui|supprim|\belimin|\bborr|\bapag|\bcancell|verwijder|usuni|удал",
    )
)
_SHORT_NOTICE = re.compile(
    r"[\s*_\"(\[\u2600-\u27bf\U0001f300-\U0001faff]*(?:(?:please )?(?:consider|think of"
    r"|think about) the environment before printing"
    r"|please do not print this|bitte (?:denken sie|prüfen sie|berücksichtigen sie"
    r"|an die umwelt)[^.!?]{0,80}(?:umwelt|ausdruck|druck)"
    r"|pensez à l['’]environnement|virus[- ]free\.|virenfrei\.|(?:this e-?mail|diese e-?mail"
    r"|this message) (?:has been|wurde)"
    r" (?:von \S{1,40} )?(?:checked for virus|scanned for virus|auf viren (?:geprüft|überprüft)))",
    re.IGNORECASE,
)
_MOST_PARAGRAPHS = 8
_LONGEST_NOTICE = 6000
"""Maximum characters of a paragraph of a notice; also bounds the time to find it."""


def _notice(lines: Sequence[str], start: int, after: int) -> int | None:
    """Return the first line of the legal notice that ends above line *after*.

    Its paragraphs are looked at from the end, since a notice may have several, or one in each language.
    """
    first: int | None = None
    pending = after
    for _ in range(_MOST_PARAGRAPHS):
        top = pending
        while top > start and lines[top - 1].strip():
            top -= 1
        if top == pending:
            break
        if sum(map(len, lines[top:pending])) > _LONGEST_NOTICE:
            break
        begins = _begin_of_notice(lines, top, pending)
        if begins is not None:
            first = begins
        elif not _is_part_of_notice(lines[top:pending]):
            break
        pending = _without_blanks(lines, start, top)
        if begins is not None and begins > top:
            break  # something else stands right above it
    if first is None:
        return None
    above = _without_blanks(lines, start, first)
    return above - 1 if above > start and _RULE.match(lines[above - 1].strip()) else first


def _begin_of_notice(lines: Sequence[str], top: int, after: int) -> int | None:
    for number in range(top, after):
        line = lines[number]
        if not _NOTICE_BEGINS.match(line) and not _SHORT_NOTICE.match(line):
            continue
        text = " ".join(one.strip() for one in lines[number:after])
        if _is_notice(text):
            return number
    return None


def _is_notice(text: str) -> bool:
    if _SPEAKS.search(text) or _ASKS.search(_plain(text)):
        return False
    if _SHORT_NOTICE.match(text):
        return len(text) < 400
    said = [words.search(text) is not None for words in _SAYS]
    if sum(said) >= 3:
        return True
    headed = _HEADED.match(text)
    return (
        len(text) >= 60
        and (sum(said) >= 2 if headed is None else any(said))
        and (said[1] or headed is not None)
    )


def _is_part_of_notice(lines: Sequence[str]) -> bool:
    """Return whether a paragraph may stand within a notice; alone it is none."""
    text = " ".join(line.strip() for line in lines)
    if _RULE.match(text):
        return True
    return not _SPEAKS.search(text) and not _ASKS.search(text) and any(words.search(text) for words in _SAYS)


# ---- signatures --------------------------------------------------------------------------------------

_DEVICE = (
    r"(?:iphone\w*|ipad\w*|ipod\w*|apple watch|galaxy|samsung|android|blackberry|huawei|xiaomi|redmi"
    r"|pixel|nokia|sony|xperia|htc"
    r"|motorola|oneplus|oppo|honor|fairphone|windows phone|smartphone|handy|mobiltelefon|mobile(?: phone"
    r"| device)?|phone|tablet"
    r"|handheld|mobil|móvil|celular|telefono|téléphone|telefoon|telefonu|outlook|yahoo|gmail|thunderbird"
    r"|k-9|fairemail|protonmail"
    r"|proton|mail\.ru|яндекс|web\.de|gmx|t-online|telekom|aol|icloud|spark|airmail|bluemail|mail\b"
    r"|mailbird|typeapp|em client|posteo"
    r"|мобильн|телефон|айфон)"
)
_SENT_FROM = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        rf"(?:sent|written) (?:from|with|via|using|by) [^,]{{0,40}}{_DEVICE}",
        rf"(?:diese (?:nachricht|mail|e-mail) wurde )?(?:von|mit|über"
        rf"|gesendet) .{{0,60}}{_DEVICE}.{{0,40}}(?:gesendet|versendet|verschickt|geschickt)?",
        rf"envoyé (?:de|depuis|à partir) .{{0,40}}{_DEVICE}|télécharger outlook",
        rf"(?:enviado|enviada) (?:desde|do|da|de|via|pelo) .{{0,40}}{_DEVICE}|obtener outlook"
        rf"|obter o outlook",
        rf"inviato da(?:l|lla|ll['’])? ?.{{0,40}}{_DEVICE}|(?:ottieni|scarica) outlook",
        rf"(?:verzonden|verstuurd|gestuurd) (?:vanaf|met|via|vanuit) .{{0,40}}{_DEVICE}"
        rf"|outlook voor \w+ downloaden",
        rf"(?:wysłan[eoay]|wysłano) (?:z|przy użyciu|za pomocą) .{{0,40}}{_DEVICE}",
        rf"(?:отправлено|надіслано) (?:с|из|со|з|через) .{{0,40}}{_DEVICE}",
        rf"(?:skickat|skickades|sendt|skickad) (?:från|fra|med|via) .{{0,40}}{_DEVICE}"
        rf"|lähetetty .{{0,30}}{_DEVICE}",
        rf"(?:odesláno|odoslané|odoslano|poslano|trimis|küldve|изпратено) (?:z|zo|s|de|pe|од"
        rf"|от)?.{{0,40}}{_DEVICE}",
        r"iphone\S{0,12} gönderildi|\w+(?:ımdan|umdan|dan|den) gönderildi",
        r"(?:iphone|ipad|android|スマートフォン)\s?から送信|(?:发自|發自|從|从|来自)\s?(?:我的\s?)?(?:iphone|ipad|手机|小米|华为"
        r"|android|網易|网易|qq)"
        r".{0,12}|나의 (?:iphone|ipad|갤럭시).{0,10}|(?:iphone|ipad)에서 보냄|أُ?رسل من .{0,20}(?:iphone|ipad)"
        r"|נשלח מה.{0,20}(?:iphone|ipad)",
        r"get outlook for \w+|outlook für \w+(?: \w+)? (?:beziehen|herunterladen|abrufen)"
        r"|holen sie sich outlook",
    )
)
_MOST_WORDS = 14


def _is_sent_from(line: str) -> bool:
    bare = _LINK.sub("", line).strip(" \t*_.~-–—")
    if not 8 <= len(bare) <= 120 or len(bare.split()) > _MOST_WORDS or _ASKS.search(bare):
        return False
    match = next(filter(None, (words.match(bare) for words in _SENT_FROM)), None)
    # The line may say little more: "Sent from my iPhone, please excuse typos".
    return match is not None and len(bare) - match.end() <= 60


def _sent_from(lines: Sequence[str], start: int, after: int) -> int | None:
    return after - 1 if _is_sent_from(lines[after - 1]) else None


_MOST_DASHED = 20


def _dashed(lines: Sequence[str], start: int, after: int) -> int | None:
    """Return the line ``-- `` (RFC 3676) above a signature; many programs lose its space."""
    for number in range(after - 1, max(start, after - 2 * _MOST_DASHED) - 1, -1):
        if lines[number].rstrip() != "--":
            continue
        below = [line.strip() for line in lines[number + 1 : after] if line.strip()]
        most = _MOST_DASHED if lines[number] == "-- " else _MOST_DASHED // 2
        written = any(_is_written(line, loose=lines[number] == "-- ") for line in below)
        return number if 0 < len(below) <= most and not written else None
    return None


def is_written(text: str) -> bool:
    """Return whether a text in a signature is written for the reader: it asks something, or says *I*."""
    plain = _plain(text)
    return any(
        _ASKS.search(line) or _SPEAKS.search(line) for line in plain.split("\n") if not _is_sent_from(line)
    )


def _is_written(line: str, *, loose: bool) -> bool:
    """Return whether a line is written for the reader rather than part of a signature.

    :param loose: whether the line may be a sentence, such as a motto.
    """
    if _is_sent_from(line):
        return False
    plain = _plain(line)
    return bool(_ASKS.search(plain) or _SPEAKS.search(plain)) or (not loose and len(plain.split()) > 9)


_GOODBYE = re.compile(
    r"(?:(?:mit |ganz )?(?:freundliche[mnr]?|beste[nr]?|herzliche[nr]?|schöne[nr]?|liebe[nr]?|viele[nr]?"
    r"|sonnige[nr]?) grü(?:ß|ss)(?:e[nr]?)?"
    r"(?: aus \w{2,30}| vom \w{2,30})?|(?:mfg|lg|vg|bg|hochachtungsvoll)|(?:with )?(?:kind(?:est)?|best"
    r"|warm(?:est)?|many|all the best)?,? ?"
    r"(?:regards|wishes)|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|cheers|(?:many "
    r"|best )?thanks|thank you|all the best|cordialement"
    r"|bien (?:à vous|cordialement)|(?:sincères |meilleures )?salutations|(?:un "
    r"|cordiales )?saludos?(?: cordiales)?|atentamente|(?:cordiali|distinti)"
    r" saluti|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|groet(?:en)?|atenciosamente"
    r"|(?:melhores )?cumprimentos|pozdrawiam"
    r"|z (?:poważaniem|wyrazami szacunku)|с уважением|з повагою|(?:med )?vänlig(?:a)? hälsning(?:ar)?|mvh"
    r"|(?:med )?vennlig hilsen|(?:med )?venlig hilsen"
    r"|s pozdravem|üdvözlettel|cu stimă|saygılarımla|ystävällisin terveisin)(?:[,.!]{0,2}"
    r"|[,.!]{1,2} ?(?:\w[\w.'’-]{0,30} ?){1,3})\Z",
    re.IGNORECASE,
)
_NUMBER = r"\.?\s?[:.|]?\s?[+(]?\d[\d ()/.\-+]{5,40}"
_CONTACTS = (
    re.compile(
        r"(?<!\w)(?:tel(?:efon|ephone|éfono|efono)?|phone|fon|mobil(?:e|telefon)?|cell|handy|t|m|p|tél|móvil|cel)"
        rf"{_NUMBER}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<!\w)(?:tele)?fax{_NUMBER}", re.IGNORECASE),
    _ADDRESS,
    _URL,
    re.compile(
        r"\bHR[BA]\s?\d{2,}|Amtsgericht|Registergericht|Handelsregister|Geschäftsführ(?:er|ung)|USt-?Id"
        r"|Sitz der Gesellschaft|\bVAT\b|\bSIRET\b|\bKvK\b"
        r"|\bP\.?\s?IVA\b|registered (?:office|in england)|company (?:no|number|reg)|\b(?:GmbH|mbH"
        r"|AG & Co|KG|Ltd|Limited|Inc|LLC|S\.?r\.?l|SARL|B\.?V|S\.?A|Sp\. z o\.?o)\b\.?",
    ),
)
_FURTHER = frozenset({1, 2, 3, 4})
"""Those of :data:`_CONTACTS` that show more than the telephone of somebody who asks for a call."""
_POINTS_AT = re.compile(
    r"address|number|phone|call me|reach me|below|adresse|anschrift|nummer|telefon|ruf|unten|folgend"
    r"|kontakt|contact|dirección|número|téléphone"
    r"|numéro|ci-dessous|indirizzo|numero|adres\b|nummer|adresu|адрес|номер",
    re.IGNORECASE,
)
"""Words with which somebody may point at what stands below them."""
_MOST_BUSINESS = 20


def _business(lines: Sequence[str], start: int, after: int) -> int | None:
    """Return the first line of the contact data below a goodbye and a name, which stay shown."""
    for number in range(after - 2, max(start, after - 2 * _MOST_BUSINESS) - 1, -1):
        bare = lines[number].strip(" \t*_")
        if len(bare) > 80 or not _GOODBYE.match(bare):
            continue
        if _POINTS_AT.search("\n".join(lines[start:number])):
            return None
        first = number + 1
        named = 0
        while first < after and (not lines[first].strip() or (not named and not _contacts(lines[first]))):
            named += bool(lines[first].strip())
            first += 1
        below = [line.strip() for line in lines[first:after] if line.strip()]
        kinds = {kind for line in below for kind in _contacts(line)}
        fits = 2 <= len(below) <= _MOST_BUSINESS and len(kinds) >= 2 and kinds & _FURTHER
        return first if fits and not any(_is_written(line, loose=False) for line in below) else None
    return None


def _contacts(line: str) -> set[int]:
    return {number for number, one in enumerate(_CONTACTS) if one.search(line[:300])}
