"""Phrases that identify reports of mail servers and mail programs, in all their languages.

Each pattern matches a short fixed text, so that a search takes linear time.
"""

from __future__ import annotations

import re

from host.sdk.messages import ReportKind


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


SUBJECT = _any(
    r"undeliver", r"returned mail", r"returned to sender", r"failure notice", r"failed delivery",
    r"non.?delivery",
    r"(?:mail|message|delivery|e-?mail).{0,20}(?:fail|error|problem|notification|status|rejected"
    r"|undelivered)",
    r"delivery.{0,20}(?:report|delayed|unsuccessful)", r"not (?:be )?delivered",
    r"could ?n[o']t be (?:delivered|sent)", r"delayed mail", r"mail delay", r"delivery warning",
    r"warning: (?:could not|message)", r"\bNDN\b", r"\bDSN\b", r"user unknown",
    r"bounced? (?:mail|message)", r"mail system error", r"message rejected", r"unzustellbar",
    r"nicht zugestellt", r"zustellung", r"fehlgeschlagen", r"non (?:remis|distribu|délivré)", r"échec",
    r"no se (?:ha )?p(?:udo|odido)", r"no entregado", r"no se puede entregar",
    r"mancat[ao] (?:consegna|recapito)", r"non recapitabile", r"recapito", r"não (?:foi )?entregue",
    r"falha", r"onbestelbaar", r"niet (?:worden )?bezorgd", r"mislukt", r"niedostarcz",
    r"nie (?:można|udało)", r"недоставлен", r"не доставлен", r"ошибк", r"olevererbar",
    r"kan inte levereras", r"kunne ikke leveres", r"nedoručiteln", r"iletilemedi", r"配信(?:不能|エラー)",
    r"届け", r"退信", r"退回", r"投递失败", r"傳遞失敗", r"배달.{0,5}(?:실패|안)", r"전송 실패",
)  # fmt: skip
"""Subject of a report."""

SUBJECT_END = re.compile(
    r"[:\uff1a]\s?non (?:remis|distribu\w{1,2}|délivré)\b.{0,40}\Z|\(delivery failed\)\s*\Z", re.IGNORECASE
)
"""Suffix that some servers add to the subject of the returned mail, which may be a reply."""

REPLY = re.compile(
    r"\s*(?:re|aw|antw|sv|vs|fwd?|wg|tr|rv|res|r|odp|ynt|回复|答复|转发)\s?(?:\[\d+\])?[:\uff1a]",
    re.IGNORECASE,
)
"""Prefix in the subject of a reply or a forwarded mail, which a person wrote."""

SENDER_NAMES = _any(
    r"mail(?:er)?.{0,3}daemon", r"mail delivery", r"postmaster", r"mail administrator",
    r"system administrator", r"mail (?:deliverer|router|server|system)", r"mailsystem",
)  # fmt: skip
"""Names of servers that send reports."""

FAILED = _any(
    r"could ?n[o']t (?:be )?deliver", r"not (?:be )?(?:able to )?deliver", r"undeliver",
    r"unable to (?:be )?deliver", r"was not delivered",
    r"deliver\w* (?:has |to .{0,80} )?(?:failed|failure|aborted)", r"fail\w* (?:to|in) deliver",
    r"account is (?:disabled|(?:temporarily )?limited)", r"did not (?:reach|receive)",
    r"permanent (?:fatal )?error", r"has been rejected", r"was rejected",
    r"returned to (?:sender|you)", r"cannot be delivered", r"can ?n[o']t (?:be )?(?:deliver|accept)",
    r"rejected your", r"no such (?:user|address|recipient|mailbox|account)", r"user unknown",
    r"unknown (?:user|recipient|address)",
    r"(?:could|can|were|was) (?:not|n't) (?:be )?(?:sent|reached|found)", r"delivery failure",
    r"failed recipient", r"mailbox (?:is )?full", r"over quota", r"does ?n[o']t (?:exist|have)",
    r"invalid (?:recipient|address|user)", r"undelivered", r"not listed in",
    r"error (?:sending|delivering|in your)", r"address(?:es)? failed", r"nicht (?:\w{1,20} )?zugestellt",
    r"unzustellbar", r"nicht ausgeliefert", r"n['’]a (?:pas )?p[ua]s? (?:pu )?être", r"non remis",
    r"no se (?:ha )?p(?:udo|odido) entregar", r"no (?:ha sido|fue) entregad",
    r"non (?:è stato|è stata|può essere) (?:possibile )?(?:recapitat|consegnat)",
    r"impossibile (?:recapit|consegn)", r"não (?:pôde|foi possível|pode) (?:ser )?entreg",
    r"niet (?:worden )?(?:bezorgd|afgeleverd)", r"nie (?:mogła|mogło|można|udało).{0,40}dostarcz",
    r"не (?:может быть |удалось |было )?доставл", r"не был[оа]? доставлен", r"kunde inte levereras",
    r"kunne ikke leveres", r"nelze doručit", r"nebyla doručena", r"teslim edilemedi", r"配信できません",
    r"届けられません", r"送信できません", r"无法(?:发送|投递|送达)", r"無法(?:傳遞|投遞|寄送)", r"被退回",
    r"전송(?:하지 못|되지 않)", r"배달할 수 없",
)  # fmt: skip
"""Words of a report that a mail was not delivered."""

