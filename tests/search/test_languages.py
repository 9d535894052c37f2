"""Two hundred queries in twelve scripts and more find what says it, on every database."""

from __future__ import annotations

import unicodedata

import pytest
import regex

from host.core import db
from tests.inbox import toys
from tests.search.desk import find, read_record

SAID = {
    "Latin": [
        "Wo ist mein Schlüssel für die Straße?",
        "Crème brûlée, déjà vu, café",
        "İstanbul'dan sipariş",
        "Zażółć gęślą jaźń",
    ],
    "Cyrillic": ["Где мой заказ, Ёлкин?", "Доставка завтра утром", "Спасибо за чашку", "Київ чекає на пошту"],
    "Greek": ["Πού είναι η παραγγελία μου;", "Ευχαριστώ πολύ, ΟΔΟΣ", "Καλημέρα σας", "Θέλω ένα φλιτζάνι"],
    "Arabic": ["مَرْحَبًا أين طلبي ٣٤٥", "شكرا جزيلا لكم", "أحمد يريد كوبا", "التوصيل غدا"],
    "Hebrew": ["שָׁלוֹם איפה ההזמנה שלי", "תודה רבה לכם", "אני רוצה ספל כחול", "משלוח מחר"],
    "Devanagari": ["मेरा ऑर्डर कहाँ है", "धन्यवाद बहुत अच्छा", "किताब और कप चाहिए", "कल आएगा"],
    "Bengali": ["আমার অর্ডার কোথায়", "অনেক ধন্যবাদ আপনাকে", "একটি কাপ চাই", "আগামীকাল আসবে"],
    "Thai": ["สินค้าของฉันอยู่ที่ไหน", "ขอบคุณมากครับ", "อยากได้แก้วสีฟ้า", "ส่งพรุ่งนี้"],
    "Han": ["我的订单在哪里", "谢谢你们的杯子", "蓝色的茶杯很漂亮", "明天发货吗"],
    "Japanese": ["注文はどこですか", "ガラスのコップをください", "ありがとうございます", "ｶﾞﾗｽの皿"],
    "Korean": ["주문을 확인해 주세요", "감사합니다 사장님", "파란 컵이 좋아요", "내일 배송되나요"],
    "Georgian": ["სად არის ჩემი შეკვეთა", "დიდი მადლობა", "მინდა ლურჯი ფინჯანი", "ხვალ მოვა"],
    "Armenian": ["Որտեղ է իմ պատվերը", "Շատ շնորհակալություն", "Ուզում եմ կապույտ գավաթ", "Վաղը կգա"],
    "others": [
        "Order AB-1234/5 for @maria.design #summer",
        "invoice_2026-001.pdf 😍",
        "don't e-mail anna@example.com",
        "ＡＢＣ１２３ 🇩🇪",
    ],
}
"""What customers write."""


def queries() -> list[str]:
    """Return what is looked for: words, phrases, beginnings, parts of texts without spaces, other forms."""
    asked: list[str] = []
    for said in SAID.values():
        for text in said:
            parts = text.split()
            asked += [parts[0], parts[-1].strip("?;,"), text.upper()]
            asked.append(unicodedata.normalize("NFD", parts[0]))
            if len(parts) == 1:
                asked.append("".join(regex.findall(r"\X", text)[2:5]))
            else:
                asked.append(f'"{parts[0]} {parts[1]}"')
    return list(dict.fromkeys(asked))


def expected(asked: str) -> list[str]:
    """Return the texts that one made *asked* of, the newest first, where they can be told apart at all."""
    return [text for said in SAID.values() for text in said if asked in text or asked in text.upper()][::-1]


@pytest.mark.slow
def test_every_query_finds_what_says_it_and_the_same_everywhere(any_database: db.Database) -> None:
    workspace = toys.make_workspace()
    account = toys.make_account(workspace)
    texts = [text for said in SAID.values() for text in said]
    toys.apply(account, *(toys.received(text, at=n, contact=f"c{n}") for n, text in enumerate(texts)))
    read_record()
    asked = queries()
    assert len(asked) >= 200
    found = {one: tuple(hit.texts[0] for hit in find(workspace, one).hits) for one in asked}
    missed = {one: said for one, said in found.items() if not set(expected(one.strip('"'))) <= set(said)}
    assert not missed
    assert not [one for one, said in found.items() if not said]
    REMEMBERED.setdefault("found", found)
    assert found == REMEMBERED["found"], "databases differ"


REMEMBERED: dict[str, dict[str, tuple[str, ...]]] = {}
"""What the first database found, for the others to equal."""
