"""What a pottery knows, and how customers ask for it in three languages."""

from __future__ import annotations

ENTRIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "shipping": (
        "Shipping to other countries",
        "We ship to all countries of the European Union, to Norway, Switzerland and the United Kingdom. A"
        " parcel takes 4 to 6 days and costs 14 €. From 120 € on it is free.",
        ("Do you ship to Norway?", "Versendet ihr nach Österreich?", "¿Hacen envíos a España?"),
    ),
    "returns": (
        "Returns",
        "What was bought online can be sent back within 30 days. Pieces made to order cannot.",
        ("Can I send it back?", "Kann ich etwas zurückgeben?", "¿Puedo devolver un pedido?"),
    ),
    "broken": (
        "Something arrived broken",
        "Send a photo of the piece and of the box within a week. A new one is on its way the next day.",
        ("My mug came broken", "Die Tasse ist kaputt angekommen", "Mi taza llegó rota"),
    ),
    "oven": (
        "Oven and dishwasher",
        "Everything with a glaze may go into the dishwasher and the oven up to 220 °C. The raw black clay may"
        " not.",
        ("Is it dishwasher safe?", "Ist das spülmaschinenfest?", "¿Es apto para lavavajillas?"),
    ),
    "workshop": (
        "Workshops at the wheel",
        "A class at the wheel is on Thursday from 18 to 21 and costs 65 € with clay and firing.",
        ("When is the next class?", "Wann ist der nächste Kurs?", "¿Cuándo es el próximo taller?"),
    ),
    "hours": (
        "When the shop is open",
        "Tuesday to Friday 10 to 18, on Saturday 10 to 14. On Sunday and Monday the shop is closed.",
        ("Are you open on Saturday?", "Habt ihr am Samstag geöffnet?", "¿Abren los sábados?"),
    ),
    "parking": (
        "Parking and the way here",
        "There are three places in the yard behind the house. The tram 4 stops at Mill Street.",
        ("Where can I park?", "Gibt es Parkplätze?", "¿Dónde puedo aparcar?"),
    ),
    "order": (
        "Made to order",
        "A set in your colours takes eight weeks. We ask for half of the price at the start.",
        (
            "How long does a custom set take?",
            "Wie lange dauert eine Anfertigung?",
            "¿Hacen vajillas a medida?",
        ),
    ),
    "firing": (
        "Firing the pieces of others",
        "We fire what you made for 4 € a kilogram, stoneware at 1,240 °C. Bring it on a Monday.",
        ("Do you fire other people's pots?", "Brennt ihr auch fremde Stücke?", "¿Puedo hornear mis piezas?"),
    ),
    "voucher": (
        "Vouchers",
        "A voucher can be had for any sum from 20 € on, on paper or by mail, and is valid for three years.",
        ("Do you sell gift cards?", "Gibt es Gutscheine?", "¿Tienen tarjetas de regalo?"),
    ),
    "payment": (
        "How to pay",
        "By card, PayPal or bank transfer; in the shop with cash, too.",
        ("Do you take PayPal?", "Kann ich auf Rechnung zahlen?", "¿Aceptan tarjeta?"),
    ),
    "wholesale": (
        "Wholesale for shops and cafés",
        "From 30 pieces on there is a discount of 35 %. Ask for the list of prices.",
        ("Do you sell to restaurants?", "Habt ihr Preise für Wiederverkäufer?", "¿Venden al por mayor?"),
    ),
    "where": (
        "Where is my order",
        "You get a number by mail on the day we hand the parcel over. With it you can follow the parcel.",
        ("Where is my parcel?", "Wo ist meine Bestellung?", "¿Dónde está mi pedido?"),
    ),
    "glaze": (
        "What is in the glazes",
        "All glazes are free of lead and cadmium and tested for food.",
        ("Is there lead in the glaze?", "Sind die Glasuren bleifrei?", "¿El esmalte lleva plomo?"),
    ),
    "jobs": (
        "Working with us",
        "We take one apprentice each September. Write a letter and add photos of your work.",
        ("Are you hiring?", "Sucht ihr Mitarbeiter?", "¿Tienen trabajo?"),
    ),
}
"""By key: title, text, example questions."""

ASKED: tuple[tuple[str, str], ...] = (
    ("hi! do you deliver to switzerland?", "shipping"),
    ("how much is shipping to the uk", "shipping"),
    ("Was kostet der Versand nach Österreich?", "shipping"),
    ("¿cuánto cuesta el envío a España?", "shipping"),
    ("I want to return the bowl I bought last week", "returns"),
    ("Kann ich die Schale zurückgeben, sie passt nicht", "returns"),
    ("the plate was broken when I opened the box", "broken"),
    ("Meine Tasse kam leider kaputt an", "broken"),
    ("la taza ha llegado rota", "broken"),
    ("can the mugs go in the dishwasher?", "oven"),
    ("Sind die Teller spülmaschinenfest?", "oven"),
    ("when does the next wheel class start?", "workshop"),
    ("Wann findet der nächste Töpferkurs statt?", "workshop"),
    ("cuándo hay otro taller de torno?", "workshop"),
    ("are you open this sunday", "hours"),
    ("Habt ihr montags geöffnet?", "hours"),
    ("is there parking at the studio", "parking"),
    ("dónde se puede aparcar cerca de la tienda", "parking"),
    ("how long would a custom set of 6 bowls take", "order"),
    ("Wie lange dauert ein Set nach Wunsch?", "order"),
    ("could you fire my own pots in your kiln?", "firing"),
    ("Könnt ihr meine Stücke brennen?", "firing"),
    ("do you have gift cards for a friend", "voucher"),
    ("Ich suche einen Gutschein für meine Mutter", "voucher"),
    ("can I pay with paypal please", "payment"),
    ("¿puedo pagar con tarjeta?", "payment"),
    ("we run a café, is there a wholesale price?", "wholesale"),
    ("where is my order, it has been a week", "where"),
    ("Ist da Blei in der Glasur?", "glaze"),
    ("¿están contratando? busco trabajo", "jobs"),
)
"""Questions, none of them word by word one of the examples, with the entry that answers it."""

NO_ANSWER = (
    "do you sell candles",
    "Thank you so much!",
    "who won the match yesterday",
    "Habt ihr Lampen?",
    "¿qué hora es en Tokio?",
    "👍",
    "my cat loves you",
    "can you paint my car",
    "Wie heißt du?",
    "hello",
)
