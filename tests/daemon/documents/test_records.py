from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.daemon.documents.texts import opened

from saliscope.daemon.front.documents import limits
from saliscope.daemon.front.documents.formats import FORMATS, find_format
from saliscope.daemon.front.documents.reference import page
from saliscope.daemon.front.documents.shaping import Names
from saliscope.daemon.front.documents.store import Store
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import LABEL_FIELDS, LIST_FIELDS, PAIR_FIELDS, TEXT_FIELDS

PAGE = Path(__file__).parents[3] / "docs" / "documents.md"


def kinds(text: str, format: str, names: Names | None = None) -> list[list[str]]:
    return [[finding.kind for finding in one.findings] for one in opened(text, format, names)]


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_each_broken_record_says_so_and_the_others_work() -> None:
    lines = [
        '{"text": "a", "label": 1}', "{broken", '{"text": 3}', '{"text": " "}', '{"other": "a"}', '"a line"',
        '{"text": "b", "label": [1]}', '{"text": "\\ud83d"}', '{"text": "a"}', "[" * 100_000, '{"messages": []}',
        '{"text": "c", "pair": ""}', "null",
    ]  # fmt: skip
    assert kinds("\n".join(lines), "jsonl") == [
        ["duplicate"], ["broken"], ["not-text"], ["empty"], ["no-text"], [], ["not-a-label"], ["not-unicode"],
        ["duplicate"], ["broken"], ["empty"], ["empty"], ["not-text"],
    ]  # fmt: skip


def test_what_is_told_of_a_record_can_travel() -> None:
    lines = [
        '{"text": "a", "label": "\\ud83d"}', f'{{"text": "b", "label": {1 << 63}}}', '{"\\ud83d": "c"}',
        '{"messages": [{"role": "\\ud83d", "content": "d"}]}', json.dumps({"x" * 9_000: 1}),
    ]  # fmt: skip
    records = opened("\n".join(lines), "jsonl")
    assert kinds("\n".join(lines), "jsonl") == [
        ["not-a-label"], ["not-a-label"], ["no-text"], ["not-unicode"], ["no-text"]
    ]  # fmt: skip
    assert [one.record.label for one in records] == [None] * 5
    for one in records:
        assert len(one.findings[0].message.encode()) < 1_000


def test_labels_are_names_and_numbers() -> None:
    lines = [
        '{"text": "a", "label": "pos"}',
        '{"text": "b", "Label": 2}',
        '{"text": "c", "class": true}',
        '{"text": "d"}',
        '{"text": "e", "label": 1.0}',
        '{"text": "f", "label": 0.5}',
        '{"text": "g", "label": NaN}',
    ]
    assert [one.record.label for one in opened("\n".join(lines), "jsonl")] == ["pos", 2, "true", None, 1, None, None]
    assert kinds("\n".join(lines), "jsonl")[4:] == [[], ["not-a-label"], ["not-a-label"]]


