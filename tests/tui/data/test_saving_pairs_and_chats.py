"""A pair, or a chat, is put back, and nothing else in its file changes by a byte."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, open_source
from saliscope.sources.seeking import LineFile
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Turn, begin
from saliscope.tui.data.saving import save

TEXTS = st.text(st.sampled_from('ab ,"\\\n{}[]:é日😀\x7f\u2028/'), max_size=10)
ROLES = st.sampled_from(["system", "user", "assistant", "tool"])
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": ROLES, "content": TEXTS}, optional={"weight": st.integers(0, 9), "name": TEXTS}),
    min_size=1, max_size=4,
)  # fmt: skip
#: How a message is edited: another content, another role, both, or not at all.
EDITS = st.lists(st.tuples(st.none() | ROLES, st.none() | TEXTS), min_size=4, max_size=4)
STYLES = st.sampled_from([{}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"separators": (" , ", " : ")}])


def opened(path: Path) -> DataSet:
    data = DataSet(path, Fields())
    data.find()
    return data


def file_of(folder: Path, rows: list[dict[str, Any]], style: dict[str, Any]) -> tuple[Path, bytes]:
    path = folder / f"chats{os.getpid()}.jsonl"
    path.write_bytes("".join(json.dumps(row, **style) + "\n" for row in rows).encode())
    return path, path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(chats=st.lists(MESSAGES, min_size=1, max_size=3), which=st.integers(0, 2), edits=EDITS, style=STYLES)
def test_messages_change_and_no_other_byte(
    chats: list[list[dict[str, Any]]], which: int, edits: list[Any], style: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    rows = [{"id": n, "messages": chat, "label": "x"} for n, chat in enumerate(chats)]
    path, before = file_of(tmp_path_factory.getbasetemp(), rows, style)
    data, row = opened(path), which % len(rows)
    draft = begin(data, row)
    turns = [
        turn._replace(role=role or turn.role, content=turn.content if content is None else content)
        for turn, (role, content) in zip(draft.turns, edits, strict=False)
    ]
    expected = [{**one, "role": turn.role, "content": turn.content}
                for one, turn in zip(chats[row], turns, strict=True)]  # fmt: skip
    assert isinstance(data.file, LineFile)
    span = data.file.places[row]
    save(data, draft, turns)
    after = path.read_bytes()
    assert after[: span.start] == before[: span.start]
    assert after[len(after) - (len(before) - span.end) :] == before[span.end :]
    found = list(open_source(str(path)).rows(0))
    assert found == [{**one, "messages": expected} if n == row else one for n, one in enumerate(rows)]
    # And back again, to the same bytes but for those that were escaped otherwise.
    save(data, begin(data, row), [turn._replace(source=n) for n, turn in enumerate(draft.turns)])
    assert list(open_source(str(path)).rows(0)) == rows


@settings(max_examples=100, deadline=None)
@given(chat=MESSAGES, order=st.permutations(range(4)), count=st.integers(1, 4), new=st.none() | TEXTS, style=STYLES)
def test_messages_are_added_removed_and_moved_with_all_that_they_hold(
    chat: list[dict[str, Any]], order: list[int], count: int, new: str | None, style: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    rows: list[dict[str, Any]] = [{"messages": [{"role": "user", "content": "a"}]}, {"messages": chat, "n": 1.0}]
    path, before = file_of(tmp_path_factory.getbasetemp(), rows, style)
    data = opened(path)
    draft = begin(data, 1)
    kept = [at for at in order if at < len(chat)][:count]
    turns, expected = [draft.turns[at] for at in kept], [chat[at] for at in kept]
    if new is not None:
        turns.insert(1, Turn("tool", new))
        expected.insert(1, {"role": "tool", "content": new})
    save(data, draft, turns)
    assert list(open_source(str(path)).rows(0)) == [rows[0], {"messages": expected, "n": 1.0}]
    assert path.read_bytes().startswith(before.splitlines(keepends=True)[0])


@pytest.mark.parametrize(
    ("line", "turns", "expected"),
    [
        (r'{"messages": [{"role":"user",  "content" :"caf\u00e9 \/ x", "n": 1e3}], "label": 1}',
         [Turn("user", "café / y", 0)],
         r'{"messages": [{"role":"user",  "content" :"caf\u00e9 \/ y", "n": 1e3}], "label": 1}'),
        ('{"messages": [ {"role": "user", "content": "a"} ,  {"role": "user", "content": "b"} ]}',
         [Turn("user", "a", 0), Turn("assistant", "b", 1)],
         '{"messages": [ {"role": "user", "content": "a"} ,  {"role": "assistant", "content": "b"} ]}'),
        ('{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}',
         [Turn("user", "b", 1), Turn("assistant", "é"), Turn("user", "a", 0)],
         '{"messages":[{"role":"user","content":"b"},{"role":"assistant","content":"é"},{"role":"user","content":"a"}]}'),
        ('{"messages": [{"role": "user", "content": [1, "a"]}, {"role": "user", "content": "b"}]}',
         [Turn("user", '[1, "a"]', 0), Turn("user", "c", 1)],
         '{"messages": [{"role": "user", "content": [1, "a"]}, {"role": "user", "content": "c"}]}'),
    ],
)  # fmt: skip
def test_blanks_escapes_and_other_fields_stay(tmp_path: Path, line: str, turns: list[Turn], expected: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(line + "\n")
    data = opened(path)
    save(data, begin(data, 0), turns)
    assert path.read_text() == expected + "\n"


def test_a_message_that_is_no_text_is_not_edited(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": [1]}]}\n')
    data = opened(path)
    for turns, reason in (([Turn("user", "[2]", 0)], "message 1 has no text as its content"), ([], "one message")):
        with pytest.raises(SaliscopeError, match=reason):
            save(data, begin(data, 0), turns)
    assert path.read_text() == '{"messages": [{"role": "user", "content": [1]}]}\n'


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
@settings(max_examples=80, deadline=None)
@given(text=TEXTS.filter(str.strip), pair=TEXTS.filter(str.strip), new=st.tuples(TEXTS, TEXTS))
def test_both_texts_of_a_pair_are_put_back(
    suffix: str, text: str, pair: str, new: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"pairs{os.getpid()}{suffix}"
    delimiter = "\t" if suffix == ".tsv" else ","

    def cell(content: str) -> str:
        return '"' + content.replace('"', '""') + '"'

    def row(*cells: str) -> str:
        names = ("premise", "id", "hypothesis")
        return json.dumps(dict(zip(names, cells, strict=True))) if suffix == ".jsonl" else delimiter.join(
            map(cell, cells))  # fmt: skip

    head = [] if suffix == ".jsonl" else [delimiter.join(["premise", "id", "hypothesis"])]
    lines = [*head, row("a", "0", "b"), row(text, "1", pair), row("c", "2", "d")]
    path.write_bytes("\r\n".join(lines).encode())
    data = opened(path)
    draft = begin(data, 1)
    assert draft.texts == {"premise": text, "hypothesis": pair}
    save(data, draft, {"premise": new[0], "hypothesis": new[1]})
    found = list(open_source(str(path)).rows(0))
    assert found[1] == {"premise": new[0], "id": "1", "hypothesis": new[1]}
    after = path.read_bytes()
    assert after.startswith("\r\n".join(lines[:-2]).encode() + b"\r\n")
    assert after.endswith(b"\r\n" + lines[-1].encode())
