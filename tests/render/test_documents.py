from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from saliscope.render import Bar, Mark, Painting, Panel, Row, fragment, page, picture
from saliscope.render.graphemes import width
from saliscope.render.layout import lines
from saliscope.render.palettes import MONO, PALETTES, Palette
from saliscope.render.text import visible

from .test_painting import paintings

ANY_TEXT = st.text(st.characters(codec=None), max_size=30)
SVG = "{http://www.w3.org/2000/svg}"


class TextParser(HTMLParser):
    """Collects what a browser would show inside the elements of class `text`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.depth, self.tags = "", 0, set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if self.depth or dict(attrs).get("class") == "text":
            self.depth += 1

    def handle_endtag(self, tag: str) -> None:
        self.depth = max(0, self.depth - 1)

    def handle_data(self, data: str) -> None:
        self.text += data if self.depth else ""


def parse(html: str) -> TextParser:
    parser = TextParser()
    parser.feed(html)
    parser.close()
    return parser


@given(paintings())
def test_reading_the_html_gives_the_visible_text_back(painting: Painting) -> None:
    assert parse(page([Panel(painting)])).text == visible(painting.text)
    assert parse(fragment([Panel(painting)])).text == visible(painting.text)


@given(paintings(), ANY_TEXT, ANY_TEXT, st.sampled_from(list(PALETTES.values())), st.integers(1, 40))
def test_the_svg_is_well_formed_for_any_text(
    painting: Painting, title: str, label: str, palette: Palette, columns: int
) -> None:
    panel = Panel(painting, title, label, (Bar(label, 0.5),), (Row(label, 1.0),), (label,))
    root = ElementTree.fromstring(picture([panel, panel], palette, columns=columns).encode())
    assert root.tag == SVG + "svg"


@given(paintings(), st.integers(2, 30))
def test_wrapped_lines_hold_the_whole_text(painting: Painting, columns: int) -> None:
    laid = lines(painting.segments(), columns)
    found = "".join(run.text for line in laid for run in line)
    assert re.sub(r"[ \t\n]", "", found) == re.sub(r"[ \t\n]", "", visible(painting.text))
    for line in laid:
        text = "".join(run.text for run in line)
        hanging = width(text) - width(text.rstrip())
        assert sum(run.cells for run in line) - hanging <= columns


def test_markup_in_the_text_stays_text() -> None:
    attack = '<script>alert("x")</script>&amp;<b>'
    html = page(
        [Panel(Painting(attack, [Mark(0, 8, 1.0)]), title=attack, bars=(Bar(attack, 1.0),), facts=(attack,))],
        title=attack,
    )
    parser = parse(html)
    assert parser.text == attack
    assert not parser.tags & {"script", "b"}


def test_documents_need_nothing_from_outside() -> None:
    panel = Panel(Painting("a film", [Mark(2, 6, 1.0)]), "title", "good", (Bar("good", 0.9, True),))
    for document in (page([panel]), picture([panel])):
        assert not re.search(r"(?:src|href|url\()", document)
        assert document.count("http") == document.count("http://www.w3.org/2000/svg")


def test_html_tells_scores_signs_and_what_was_not_read() -> None:
    html = page([Panel(Painting("dull film end", [Mark(0, 4, -1.0), Mark(5, 9, 0.5)], seen_to=9))])
    assert '<span class="n3" title="-1.00 · strong, speaks against the target">dull</span>' in html
    assert '<span class="p2" title="+0.500 · medium, supports the target">film</span>' in html
    assert 'class="unseen" title="not read by the model"> end</span>' in html


def test_a_theme_can_be_fixed_and_else_follows_the_reader() -> None:
    panel = Panel(Painting("a", []))
    for draw in (page, picture):
        assert "prefers-color-scheme" in draw([panel])
        assert "prefers-color-scheme" not in draw([panel], theme="dark").replace('"color-scheme"', "")


def test_mono_documents_underline_what_speaks_against() -> None:
    panel = Panel(Painting("a", [Mark(0, 1, -1.0)]))
    assert "underline" in page([panel], MONO)
    assert "underline" in picture([panel], MONO)


def test_wide_characters_take_two_cells_in_the_svg() -> None:
    (line,) = lines(Painting("面a", []).segments(), 20)
    assert [(run.text, run.column, run.cells) for run in line] == [("面", 0, 2), ("a", 2, 1)]


def test_lines_break_at_spaces_and_inside_words_only_where_they_must() -> None:
    def shown(text: str, columns: int) -> list[str]:
        return ["".join(run.text for run in line) for line in lines(Painting(text, []).segments(), columns)]

    assert shown("one two three", 8) == ["one two ", "three"]
    assert shown("abcdefgh", 3) == ["abc", "def", "gh"]
    assert shown("a\n\nb", 8) == ["a", "", "b"]
    assert shown("a\tb", 8) == ["a   b"]
    assert shown("面白い", 4) == ["面白", "い"]


def test_unsigned_methods_have_a_one_sided_legend() -> None:
    painting = Painting("a b", [Mark(0, 1, 1.0)], signed=False)
    for document in (page([Panel(painting)]), picture([Panel(painting)])):
        assert "more important" in document
        assert "against" not in document