def test_known_fields_are_found_in_their_order_and_named_ones_win() -> None:
    for name in TEXT_FIELDS:
        (one,) = opened(json.dumps({"zzz": "no", name: "yes"}), "jsonl")
        assert one.record.input == {"text": "yes"}
    for text, pairs in PAIR_FIELDS.items():
        (one,) = opened(json.dumps({pairs[0]: "second", text: "first", LABEL_FIELDS[-1]: "x"}), "jsonl")
        assert one.record.input["text"] == "first"
        assert one.record.input["pair"] == "second"
    mine = Names("mine", "other", "how")
    (one,) = opened('{"text": "a", "mine": "b", "other": "c", "how": 3}', "jsonl", mine)
    assert (one.record.input, one.record.label) == ({"text": "b", "pair": "c"}, 3)
    assert kinds('{"text": "a"}', "jsonl", mine) == [["no-text"]]


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_a_map_that_lists_its_records_under_a_known_name_is_those(format: str) -> None:
    def texts(value: object, names: Names | None = None) -> list[object]:
        return [(one.record.input or {}).get("text") for one in opened(json.dumps(value), format, names)]

    for name in LIST_FIELDS:
        assert texts({"version": 2, name.upper(): ["a", {"prompt": "b", "label": "x"}]}) == ["a", "b"]
    chats = [{"messages": [{"role": "user", "content": text}]} for text in ("Hi", "Ho")]
    assert kinds(json.dumps({"data": chats}), format) == [[], []]
    assert texts({"texts": [], "items": ["a", 5]}) == ["a", None]
    # It has a text itself, or what it lists has none.
    assert texts({"text": "own", "examples": ["a"]}) == ["own"]
    assert kinds(json.dumps({"items": [{"port": 80}, 5]}), format) == [["no-text"]]
    assert texts({"mine": "own", "data": ["a"]}, Names("mine")) == ["own"]
    assert texts({"text": "no", "data": [{"mine": "a"}, {"mine": "b"}]}, Names("mine")) == ["a", "b"]


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_a_chat_is_one_record(format: str) -> None:
    chat = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi 😀\n"}]
    for value in (chat, {"messages": chat}, [{"messages": chat, "label": "x"}]):
        (one,) = opened(json.dumps(value, ensure_ascii=False), format)
        assert one.record.input == {"messages": chat}
        assert one.record.explained
    assert kinds(json.dumps([{"role": "pirate", "content": "x"}]), format) == [["unknown-role"]]
    assert kinds(json.dumps({"messages": [{"role": "user"}]}), format) == [["not-text"]]


def test_yaml_goes_as_far_as_it_is_sound() -> None:
    assert kinds("text: a\n---\ntext: b\n---\n[", "yaml") == [[], [], ["broken"]]
    assert kinds("- text: &here a\n- text: *here\n", "yaml") == [[], ["not-explained"]]
    assert kinds("9" * 5000, "jsonl") == [["broken"]]
    assert kinds("[" * 100_000, "yaml") == [["broken"]]
    assert kinds("text: !!python/object:os.system x", "yaml") == [["broken"]]
    assert kinds("text: 2001-13-45", "yaml") == [["broken"]]
    for value in ("!!bool x", "!!timestamp x", '!!int ""', "a\x07", "9" * 5000):
        assert kinds(f"text: {value}", "yaml") == [["broken"]]


def test_a_prompt_file_is_a_text_or_a_chat() -> None:
    (plain,) = opened("---\nmodel: x\n---\nSay {{it}}.\n", "prompt")
    assert plain.record.input == {"text": "Say {{it}}."}
    (chat,) = opened('Be kind.\r\nuser:\r\nHi\r\n{{role "model"}}\r\nHo', "prompt")
    assert chat.record.input == {
        "messages": [
            {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
            {"role": "model", "content": "Ho"},
        ]
    }  # fmt: skip


def test_formats_are_found_by_name_suffix_and_language() -> None:
    assert find_format(None, "a/B.JSONL").name == "jsonl"
    assert find_format(None, "untitled", "markdown").name == "markdown"
    assert find_format("text", "a.csv").name == "text"
    assert find_format(None).name == "lines"
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    with pytest.raises(SaliscopeError, match="none of lines, text"):
        find_format("pdf")


@pytest.mark.parametrize(
    ("text", "format", "code", "reason"),
    [
        ("a" * 100_000_000, "text", "too_large", "100,000,000 characters; the limit is 33,554,432"),
        ("a" * (limits.MOST_OF_A_LINE + 1), "text", "too_large", "a line has 1,048,577 characters"),
        ("\n" * 1_000_000, "lines", "too_large", "1,000,001 lines; the limit is 200,000"),
        ("a\n" * (limits.MOST_PARSED["yaml"]), "yaml", "too_large", "the limit of format yaml is 262,144"),
        ("\x7fELF\x02\x01\x01" + "\0" * 100, "lines", "bad_request", "this is no text"),
    ],
)
def test_a_document_over_a_limit_is_refused_with_it(text: str, format: str, code: str, reason: str) -> None:
    with pytest.raises(SaliscopeError, match=reason) as caught:
        Store(text, find_format(format))
    assert caught.value.code == code