REJECTED = _any(r"automatically rejected", r"message (?:was|has been) rejected", r"quota exceeded")
"""Words of a notification that is a refusal regardless of its fields, as by Dovecot and Sieve."""

DELAYED = _any(
    r"(?:delivery|mail|message)\b.{0,40}\bdelay", r"delayed (?:mail|message|delivery)",
    r"will (?:keep|continue|retry|be retried)", r"still (?:being )?(?:trying|retried|queued)",
    r"not yet been delivered", r"has been delayed", r"is delayed", r"retried until", r"will try again",
    r"temporary (?:problem|failure|non-fatal)", r"no action is required on your part",
    r"do not need to resend", r"still undelivered", r"postponed", r"continue to try", r"verzögert",
    r"weitere? (?:zustell)?versuch", r"retardé", r"se ha retrasado", r"retrasad[ao]", r"in ritardo",
    r"atrasad[ao]", r"vertraagd", r"opóźni", r"задержан", r"försena", r"forsinket", r"zpožděn", r"gecik",
    r"遅延", r"延迟", r"延遲", r"지연",
)  # fmt: skip
"""Words of a report that a mail is delayed."""

LISTED = _any(
    r"(?<!may be )black ?-?list", r"block ?-?list", r"deny ?list", r"spamhaus", r"spamcop", r"\bsorbs\b",
    r"barracuda", r"uceprotect", r"\b(?:rbl|dnsbl)\b", r"invaluement", r"proofpoint.{0,40}blocked",
    r"(?:ip|ip address|sender|sending server|host)\b.{0,60}(?:is |was |has been )(?:blocked|banned|listed)",
    r"(?:poor|bad|low) (?:\w{1,20} )?reputation",
    r"(?:identified|classified|considered|detected|rejected|blocked|refused)(?: \w{1,20}){0,3}"
    r" (?:spam|junk)\b",
    r"(?:is|was|as|be|like|contains?) (?:\w{1,20} )?(?:spam|junk)\b",
    r"spam (?:message|mail|content|score|detected|rejected)\b", r"user complaints", r"\(BL\)",
)  # fmt: skip
"""Clear words that the sender's server or address stands on a list, or that the mail counts as spam."""

SENDER = _any(
    r"sender (?:address |domain |e-?mail )?(?:\S{1,100} )?(?:verif\w{1,10} failed|verify failed|rejected"
    r"|invalid|unknown|denied|not (?:found|exist|verified)|does(?: not|n't) (?:exist|resolve))",
    r"(?:invalid|unknown|bad|unverified) (?:envelope )?sender",
    r"(?:verify|resolve) (?:the )?(?:sender|from)\b", r"callback .{0,20}fail",
    r"(?:client host|helo command) rejected", r"find your (?:reverse )?host",
    r"\b(?:spf|dkim|dmarc)\b.{0,60}(?:fail|reject|polic|pass|align)",
    r"(?:pass|fail\w{0,3}) (?:\w{1,20} )?(?:spf|dkim|dmarc)\b", r"envelope sender (?:is in|has been)\b",
    r"sender domain must\b",
    r"\b(?:ptr|rdns|reverse dns)\b.{0,30}(?:record|entry|lookup|missing|required)", r"ip name lookup failed",
)  # fmt: skip
"""Clear words about the sender's address or server, which say nothing about the recipient's."""

CLOSED = _any(
    r"(?:account|(?:mail|in)box|user|recipient)(?:\(s\))?(?: account| address| mailbox)?(?: that you tried to"
    r" (?:reach|contact))?(?: is| has been| was)?(?: temporarily| currently)?"
    r" (?:disabled|suspended|limited|locked|frozen|inactive|deactivated)\b", r"\b(?:due to|for) inactivity\b",
)  # fmt: skip
"""Clear words that an address exists, but its mailbox takes nothing."""

