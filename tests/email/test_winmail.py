"""A winmail.dat is opened: its files are files, its text is text; what cannot be opened stays as it came."""

from __future__ import annotations

import struct
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addons.email.lobby_mail.mail import parsing, rtf, tnef
from host.sdk.messages import AttachmentRole, InboundAttachment, MessageKind, MessageReceived
from tests.email.test_parsing import mail, raw, read
from tests.helpers import takes_at_most

SIGNATURE = b"\x78\x9f\x3e\x22\x01\x00"
WORDS = b"{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0\\fswiss Arial;}{\\f1\\fcharset204 Arial Cyr;}}\r\n"


def attribute(name: int, data: bytes, level: int = 1) -> bytes:
    return struct.pack("<BHHI", level, name, 6, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def properties(*given: bytes) -> bytes:
    return struct.pack("<I", len(given)) + b"".join(given)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def binary(id_: int, data: bytes, kind: int = 0x0102) -> bytes:
    return struct.pack("<HHII", kind, id_, 1, len(data)) + padded(data)


def words(id_: int, text: str) -> bytes:
    return binary(id_, (text + "\0").encode("utf-16-le"), 0x001F)


def number(id_: int, value: int) -> bytes:
    return struct.pack("<HHI", 0x0003, id_, value)


NAMED = struct.pack("<HH16sII", 0x001E, 0x8001, b"g" * 16, 1, 6) + b"a\0b\0\0\0\0\0\1\0\0\0\3\0\0\0xyz\0"
SEVERAL = struct.pack("<HHI6s2x", 0x1002, 0x0077, 3, b"\1\0\2\0\3\0")
SHORT = struct.pack("<HHH2x", 0x000B, 0x0E1B, 1)
STAMP = struct.pack("<HHQ", 0x0040, 0x3007, 1)


def file(name: str, content: bytes, *more: bytes) -> bytes:
    return (
        attribute(0x9002, b"\1\0" + b"\0" * 12, 2)
        + attribute(0x8010, b"SHORT~1.DAT\0", 2)
        + attribute(0x800F, content, 2)
        + attribute(0x9005, properties(words(0x3707, name), STAMP, *more), 2)
    )


def winmail(*parts: bytes) -> bytes:
    head = attribute(0x9006, b"\0\0\1\0") + attribute(0x9007, struct.pack("<II", 1251, 0))
    return SIGNATURE + head + attribute(0x8008, b"IPM.Microsoft Mail.Note\0") + b"".join(parts)


def body(*given: bytes) -> bytes:
    return attribute(0x9003, properties(NAMED, SEVERAL, SHORT, *given))


def compressed(text: bytes) -> bytes:
    """Compress as Outlook does: what stood within the last 4096 bytes is named by its place and length."""
    done, out, rest = bytearray(rtf._DICTIONARY), bytearray(), text
    ended = False
    while not ended:
        control, group = 0, bytearray()
        for bit in range(8):
            near = max(0, len(done) - 4000)
            fitting = (n for n in range(min(17, len(rest)), 1, -1) if done.find(rest[:n], near) >= 0)
            length = next(fitting, 0)
            if not rest:
                control |= 1 << bit
                group += struct.pack(">H", len(done) % 4096 << 4)
                ended = True
                break
            if length:
                place = done.find(rest[:length], near)
                control |= 1 << bit
                group += struct.pack(">H", place % 4096 << 4 | length - 2)
            else:
                group += rest[:1]
            done += rest[: length or 1]
            rest = rest[length or 1 :]
        out += bytes([control]) + group
    return struct.pack("<II4sI", len(out) + 12, len(text), b"LZFu", 0) + bytes(out)


def received(content: bytes, text: str = "See the files", name: str = "winmail.dat") -> MessageReceived:
    message = mail(text)
    message.add_attachment(content, maintype="application", subtype="ms-tnef", filename=name)
    return read(raw(message))


def sent_along(got: MessageReceived) -> list[InboundAttachment]:
    return [one for one in got.attachments if one.role is not AttachmentRole.FORMATTED]


def formatted(got: MessageReceived) -> str:
    return next(
        one.content or b"" for one in got.attachments if one.role is AttachmentRole.FORMATTED
    ).decode()


def test_files_inside_are_files_of_the_mail_and_the_packet_is_gone() -> None:
    packet = winmail(
        file("Angebot März.pdf", b"%PDF\0\0"),
        file("mug.png", b"\x89PNG", words(0x370E, "image/png"), words(0x3712, "<mug@x>")),
        file("../../etc/passwd", b"root"),
        file("drawing.svg", b"<svg/>"),
        file("empty.txt", b""),
    )
    got = received(packet)
    assert [(one.name, one.content_type, one.kind, one.content) for one in got.attachments] == [
        ("Angebot März.pdf", "application/pdf", MessageKind.FILE, b"%PDF\0\0"),
        ("mug.png", "image/png", MessageKind.IMAGE, b"\x89PNG"),
        ("passwd", "application/octet-stream", MessageKind.FILE, b"root"),
        ("drawing.svg", "image/svg+xml", MessageKind.FILE, b"<svg/>"),
        ("empty.txt", "text/plain", MessageKind.FILE, b""),
    ]
    assert got.text == "See the files"


def test_a_file_may_be_among_the_properties_and_have_a_short_name_alone() -> None:
    begun = attribute(0x9002, b"\0" * 14, 2)
    inside = begun + attribute(0x9005, properties(binary(0x3701, b"within\0"), words(0x3704, "PLAN.PDF")), 2)
    old = begun + attribute(0x8010, "ПЛАН.TXT\0".encode("cp1251"), 2) + attribute(0x800F, b"old", 2)
    got = received(winmail(inside, old))
    assert [(one.name, one.content) for one in got.attachments] == [
        ("PLAN.PDF", b"within\0"),
        ("ПЛАН.TXT", b"old"),
    ]


HTML = "<html><body><p>Grüße, <b>Mia</b> <img src='cid:mug@x'></p></body></html>"


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param([number(0x3FDE, 28591), binary(0x1013, HTML.encode("latin-1"))], id="bytes"),
        pytest.param([binary(0x1013, HTML.encode()), number(0x3FDE, 65001)], id="named after"),
        pytest.param([words(0x1013, HTML), number(0x3FDE, 1252)], id="a string"),
        pytest.param(
            [
                binary(
                    0x1009,
                    compressed(
                        b"{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0 Arial;}}"
                        b"{\\*\\htmltag18 <html><body>}{\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 "
                        b"Gr\\u252\\'fc\\'dfe, {\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 Mia\\htmlrtf }"
                        b"\\htmlrtf0{\\*\\htmltag92 </b>} {\\*\\mhtmltag84 <img src='elsewhere'>}"
                        b"{\\*\\htmltag84 <img src='cid:mug@x'>}\\htmlrtf }\\htmlrtf0{\\*\\htmltag72 </p>}"
                        b"{\\*\\htmltag27 </body></html>}}"
                    ),
                )
            ],
            id="wrapped into RTF",
        ),
    ],
)
def test_html_inside_is_the_formatted_form(packed: list[bytes]) -> None:
    picture = file("mug.png", b"\x89PNG", words(0x370E, "image/png"), words(0x3712, "mug@x"))
    packet = winmail(body(*packed), picture)
    silent = received(packet, text="")
    assert (silent.text, silent.kind) == ("Grüße, Mia", MessageKind.TEXT)
    assert [one.role for one in silent.attachments] == [AttachmentRole.INLINE, AttachmentRole.FORMATTED]
    said = received(packet, text="Grüße, Mia. As plain text.")
    assert said.text == "Grüße, Mia. As plain text."
    for got in (silent, said):
        assert formatted(got) == HTML
        assert got.content["html"] == {"rich": True, "remote": 0}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (b"One\\par Two\\line\\tab Three", "One\nTwo\n\tThree"),
        (b"Gr\\'fc\\'dfe \\{a\\\\b\\} \\u8364\\'80\\emdash\\~5", "Grüße {a\\b} €—\xa05"),
        (b"\\f1\\'cf\\'f0\\'e8\\'e2\\'e5\\'f2\\f0 \\'cf", "ПриветÏ"),
        (b"\\u-10179 ?\\u-8704 ? {\\uc2\\u252 xx}{\\uc0\\u228}!", "😀 üä!"),
        (b"{\\*\\unknown hidden}{\\stylesheet{\\s0 Normal;}}{\\pict\\bin4 }}}}abc}seen", "seen"),
        (
            b'{\\field{\\*\\fldinst{ HYPERLINK "https://shop.example/x" }}{\\fldrslt{\\ul our shop}}} now',
            "our shop (https://shop.example/x) now",
        ),
        (b'{\\field{\\*\\fldinst HYPERLINK "mailto:a@b.example"}{\\fldrslt a@b.example}}', "a@b.example"),
        (b'{\\field{\\*\\fldinst HYPERLINK "javascript:x()"}{\\fldrslt here}}', "here"),
        (b"{\\pntext 1.\\tab}first {\\b bold} {\\i and\\b0  not}", "1.\tfirst bold and not"),
        (b"<b>5 < 6</b>", "<b>5 < 6</b>"),
    ],
)
def test_rtf_becomes_words(source: bytes, text: str) -> None:
    whole = WORDS + source + b"}\0"
    assert rtf.read(whole) == (False, text)
    stored = struct.pack("<II4sI", len(whole) + 12, len(whole), b"MELA", 0) + whole
    for packed in (stored, compressed(whole)):
        got = received(winmail(body(binary(0x1009, packed))), text="")
        assert (got.text, got.attachments) == (text, ())


