"""PDFs made of bytes: what a reader of them has to cope with."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

from pypdf import PdfReader, PdfWriter


def pdf(*pages: str, title: str = "") -> bytes:
    """Return a PDF whose pages show these words."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    for number, words in enumerate(pages):
        lines = words.split("\n")
        shown = b" T* ".join(b"(" + _escaped(line) + b") Tj" for line in lines) if words else b""
        stream = b"BT /F1 12 Tf 14 TL 50 700 Td " + shown + b" ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * number} 0 R"
            " /Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(_stream(stream))
    info = ""
    if title:
        objects.append(b"<< /Title (" + _escaped(title) + b") >>")
        info = f" /Info {len(objects)} 0 R"
    return _file(objects, info)


def _escaped(line: str) -> bytes:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252")


def _stream(data: bytes, filters: str = "") -> bytes:
    return f"<< /Length {len(data)}{filters} >>\nstream\n".encode() + data + b"\nendstream"


def _file(objects: Sequence[bytes], info: str = "") -> bytes:
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, one in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + one + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{place:010} 00000 n \n".encode() for place in places)
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R{info} >>\nstartxref\n{start}\n%%EOF".encode())
    return out.getvalue()


def many_pages(number: int) -> bytes:
    """Return a PDF of a few hundred bytes a page, all of which show the same."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = "4 0 R " * number
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {number} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    objects.append(
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>"
    )
    objects.append(_stream(b"BT /F1 12 Tf 50 700 Td (x) Tj ET"))
    return _file(objects)


def unpacks_to(size: int) -> bytes:
    """Return a PDF whose one page unpacks to *size* bytes of words."""
    line = b"(" + b"bomb " * 200 + b") Tj T* "
    packed = zlib.compress(b"BT /F1 12 Tf 14 TL 50 700 Td " + line * (size // len(line)) + b"ET", 9)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
        b" /Resources << /Font << /F1 3 0 R >> >> >>",
        _stream(packed, " /Filter /FlateDecode"),
    ]
    return _file(objects)


def locked(password: str, *pages: str) -> bytes:
    """Return a PDF that asks for a password before it can be read; an empty one asks for none."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