MANY = _any(r"too many (?:recipients|rcpts?|addresses)", r"recipients? (?:limit|count) exceeded",
    r"exceed\w* .{0,40}number of recipients", r"maximum number of recipients",
)  # fmt: skip

RATE = _any(
    r"rate ?-?limit", r"throttl",
    r"too many (?:smtp )?(?:e-?mails|messages|connections|concurrent|sessions)(?! (?:on|in) )",
    r"connections? limit|maximum number of connections", r"too much (?:e-?)?mail",
    r"(?:sending|messages?|mails?|connections?) too (?:fast|quickly|often|frequently)",
    r"exceed\w* .{0,40}(?:hourly|daily|sending|per (?:hour|day|minute))",
    r"(?:hourly|daily|sending) (?:\w{1,20} )?(?:limit|quota)\b",
    r"receiv\w{2,3} mail (?:at a rate|too quickly)", r"frequency limited",
)  # fmt: skip
"""Clear words that the recipient's server takes no more for a while."""

CLEARLY_FULL = _any(
    r"(?:mail|in)?box (?:is |was )?full", r"mailbox full", r"full mailbox", r"over ?-?quota",
    r"quota (?:is |was |has been |limit )?(?:exceeded|full|reached)",
    r"exceed\w* .{0,30}(?:mailbox|storage|disk) quota", r"out of storage", r"postfach.{0,30}voll",
    r"mailbox .{0,40}exceed\w* .{0,20}(?:storage|size|limit)", r"\baccount (?:is )?full\b",
)  # fmt: skip

NO_DOMAIN = _any(
    r"domain\b.{0,80}(?:not (?:be )?(?:reachable|found|reached)|does(?: not|n'?t) exist|unreachable"
    r"|unresolvable)",
    r"host or domain name not found", r"no such domain", r"unrout\w+ (?:mail )?domain",
    r"(?:host|domain) unknown", r"mx records? .{0,30}non-?existent", r"host address lookups? failed",
    r"mx or srv record indicated no smtp", r"\bnull ?mx\b", r"domain may not exist",
    r"(?:host|domain) does(?: not|n't) accept (?:any )?e?-?mail", r"no smtp service", r"\bnxdomain\b",
    r"name or service not known", r"(?:find any|illegal|no such) host\b",
)  # fmt: skip
"""Clear words about the domain of an address, which says nothing about the person."""

DIRECTORY = re.compile(r"5\.4\.1 .{0,300}recipient address(?:es)? rejected ?: access denied", re.IGNORECASE)
"""How Microsoft 365 refuses an address that it doesn't know, with a status about the way there."""

UNKNOWN = _any(r"user unknown", r"unknown user", r"no such user")
"""The address doesn't exist, although the status says that it is disabled or that the mail is refused."""

FULL = _any(
    r"quota", r"(?:mail|in)?box (?:is |was )?(?:full|has exceeded|exceeds|size limit)", r"mailbox full",
    r"disk full", r"full mailbox",
    r"exceed\w* (?:his|her|their|the|its|storage|mailbox|allocated|disk).{0,30}(?:limit|quota"
    r"|storage|space|size)",
    r"out of (?:disk )?(?:space|storage)", r"insufficient (?:system )?(?:storage|space|disk)",
    r"not enough (?:storage |disk )?space", r"too many messages (?:on|in)", r"space (?:is )?not enough",
    r"folder is full", r"no (?:more )?space left", r"storage (?:limit|space)", r"postfach.{0,30}voll",
    r"überfüllt", r"boîte.{0,30}pleine", r"buzón.{0,30}lleno", r"casella.{0,30}piena", r"caixa.{0,30}cheia",
    r"postvak.{0,30}vol\b", r"skrzynk.{0,30}(?:pełna|przepełn)", r"переполнен", r"容量超过|已满|已滿",
    r"いっぱい", r"용량.{0,5}초과",
)  # fmt: skip

SIZE = _any(
    r"(?:message|mail|e-?mail|it)(?: is| was| file)? too (?:big|large|long)",
    r"too (?:big|large) (?:message|mail|for)",
    r"(?:message|mail|maximum) .{0,40}(?:exceed|larger).{0,40}(?:size|maximum|limit)",
    r"exceed\w* .{0,30}(?:maximum|max|fixed|allowed).{0,20}size", r"size (?:limit|exceed)",
    r"message length exceeds", r"(?:max|maximum) (?:message )?size", r"zu groß",
    r"trop (?:grand|volumineux)", r"demasiado grande", r"troppo grande", r"muito grande", r"te groot",
    r"za duż", r"слишком (?:больш|велик)",
)  # fmt: skip