def test_double_bytes_of_which_the_second_looks_like_ascii_stay_together() -> None:
    source = b"{\\rtf1\\ansi\\ansicpg932{\\fonttbl{\\f0\\fcharset128 MS Gothic;}}\\f0 \\'83A\\'83\\'5c}"
    assert rtf.read(source) == (False, "アソ")


def test_a_long_text_is_unpacked_whole() -> None:
    text = b"".join(b"Line %d of the order, with mugs\\par\r\n" % n for n in range(2000))
    whole = WORDS + text + b"}"
    assert rtf.decompressed(compressed(whole), len(whole)) == whole


def test_what_a_packet_says_of_its_length_is_not_believed() -> None:
    with pytest.raises(rtf.RtfError, match="too long"):
        rtf.decompressed(GROWING, tnef.MAX_TEXT)


def test_the_oldest_form_has_its_text_in_the_codepage_of_its_writer() -> None:
    got = received(winmail(attribute(0x800C, "Привет\0".encode("cp1251"))), text="")
    assert (got.text, got.attachments) == ("Привет", ())


def test_a_mail_that_is_one_packet_is_read() -> None:
    packet = winmail(body(words(0x1000, "Nothing else")), file("a.pdf", b"%PDF"))
    head = "From: Mia <mia@example.org>\r\nContent-Type: application/ms-tnef\r\n"
    import base64

    got = read(f"{head}Content-Transfer-Encoding: base64\r\n\r\n".encode() + base64.encodebytes(packet))
    assert got.text == "Nothing else"
    assert [(one.name, one.content) for one in got.attachments] == [("a.pdf", b"%PDF")]


