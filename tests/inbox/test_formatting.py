"""What people format: what it becomes, what stays as it was written, and that nothing else gets through."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from host.sdk.formatting import TAGS, Picture, pictures, plain, to_html, to_text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hi **Mia**, *soon*.", "<p>Hi <strong>Mia</strong>, <em>soon</em>.</p>\n"),
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>\n"),
        ("a:\n- b\n- c", "<p>a:</p>\n<ul>\n<li>b</li>\n<li>c</li>\n</ul>\n"),
        ("3. b\n4. c", '<ol start="3">\n<li>b</li>\n<li>c</li>\n</ol>\n'),
        ("> b\n> c", "<blockquote>\n<p>b<br>\nc</p>\n</blockquote>\n"),
        ("10*20*30 cm, __init__, a_b_c, 2 * 3 * 4", "<p>10*20*30 cm, __init__, a_b_c, 2 * 3 * 4</p>\n"),
        ("# one\n---\n`two`\n    three", "<p># one<br>\n---<br>\n`two`<br>\nthree</p>\n"),
        ("\u00af\\_(\u30c4)_/\u00af &amp; <b>", "<p>\u00af\\_(\u30c4)_/\u00af &amp;amp; &lt;b&gt;</p>\n"),
        (
            "[no](javascript:alert(1)) [no](//x.example)",
            "<p>[no](javascript:alert(1)) [no](//x.example)</p>\n",
        ),
        ("[no](https://u:p@x.example/)", "<p>[no](https://u:p@x.example/)</p>\n"),
        ("![x](https://x.example/a.png)", None),
    ],
)
def test_what_a_text_becomes(text: str, html: str | None) -> None:
    found = to_html(text)
    assert "<img" not in found
    assert html is None or found == html


MUG = Picture("/mug?a=1&b=2", 300, 200)


@pytest.mark.parametrize(
    ("text", "html", "names", "words"),
    [
        (
            "a ![mug.png] b",
            '<p>a <img src="/mug?a=1&amp;b=2" alt="mug.png" width="300" height="200"> b</p>\n',
            ["mug.png"],
            "a [mug.png] b",
        ),
        ("![MUG.PNG]", "<p>![MUG.PNG]</p>\n", ["MUG.PNG"], "[MUG.PNG]"),
        ("wow![1] ![a.pdf] ![]", "<p>wow![1] ![a.pdf] ![]</p>\n", [], "wow![1] ![a.pdf] ![]"),
        ("![mug.png](/x)", "<p>![mug.png](/x)</p>\n", [], "![mug.png](/x)"),
        ("![mug.png", "<p>![mug.png</p>\n", [], "![mug.png"),
    ],
)
def test_a_picture_has_a_place_by_its_name(text: str, html: str, names: list[str], words: str) -> None:
    assert to_html(text, pictures={"mug.png": MUG}) == html
    assert (pictures(text), plain(text)) == (names, words)


def test_no_address_but_that_of_a_picture_given_is_in_a_text() -> None:
    found = to_html("![mug.png] <img src=/other>", pictures={"mug.png": Picture("cid:1@x.example")})
    assert re.findall(r"<img[^>]*>", found) == ['<img src="cid:1@x.example" alt="mug.png">']
    found = to_html("![mug.png]", pictures={"mug.png": Picture('javascript:"<b>')})
    assert "javascript" not in found


@pytest.mark.parametrize("text", ["[]()", "[here]()", "see [**here**]() and there"])
def test_a_link_without_an_address_is_no_link(text: str) -> None:
    assert "<a" not in to_html(text)
    assert plain(text) == text.replace("*", "")


def test_links_lead_where_they_say() -> None:
    found = to_html("See www.shop.example/a_b*c*d, or [here](https://shop.example/).")
    assert re.findall(r'<a href="([^"]+)" rel="noopener noreferrer nofollow">([^<]+)</a>', found) == [
        ("https://www.shop.example/a_b*c*d", "www.shop.example/a_b*c*d"),
        ("https://shop.example/", "here"),
    ]


_PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            ["*", "**", "- ", "1. ", "> ", "\n", "\n\n", "[", "](", ")", "<", ">", '"', "&", "://"]
        ),
        st.sampled_from(
            ["https://x.example/", "javascript:", "<script>", "style=", "onclick=", "\x00", "\u2028"]
        ),
        st.text(max_size=8),
    ),
    max_size=30,
).map("".join)


@given(text=_PIECES)
@hypothesis_settings(deadline=None, max_examples=200)
def test_nothing_but_its_tags_gets_through(text: str) -> None:
    styles = {"a": "color:#123456"}
    for found in (to_html(text), to_html(text, styles)):
        for tag in re.findall(r"<[^>]*>", found):
            name, rest = re.fullmatch(r"</?([a-z]+)((?: [a-z]+=\"[^\"<>]*\")*)>", tag).groups()  # type: ignore[union-attr]
            assert name in TAGS
            for attribute, value in re.findall(r' ([a-z]+)="([^"]*)"', rest):
                assert attribute in {"href", "rel", "start", "style"}
                assert attribute != "href" or value.startswith(("http://", "https://", "HTTP", "Http"))
                assert attribute != "style" or value == styles["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Yes, **eight**: - large *and* [this](https://shop.example/a)", "Yes, eight: - large and this"),
        ("***both***", "both"),
        ("10*20*30 and 2 * 3", "10*20*30 and 2 * 3"),
        ("**cut of", "**cut of"),
    ],
)
def test_the_list_shows_words_without_marks(text: str, words: str) -> None:
    assert plain(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi **Mia**, *soon*, ***both***.", "Hi Mia, soon, both."),
        ("**over\ntwo lines**  \n\n\n.\n-- \nMia", "over\ntwo lines\n\n\n.\n-- \nMia"),
        ("- **a**\n  *b*\n\n3. c\n> > **d**\nand *e*", "- a\n  b\n\n3. c\n> > d\nand e"),
        ("10*20*30, __init__, 2 * 3 * 4, **a\n\nb**", "10*20*30, __init__, 2 * 3 * 4, **a\n\nb**"),
        ("[our **shop**](https://x.example/a_b)!", "our shop <https://x.example/a_b>!"),
        ("[a\nb](https://x.example) *c*", "a\nb <https://x.example> c"),
        ("[a](\nhttps://x.example) *c*\n*d*", "a <https://x.example> c\nd"),
        (
            "https://x.example/a*b [https://x.example](https://x.example)",
            "https://x.example/a*b https://x.example",
        ),
        ("www.x.example, [no](javascript:*x*)", "www.x.example, [no](javascript:x)"),
        ("# one\n---\n`two`\n    *three*", "# one\n---\n`two`\n    three"),
    ],
)
def test_plain_text_has_no_marks_of_formatting(text: str, words: str) -> None:
    assert to_text(text) == words


@given(st.text(alphabet="ab *->1.[]\n\t\r\0/:xhtps"))
@hypothesis_settings(deadline=None, max_examples=300)
def test_plain_text_says_what_the_formatted_one_does(text: str) -> None:
    shown = re.sub(r"<[^>]*>|\W", "", to_html(text).replace("&gt;", "").replace("&lt;", ""))
    assert re.sub(r"[\W\d]", "", to_text(text)) == re.sub(r"\d", "", shown)


def test_long_and_nested_texts_take_no_time() -> None:
    for piece in ("*", "**a", "[", "> ", "- ", "(https://x.example/", "1. "):
        assert to_html(piece * 3000)
        plain(piece * 3000)
        assert to_text(piece * 3000)