FROM = _any(
    r"after MAIL FROM:\S{0,300}(?: SIZE=\d{1,12})?:\s{1,20}5\d\d",
    r"said: 5\d\d[^()]{0,300}\(in reply to MAIL FROM command\)",
)
"""How Exim and Postfix say that a server refused the sender, before it knew the recipient."""

GREY = _any(r"gr[ea]y ?-?list")
"""Clear words that a server takes the mail of unknown servers at the second attempt."""

BROKEN = _any(r"temporary lookup failure", r"(?:internal|mailer) (?:system |server |mail )?error")
"""Words about the server, behind others that sound like a refusal of the address."""

ADDRESS = _any(
    r"(?:user|recipient|address\w*|mailbox|account|addressee|userid|username|member)(?: name|"
    r" address| is| was| account)?\s*[:.-]?\s*(?:\S{1,100} )?(?:\(?s?\)? )?(?:is |was |has been"
    r" )?(?:not (?:found|known|listed|exist|valid|recogni[sz]ed|active|here|available)|unknown"
    r"|un-?available|invalid|disabled|inactive|does ?n[o']t exist|doesn't have|suspended"
    r"|discontinued|deactivated|closed|expired|undeliverable|rejected(?!\s?:)|no longer|do(?:es)? not exist)",
    r"no (?:such|valid)\s+(?:\w{1,20} )?(?:user|address\w*|recipient|mailbox|person|account|local"
    r"|name|alias)",
    r"(?:unknown|invalid|bad|illegal|undeliverable|unrouteable|incorrect|inactive|nonexistent|non-existent"
    r"|undefined|disabled|unrecognized)(?: (?:or|local|final|email|mail|or \w{1,20}|destination"
    r"|delivery|recipient))* (?:user|address\w*|recipient|mailbox|account|mail ?box|userid|alias)",
    r"(?:does|do|did)(?: not|n't) (?:exist|have (?:an?|any|such)|like recipient|match)",
    r"not (?:a|our|listed as a) (?:known|valid|customer|user|local)", r"not listed in", r"no mailbox",
    r"no (?:mail|e-?mail) ?(?:box|account)", r"has not been collected", r"final email delivery point",
    r"address (?:error|rejected(?!\s?:)|failed)", r"recipient (?:rejected(?!\s?:)|refused|unknown)",
    r"no account",
    r"no matches to", r"undeliverable to", r"can(?:not|'t) find", r"not found in", r"isn't (?:a|in) ",
    r"this (?:account|user|address) (?:has|is) ",
    r"(?:no longer|not) (?:at this|with this|works|in use|on this|here|accept(?!ing (?:connections|network))"
    r"|valid|active|available)",
    r"may have moved", r"account (?:has been|is) ", r"user (?:has )?(?:left|moved)",
    r"verify the (?:email )?address", r"550 (?:5\.1\.1|user|unknown|no)", r"unknown to",
    r"relay.{0,20}denied.{0,20}user", r"existiert nicht", r"unbekannt",
    r"nicht (?:bekannt|vorhanden|gefunden)", r"inconnu", r"n['’]existe pas", r"introuvable", r"no existe",
    r"desconocid", r"no (?:se )?encontr", r"inesistente", r"non esiste", r"sconosciut", r"não existe",
    r"inexistente", r"desconhecid", r"bestaat niet", r"onbekend", r"nie istnieje", r"nieznan",
    r"не (?:существует|найден)", r"неизвест", r"finns inte", r"findes ikke", r"neexistuje", r"mevcut değil",
    r"bulunamadı", r"存在しません|見つかりません|宛先不明", r"不存在|没有该用户|查無此人",
    r"존재하지 않|없는 (?:메일|사용자)",
)  # fmt: skip