def test_it_is_known_by_its_name_where_servers_changed_its_type() -> None:
    message = mail("See")
    message.add_attachment(
        winmail(file("a.pdf", b"%PDF")),
        maintype="application",
        subtype="octet-stream",
        filename="WINMAIL.DAT",
    )
    assert [one.name for one in read(raw(message)).attachments] == ["a.pdf"]


EMBEDDED = attribute(0x9002, b"\0" * 14, 2) + attribute(
    0x9005, properties(binary(0x3701, b"\7\3\2" + b"\0" * 13 + SIGNATURE, 0x000D), words(0x3001, "A mail")), 2
)
GROWING = struct.pack("<II4sI", 5_000_000, 9, b"LZFu", 0) + (b"\xff" + b"\0\x1e" * 8) * 19_999
WHOLE = winmail(file("a.pdf", b"%PDF"), file("b.pdf", b"%PDF2"))


@pytest.mark.parametrize(
    ("packet", "seen"),
    [
        pytest.param(WHOLE[:-3], ["a.pdf", "SHORT~1.DAT"], id="cut off"),
        pytest.param(WHOLE + b"\0" * 9 + b"\xff" * 50, ["a.pdf", "b.pdf"], id="something behind it"),
        pytest.param(WHOLE.replace(b"%PDF2", b"%PDF3"), ["a.pdf", "b.pdf"], id="a wrong sum"),
        pytest.param(winmail(file("a.pdf", b"%PDF"), EMBEDDED), ["a.pdf"], id="a mail inside"),
        pytest.param(
            WHOLE.replace(
                attribute(0x8008, b"IPM.Microsoft Mail.Note\0"),
                attribute(0x8008, b"IPM.Microsoft Schedule.MtgReq\0"),
            ),
            ["a.pdf", "b.pdf"],
            id="an appointment",
        ),
        pytest.param(winmail(attribute(0x800F, b"x", 2)), [], id="a file that never began"),
        pytest.param(winmail(), [], id="nothing inside"),
        pytest.param(winmail(attribute(0x9002, b"", 2)), [], id="a file without bytes"),
        pytest.param(
            winmail(attribute(0x9003, struct.pack("<I", 2**32 - 1))), [], id="billions of properties"
        ),
        pytest.param(
            winmail(attribute(0x9003, properties(struct.pack("<HHI", 0x1003, 0x77, 2**32 - 1)))),
            [],
            id="billions of values",
        ),
        pytest.param(winmail(attribute(0x0006, b"") * 800_000), [], id="hundreds of thousands of attributes"),
        pytest.param(winmail(attribute(0x9002, b"", 2) * 600), [], id="hundreds of files"),
        pytest.param(
            winmail(
                body(binary(0x1009, struct.pack("<II4sI", 99, 2**31, b"LZFu", 0))), file("a.pdf", b"%PDF")
            ),
            ["a.pdf"],
            id="a text of gigabytes",
        ),
        pytest.param(winmail(body(binary(0x1009, GROWING))), [], id="a text that grows"),
        pytest.param(winmail(body(binary(0x1009, compressed(WORDS + b"{" * 300_000)))), [], id="braces"),
        pytest.param(SIGNATURE[:4], [], id="its first four bytes"),
    ],
)
def test_what_cannot_be_opened_whole_is_there_as_it_came(packet: bytes, seen: list[str]) -> None:
    with takes_at_most(90):
        got = received(packet)
    assert [one.name for one in sent_along(got)] == [*seen, "winmail.dat"]
    assert sent_along(got)[-1].content == packet
    assert got.text == "See the files"


