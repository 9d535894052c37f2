"""Phrases with which mail programs introduce quotes and forwards, in the languages of Gmail, Outlook, Apple
Mail, Thunderbird, Yahoo, Yandex, QQ and NetEase, collected from their formats.
"""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """The phrases of one language, separated by ``|``.

    :param wrote: the word for *wrote* in the line above a quote.
    :param starts: beginnings of that line; empty: it begins with a name, a day or a date.
    :param original: the line above a quoted mail, without its dashes.
    :param forwarded: the line above a forwarded mail.
    :param passed_on: prefixes of a forward's subject.
    :param from_: this and the other fields: header names of the mail below such a line.
    """

    wrote: str
    starts: str
    original: str
    forwarded: str
    passed_on: str
    from_: str
    date: str
    to: str
    subject: str


LANGUAGES = {
    "en": Language(
        "wrote|writes", "on|at", "original|original message|original appointment|reply message|original email",
        "forwarded message|forwarded mail|forwarded by|begin forwarded message|message forwarded|forwarded email",
        "fw|fwd", "from", "sent|date|sent at|sent on", "to|cc|bcc|reply-to", "subject",
    ),
    "de": Language(
        "schrieb|hat geschrieben|schreibt|geschrieben", "am|an",
        "ursprüngliche nachricht|originalnachricht|original-nachricht|originale nachricht|ursprüngliche mail",
        "weitergeleitete nachricht|anfang der weitergeleiteten nachricht|weitergeleitete e-mail"
        "|forwarded message|weitergeleitet von",
        "wg|fwd", "von|absender", "gesendet|datum|gesendet am", "an|cc|kopie|bcc", "betreff",
    ),
    "fr": Language(
        "a écrit|a ecrit|écrit", "le", "message d'origine|message d’origine|message original|mail original",
        "message transféré|message transmis|début du message réexpédié|début du message transféré"
        "|courriel transféré|e-mail transféré|mail transféré|transféré par",
        "tr|fwd", "de|expéditeur", "envoyé|date|envoyé le|message du", "à|a|destinataire|cc|cci|copie à", "objet|sujet",
    ),
    "es": Language(
        "escribió|escribio|escribía|ha escrito", "el", "mensaje original|correo original",
        "mensaje reenviado|inicio del mensaje reenviado|correo reenviado|forwarded message|reenviado por",
        "rv|fwd|reenv", "de|desde", "enviado|fecha|enviado el|enviado a las", "para|a|cc|cco", "asunto",
    ),
    "pt": Language(
        "escreveu|escreve|escreveu o seguinte", "em|a|no|na|dia",
        "mensagem original|mensagem de origem|email original",
        "mensagem encaminhada|mensagem reencaminhada|início da mensagem encaminhada|início da mensagem"
        " reencaminhada|e-mail encaminhado|encaminhado por",
        "enc|res enc|fwd", "de", "enviado|data|enviada|enviada em|enviado em|enviado a", "para|cc|cco", "assunto",
    ),
    "it": Language(
        "ha scritto|scrive|scritto", "il|in data|il giorno", "messaggio originale|messaggio di origine",
        "messaggio inoltrato|inizio messaggio inoltrato|inizio del messaggio inoltrato|inoltrato da",
        "i|fwd|inoltro", "da", "inviato|data|inviato il|data invio", "a|per|cc|ccn", "oggetto",
    ),
    "nl": Language(
        "schreef|geschreven|heeft geschreven", "op|am", "oorspronkelijk bericht|origineel bericht"
        "|oorspronkelijke bericht", "doorgestuurd bericht|begin doorgestuurd bericht|doorgestuurd door"
        "|begin van doorgestuurd bericht",
        "fw|fwd|doorst", "van", "verzonden|datum|verstuurd|verzonden op", "aan|cc|bcc", "onderwerp|betreft",
    ),
    "pl": Language(
        "napisał|napisała|napisana|napisał(a)|napisał/a|pisze|napisał(-a)", "w dniu|dnia|dnia:|wiadomość", "oryginalna wiadomość"
        "|wiadomość oryginalna|wiadomość pierwotna", "wiadomość przekazana dalej|przekazana wiadomość|przesłana"
        " dalej wiadomość|początek przekazywanej wiadomości|wiadomość przekazana|treść przekazanej wiadomości",
        "pd|fwd|pdw", "od|nadawca", "wysłano|data|wysłane", "do|dw|udw|adresat", "temat",
    ),
    "ru": Language(
        "написал|написала|написал(а)|пишет|писал|писал(а)|написал(-а)", "", "исходное сообщение|исходное письмо"
        "|оригинальное сообщение", "пересылаемое сообщение|пересланное сообщение|начало переадресованного сообщения"
        "|пересылаемое письмо|перенаправленное сообщение|конец пересылаемого сообщения",
        "fwd|пересл|на", "от|от кого", "отправлено|дата|отправлен", "кому|копия", "тема",
    ),
    "uk": Language(
        "пише|написав|написала|написав(-ла)|написав(ла)", "", "оригінальне повідомлення|вихідне повідомлення",
        "переслане повідомлення|початок листа, що пересилається|переадресоване повідомлення", "fwd|пер",
        "від|від кого", "надіслано|дата", "кому|копія", "тема",
    ),
    "tr": Language(
        "yazdı|şunu yazdı|şunları yazdı|yazmış", "", "orijinal ileti|özgün ileti|orijinal mesaj|asıl ileti"
        "|orjinal mesaj", "yönlendirilen ileti|iletilmiş mesaj|iletilen mesaj|iletilen ileti|yönlendirilmiş ileti"
        "|iletilmiş ileti başlangıcı|i̇letilmiş mesaj|i̇letilen mesaj",
        "ilt|fwd|yönl", "kimden|gönderen", "gönderildi|tarih|gönderme tarihi|gönderim tarihi", "kime|alıcı|bilgi",
        "konu",
    ),
    "sv": Language(
        "skrev|har skrivit", "den|vid", "ursprungligt meddelande|originalmeddelande|ursprungsmeddelande",
        "vidarebefordrat meddelande|vidarebefordrat brev|vidarebefordrat mejl|vidarebefordrat mail|påbörjat"
        " vidarebefordrat brev", "vb|fwd", "från", "skickat|datum|skickades|skickad", "till|kopia", "ämne",
    ),
    "da": Language(
        "skrev|har skrevet", "den|d.", "oprindelig meddelelse|original meddelelse|oprindelig besked",
        "videresendt meddelelse|start på videresendt besked|videresendt besked|videresendt mail"
        "|start på videresendt meddelelse", "vs|fwd", "fra", "sendt|dato", "til|cc", "emne",
    ),
    "no": Language(
        "skrev|har skrevet", "den|på", "opprinnelig melding|original melding|opprinnelig e-post",
        "videresendt melding|videresendt e-post|start på videresendt melding|videresendt epost", "vs|fwd|vb", "fra",
        "sendt|dato", "til|kopi", "emne",
    ),
    "fi": Language(
        "kirjoitti|kirjoittaa", "", "alkuperäinen viesti|alkuperäinen sähköposti",
        "välitetty viesti|edelleenlähetetty viesti|edelleen lähetetty viesti|välitetty viesti alkaa"
        "|välitetyn viestin alku", "vl|fwd", "lähettäjä", "lähetetty|päivämäärä|päiväys",
        "vastaanottaja|kopio|saaja", "aihe",
    ),
    "cs": Language(
        "napsal|napsala|napsal(a)|napsal/a", "dne|od", "původní zpráva|původní e-mail|originální zpráva",
        "přeposlaná zpráva|přeposílaná zpráva|začátek přeposílané zprávy|přesměrovaná zpráva", "fwd|předat|př",
        "od|odesílatel", "odesláno|datum|odeslané", "komu|kopie|příjemce", "předmět",
    ),
    "sk": Language(
        "napísal|napísala|napísal(a)|píše", "dňa", "pôvodná správa|pôvodný e-mail", "preposlaná správa|začiatok"
        " preposlanej správy", "fwd|pr", "od", "odoslané|dátum|poslané", "komu|kópia|pre", "predmet",
    ),
    "hu": Language(
        "írta|ezt írta|a következőt írta", "", "eredeti üzenet|eredeti levél",
        "továbbított üzenet|továbbított levél|továbbított üzenet kezdete", "fwd|tov", "feladó|küldő",
        "elküldve|dátum|küldve|küldés ideje", "címzett|másolat|címzettek", "tárgy",
    ),
    "ro": Language(
        "a scris|scris", "în|pe|la", "mesaj original|mesajul original", "mesaj redirecționat|mesaj redirectionat"
        "|mesaj transmis|început mesaj redirecționat|forwarded message", "fwd|redir", "de la|de|expeditor",
        "trimis|data|dată", "către|catre|la|cc", "subiect",
    ),
    "el": Language(
        "έγραψε|έγραψαν", "στις|την|το", "αρχικό μήνυμα|αρχικο μηνυμα", "προωθημένο μήνυμα|μήνυμα που προωθήθηκε"
        "|προωθημένο μήνυμα ηλεκτρονικού ταχυδρομείου|αρχή προωθημένου μηνύματος", "πρθ|fwd|προώθ", "από", "στάλθηκε"
        "|ημερομηνία|απεσταλμένα", "προς|κοιν", "θέμα",
    ),
    "ja": Language(
        "wrote|のメール|のメッセージ|さんは書きました|が書きました|さんが書きました|は書きました|さんからのメール", "", "元のメッセージ|オリジナル メッセージ"
        "|original message|元のメール", "転送されたメッセージ|転送メッセージ|転送されたメール|forwarded message|転送", "fw|fwd|転送",
        "差出人|送信者|発信者|from", "送信日時|日時|送信日|日付|date", "宛先|cc|to", "件名|subject",
    ),
    "zh": Language(
        "写道|寫道|写到|寫到|写了|撰寫|來信", "在|於|于", "原始邮件|原始郵件|原邮件|原始訊息|原始信息|邮件原件|原始信件",
        "转发的邮件|转发邮件信息|转发邮件|轉寄郵件|轉寄的郵件|转发的消息|轉寄訊息|开始转发的邮件|开始转发邮件|以下是转发的邮件|轉寄的訊息|forwarded message"
        "|转发邮件|已转发邮件", "fw|fwd|转发|轉寄|转寄", "发件人|寄件者|寄件人|发自|發件人|from",
        "发送时间|发送日期|日期|时间|時間|傳送時間|寄件日期|发件时间|sent|date", "收件人|收件者|抄送|副本|to|cc", "主题|主旨|主題|标题|subject",
    ),
    "ko": Language(
        "작성|님이 작성|님이 씀|씀|썼습니다|님이 쓴 글", "", "원본 메시지|원본 메일|원본메시지|original message", "전달된 메시지|전달된 메일"
        "|전달한 메시지|전달 메시지|forwarded message", "fw|fwd|전달", "보낸 사람|보낸사람|보내는 사람|발신|from",
        "보낸 날짜|날짜|보낸날짜|보낸 시간|date|sent", "받는 사람|받는사람|참조|받은 사람|to|cc", "제목|subject",
    ),
    "ar": Language(
        "كتب|تمت كتابة ما يلي|كتبت|كتب ما يلي", "في|بتاريخ", "الرسالة الأصلية|رسالة أصلية", "رسالة معاد توجيهها|الرسالة"
        " المعاد توجيهها|الرسالة المُعاد توجيهها|رسالة مُعاد توجيهها", "fwd|تحويل", "من", "تم الإرسال|التاريخ|أرسلت|تاريخ", "إلى|نسخة|الى",
        "الموضوع",
    ),
    "he": Language(
        "כתב|כתבה|כתב/ה|מאת", "בתאריך|ב", "הודעה מקורית|הודעה מקורית", "הודעה שהועברה|הודעה מועברת|תחילת ההודעה"
        " שהועברה", "fwd|הועבר", "מאת|מ", "נשלח|תאריך", "אל|עותק", "נושא",
    ),
    "vi": Language(
        "đã viết|viết", "vào", "thư gốc|tin nhắn gốc", "thư được chuyển tiếp|tin nhắn đã chuyển tiếp|thư đã chuyển"
        " tiếp|thư chuyển tiếp", "fwd|chuyển tiếp", "từ|người gửi", "đã gửi|ngày|gửi|thời gian", "đến|tới|đồng gửi|người nhận",
        "chủ đề|tiêu đề",
    ),
    "id": Language(
        "menulis|wrote", "pada", "pesan asli|pesan orisinal", "pesan terusan|pesan yang diteruskan|pesan diteruskan",
        "fwd|trs", "dari", "terkirim|tanggal|dikirim", "kepada|untuk|ke", "perihal|subjek|subyek",
    ),
    "th": Language(
        "เขียนว่า|เขียน", "ในวันที่|เมื่อ|วันที่", "ข้อความต้นฉบับ", "ข้อความที่ส่งต่อ|ส่งต่อข้อความ", "fwd|ส่งต่อ", "จาก", "ส่ง|วันที่|ส่งเมื่อ", "ถึง|สำเนา",
        "เรื่อง|หัวเรื่อง",
    ),
    "ca": Language(
        "va escriure|ha escrit|del dia", "el|missatge de", "missatge original", "missatge reenviat|inici del"
        " missatge reenviat", "fwd|rv", "de", "enviat|data", "per a|a", "assumpte|tema",
    ),
    "hr": Language(
        "napisao je|napisala je|napisao/la je|je napisao|piše", "dana", "izvorna poruka|originalna poruka",
        "proslijeđena poruka|prosleđena poruka|početak proslijeđene poruke", "fwd|pr", "od|šalje", "poslano|datum|poslato",
        "za|prima|kome", "predmet|naslov",
    ),
    "bg": Language(
        "написа|пише", "на", "оригинално съобщение|първоначално съобщение", "препратено съобщение|начало на препратено"
        " съобщение", "fwd|прп", "от", "изпратено|дата", "до|копие", "относно|тема",
    ),
}  # fmt: skip