ROUTE = _any(
    r"(?:host|domain|server|name|dns|mx)\b.{0,30}(?:unknown|not found|not (?:be )?(?:reached"
    r"|resolve|exist)|lookup fail|does not|could not be|unreachable|invalid|no answer)",
    r"unknown (?:host|domain|mail server)",
    r"no (?:route|such (?:host|domain)|mx|mail exchanger|answer from)", r"unrout",
    r"(?:timed?.?out|time.?out)", r"connection (?:refused|reset|closed|lost|failed|dropped|was|error)",
    r"unable to (?:connect|contact|route|resolve|relay|establish)",
    r"(?:could|can)(?:not| not|n't) (?:connect|establish|resolve|be reached|contact|open|reach)",
    r"(?:retry|queue|delivery)\b.{0,20}(?:expired|too long|exceeded)", r"been in the queue",
    r"(?:too many|loop|max\w*).{0,10}(?:hops?|hop count|loop)",
    r"mail loop|loop detected|loops? back|routing loop|forwarding loop", r"no route|network is",
    r"able to establish", r"is looping\b", r"hosts? (?:for \S{1,100} )?(?:have|has) been failing",
    r"delivery (?:failed )?\d+ attempts|(?:maximum|failed) delivery attempts|failed \d+ attempts",
    r"retry time|retries|retry limit|gave up|giving up|given up|expired", r"not responding",
    r"temporarily (?:unavailable|deferred)", r"nicht erreichbar", r"injoignable", r"no responde",
    r"irraggiungibile",
)  # fmt: skip

REFUSED = _any(
    r"spam", r"block", r"black ?list", r"deny|denied", r"not permitted|not allowed", r"polic(?:y|ies)",
    r"prohibit", r"reputation", r"\b(?:spf|dkim|dmarc|rbl|dnsbl|ptr)\b", r"reverse dns",
    r"virus|malware|infected", r"not (?:accept|authori[sz]ed)", r"unsolicited", r"unauthori[sz]ed",
    r"authenticat", r"relay", r"reject", r"refus", r"content", r"restricted", r"banned", r"junk", r"filter",
    r"permission", r"forbidden", r"abgelehnt", r"verweigert", r"refusé|rejeté", r"rechazad", r"rifiutat",
    r"rejeitad", r"geweigerd", r"odrzucon", r"отклонен", r"拒绝|拒絕|拒否|거부", r"transaction failed",
    r"protocol violation",
)  # fmt: skip

RETURNED = re.compile(
    r"(?im)^[ \t>*=-]{0,40}(?:"
    r"(?:below|this|above|here|following|included|attached)\b.{0,30} (?:is|are) (?:a |the |an )?"
    r"(?:copy|beginning|header|original)"
    r"|(?:a )?copy of (?:the|your) (?:original )?(?:message|mail)"
    r"|(?:start of |the |here is )?(?:original|returned|unsent|undelivered|old|included|failed)"
    r" (?:message|mail)\b(?: (?:follows?|below|headers?|text|body|attached|details?)\b.{0,20})?"
    r"[ \t:.*=-]{0,40}$"
    r"|(?:message|mail) (?:headers?|text|body) (?:follows?|suppressed)"
    r"|headers of the (?:original|message)|return-path: ?<|received: from "
    r"|content-type:[ \t]{0,5}message/rfc822|-{10}[ \t]{0,5}\r?\n(?=[\w-]{1,40}: ))",
)
"""Line in a report after which the returned mail begins."""

_READ = """
Read|Gelesen|Lu|Lue|Leído|Leido|Letto|Letta|Lida|Lido|Gelezen|Läst|Læst|Lest|Luettu|Przeczytano|Přečteno
Prečítané|Прочитано|Прочетено|Okundu|Elolvasva|Olvasott|Citit|Διαβάστηκε|Αναγνώστηκε|Pročitano|Prebrano
Loetud|Lasīts|Skaityta|已读|已讀|既読|開封済み|읽음|נקרא|تمت القراءة|تمت قراءته|อ่าน|Đã đọc|Dibaca"""
_NOT_READ = """
Not read|Ungelesen|Nicht gelesen|Non lu|Non lue|Sin leer|No leído|Non letto|Não lida|Não lido|Niet gelezen
Ongelezen|Oläst|Ej läst|Ikke læst|Ulæst|Ulest|Ikke lest|Ei luettu|Lukematta|Nie przeczytano|Nepřečteno
Neprečítané|Не прочитано|Okunmadı|Olvasatlan|Necitit|Δεν διαβάστηκε|未读|未讀|未開封|읽지 않음|לא נקרא"""


def _subjects(words: str) -> re.Pattern[str]:
    known = sorted(
        (re.escape(word.strip()) for line in words.split("\n") for word in line.split("|")), key=len
    )
    return re.compile(rf"\s*(?:{'|'.join(reversed(known))})\s?[:：]", re.IGNORECASE)


_READ_SUBJECT, _NOT_READ_SUBJECT = _subjects(_READ), _subjects(_NOT_READ)


def receipt(subject: str) -> ReportKind | None:
    """Return the kind of receipt that Outlook and Exchange name in front of the subject."""
    if _NOT_READ_SUBJECT.match(subject):
        return ReportKind.DELETED
    return ReportKind.READ if _READ_SUBJECT.match(subject) else None