def test_one_packet_in_another_is_a_file_of_it() -> None:
    inner = winmail(file("deep.pdf", b"%PDF"))
    got = received(winmail(file("winmail.dat", inner, words(0x370E, "application/ms-tnef"))))
    assert [(one.name, one.content) for one in got.attachments] == [("winmail.dat", inner)]


def test_files_inside_count_as_parts_of_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MAX_PARTS", 6)
    few, many = ([file(f"{n}.pdf", b"%PDF") for n in range(count)] for count in (3, 4))
    assert [one.name for one in received(winmail(*few)).attachments] == ["0.pdf", "1.pdf", "2.pdf"]
    assert [one.name for one in received(winmail(*many)).attachments] == ["winmail.dat"]


def test_words_that_the_mail_does_not_say_are_not_lost() -> None:
    """A server on the way may have put its own words where the mail had none."""
    packet = winmail(body(words(0x1000, "We would like to order two blue mugs, by Friday.")))
    alike = received(packet, text="We would like to order two blue mugs,\nby Friday.\n\n-- \nMia")
    assert alike.attachments == ()
    other = received(packet, text="This mail was checked for viruses.")
    assert [one.content for one in other.attachments] == [packet]


def test_text_is_taken_of_one_packet() -> None:
    message = EmailMessage(policy=SMTP)
    message["From"] = "mia@example.org"
    message.set_content("")
    for text in ("first", "second"):
        packet = winmail(body(words(0x1000, text)))
        message.add_attachment(packet, maintype="application", subtype="ms-tnef", filename="winmail.dat")
    got = read(raw(message))
    assert got.text == "first"
    assert [one.content for one in got.attachments] == [winmail(body(words(0x1000, "second")))]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_damage_gives_a_message_and_loses_nothing(data: st.DataObject) -> None:
    packet = bytearray(
        winmail(body(number(0x3FDE, 65001), binary(0x1009, compressed(WORDS + b"hello}"))), EMBEDDED)
    )
    packet += file("a.pdf", b"%PDF", NAMED, SEVERAL)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    packet = packet[: data.draw(st.integers(0, len(packet)))]
    got = received(bytes(packet))
    assert got.text == "See the files"
    assert bytes(packet) in [one.content for one in got.attachments] or not packet


PIECES = [
    piece.replace(b"_", b" ")
    for piece in rb"""{ } \par_ \'e4 \u252_ \uc0_ \* \fldinst_ \field \htmltag4_ \htmlrtf_ \htmlrtf0_ \f1_
    \fcharset128_ \fonttbl \bin3_ \bin-3_ \ HYPERLINK_"http://a" word \'ff \ansicpg99999_ \u-10179_""".split()
]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.booleans())
@settings(max_examples=500)
def test_any_rtf_becomes_words(pieces: list[bytes], html: bool) -> None:
    is_html, words = rtf.read(b"{\\rtf1" + (b"\\fromhtml1 " if html else b" ") + b"".join(pieces))
    assert is_html == html
    assert isinstance(words.encode(), bytes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        b"{}",
        b"\\par ",
        b"\\'e4",
        b"\\u252 ?",
        b"{\\*\\x y}",
        b"{\\field{\\*\\fldinst x}",
        b"\\",
        b'HYPERLINK "',
        b"\\f1 ",
    ],
)
def test_rtf_made_to_be_slow_is_read_in_time(piece: bytes) -> None:
    with takes_at_most(300):
        try:
            rtf.read(WORDS + piece * (tnef.MAX_TEXT // len(piece)))
        except rtf.RtfError:
            assert piece.count(b"{") > piece.count(b"}")
