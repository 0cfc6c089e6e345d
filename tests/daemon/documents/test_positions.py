"""Every span of a field, cut from the source and decoded, is that part of the field's text."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.daemon.documents.texts import BREAKS, NASTY, opened, spans, texts

from saliscope.daemon.front.documents.mapping import SourceMap, joined
from saliscope.daemon.front.documents.record import Field
from saliscope.daemon.front.documents.store import Located
from saliscope.daemon.front.documents.yaml_nodes import LOADER


def cuts(text: str, located: Located, field: Field) -> list[tuple[str, str]]:
    """(what the text says, what stands in the source) for every span."""
    return [
        (field.text[start:end], text[slice(*(located.start + place for place in field.map.to_source(start, end)))])
        for start, end in spans(len(field.text))
    ]


@given(st.lists(texts(NASTY + "\ud83d\ude00"), min_size=1, max_size=4), st.booleans(), st.sampled_from(BREAKS))
def test_json_lines(values: list[str], ascii: bool, newline: str) -> None:
    lines = [json.dumps({"id": 1, "meta": {"text": [1]}, "text": value}, ensure_ascii=ascii) for value in values]
    text = "\ufeff" + newline.join(lines)
    records = opened(text, "jsonl")
    assert len(records) == len(values)
    for line, located in zip(lines, records, strict=True):
        (field,) = located.record.fields
        assert field.text == json.loads(line)["text"]
        for said, source in cuts(text, located, field):
            assert json.loads(f'"{source}"') == said


@given(texts(), texts())
def test_a_json_array_of_pairs(one: str, other: str) -> None:
    text = json.dumps([{"premise": one, "hypothesis": other, "label": "x"}], indent=1)
    (located,) = opened(text, "json")
    assert [field.text for field in located.record.fields] == [one, other, "x"]
    for field in located.record.fields:
        for said, source in cuts(text, located, field):
            assert json.loads(f'"{source}"') == said


@given(st.lists(st.tuples(texts(), texts()), max_size=3), st.sampled_from(BREAKS), st.sampled_from([",", ";", "\t"]))
def test_tables(rows: list[tuple[str, str]], newline: str, delimiter: str) -> None:
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=newline)
    writer.writerows([("text", "label"), *rows])
    text = "\ufeff" + made.getvalue()
    records = opened(text, "csv")
    assert [one.record.fields[0].text for one in records] == [row[0] for row in rows]
    for located in records:
        for field in located.record.fields:
            for said, source in cuts(text, located, field):
                assert source.replace('""', '"') == said


@given(texts(), st.sampled_from(["lines", "text", "paragraphs"]))
def test_plain_text_stands_as_it_is(text: str, format: str) -> None:
    for located in opened(text, format):
        (field,) = located.record.fields
        assert all(said == source for said, source in cuts(text, located, field))
        assert field.text == field.text.strip()


@given(st.lists(texts("ab`*> -#\t\\\n\r1.é😀"), max_size=8), st.sampled_from(["", "---\na: `b`\n---\n"]))
def test_markdown_lines_stand_as_they_are_but_for_code_and_marks(blocks: list[str], front: str) -> None:
    text = front + "\n\n".join(blocks)
    for located in opened(text, "markdown"):
        for field in located.record.fields:
            assert located.start >= len(front)
            for at, char in enumerate(field.text):
                start, end = field.map.to_source(at, at + 1)
                assert text[located.start + start : located.start + end] == char


@given(texts("ab \n\r:{}user\té😀"), st.sampled_from(["", "\ufeff", "---\nmodel: x\r\n---\r\n"]))
def test_prompts_stand_as_they_are(words: str, front: str) -> None:
    text = front + words
    for located in opened(text, "prompt"):
        for field in located.record.fields:
            assert all(said == source for said, source in cuts(text, located, field))


YAML_TEXT = "ab '\"\\:#-,é😀\u0301\t\n"


@given(texts(YAML_TEXT), st.sampled_from([None, "'", '"', "|", ">"]), st.sampled_from(BREAKS), st.integers(8, 60))
def test_yaml_scalars(value: str, style: str | None, newline: str, width: int) -> None:
    written = yaml.safe_dump([{"text": value}], default_style=style, allow_unicode=True, width=width)
    text = written.replace("\n", newline)
    check_yaml(text, [value])


BLOCK = st.builds(
    lambda header, indent, lines, tail: (
        f"- text: {header}\n" + "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in lines) + tail
    ),
    st.sampled_from(["|", ">", "|-", ">-", "|+", ">+", "| # why", "|4", ">5-", "|3+"]),
    st.integers(3, 8),
    st.lists(texts("ab  \t#:é😀", 6), max_size=6),
    st.sampled_from(["", "- text: x\n", "  label: 1\n", "# comment\n- b\n", "\n\n"]),
)


@given(BLOCK, st.sampled_from(BREAKS), st.booleans(), st.booleans())
def test_yaml_blocks(text: str, newline: str, bom: bool, ended: bool) -> None:
    text = ("\ufeff" if bom else "") + (text if ended else text.rstrip("\n")).replace("\n", newline)
    try:
        read = yaml.load(text, Loader=LOADER)
    except yaml.YAMLError:
        assume(False)
    check_yaml(text, [entry["text"] if isinstance(entry, dict) else entry for entry in read])


def check_yaml(text: str, values: list[object]) -> None:
    """The texts are what `safe_load` says, and each character comes from what spells it."""
    records = opened(text, "yaml")
    assert len(records) == len(values)
    for value, located in zip(values, records, strict=True):
        fields = [field for field in located.record.fields if field.kind == "text"]
        assert [field.text for field in fields] == ([value] if isinstance(value, str) else [])
        for field in fields:
            for at, char in enumerate(field.text):
                start, end = field.map.to_source(at, at + 1)
                assert char in decoded(text[located.start + start : located.start + end])


def decoded(source: str) -> tuple[str, ...]:
    """What characters a piece of YAML may be: itself, an escape, a doubled quote, a line break kept or folded."""
    if re.fullmatch(r"[ \t]*(?:\r\n?|\n)[ \t]*", source):
        return ("\n", " ")
    if source.startswith("\\") and len(source) > 1:
        return (str(yaml.safe_load(f'"{source}"')),)
    return ("'",) if source == "''" else (source,)


def test_a_map_refuses_what_is_no_span() -> None:
    place = joined([(3, 5), (8, 9)], 3)
    assert place.to_source(1, 3) == (4, 9)
    assert place.to_source(2, 2) == (8, 8)
    assert place.to_source(3, 3) == (9, 9)
    assert SourceMap.straight(7, 0).to_source(0, 0) == (7, 7)
    for start, end in ((-1, 1), (2, 1), (0, 4)):
        with pytest.raises(ValueError, match="no span"):
            place.to_source(start, end)
