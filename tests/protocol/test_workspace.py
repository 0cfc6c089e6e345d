from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest
from msgspec import UNSET

from saliscope.protocol.workspace import KEYS, Settings, Thresholds, matches, nearest, read_workspace

TEXT = """\
model = "demo-encoder"
trigger = "onSave"
thresholds.low-margin = 0.1

[files."*.jsonl"]
field = "review"

[files."chats/**/*.yaml"]
model = "demo-decoder"
thresholds = {shortcut = 0.5}
"""


def test_globs_stand_over_what_holds_for_everything(tmp_path: Path) -> None:
    (tmp_path / "saliscope.toml").write_text(TEXT)
    workspace = read_workspace(tmp_path / "saliscope.toml")
    assert workspace.problems == ()
    plain = workspace.settings(tmp_path / "a.txt")
    assert (plain.model, plain.trigger, plain.field) == ("demo-encoder", "onSave", UNSET)
    assert workspace.settings(tmp_path / "deep" / "a.jsonl").field == "review"
    chat = workspace.settings(tmp_path / "chats" / "x" / "a.yaml")
    assert (chat.model, chat.thresholds) == ("demo-decoder", Thresholds(low_margin=0.1, shortcut=0.5))


def test_a_target_is_read_as_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_text('target = "contrast:good vs bad"\n[files."*.csv"]\ntarget = "contrast-continuation:good"\n')
    workspace = read_workspace(file)
    wanted = {"kind": "contrast", "label": "good", "against": "bad"}
    assert workspace.settings(tmp_path / "a.csv").options == {"target": wanted}
    assert [(one.line, one.message) for one in workspace.problems] == [
        (3, "target: expected two texts with `vs` between them")
    ]


def test_the_nearest_file_wins_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "saliscope.toml").write_text('model = "far"')
    inner = tmp_path / "in" / "side"
    inner.mkdir(parents=True)
    path = inner / "a.txt"
    far = nearest(path)
    assert far == tmp_path / "saliscope.toml"
    workspace = read_workspace(far)
    assert not workspace.outdated(path)
    (inner / "saliscope.toml").write_text('model = "near"')
    assert workspace.outdated(path)
    near = read_workspace(inner / "saliscope.toml")
    assert near.settings(path).model == "near"
    assert not near.outdated(path)
    (inner / "saliscope.toml").write_text('model = "nearer"')
    os.utime(inner / "saliscope.toml", ns=(1, 1))
    assert near.outdated(path)
    (inner / "saliscope.toml").unlink()
    assert near.outdated(path)


def test_a_bad_key_is_told_with_its_line_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_text(
        'modle = "x"\nmethod = 3\ntarget = "gold"\n\n[thresholds]\nlow-margin = 7\n\n'
        '[files."*.csv"]\nlabel = "stars"\ntrigger = "never"\nthresholds.shortcut = "a"\n[files]\nx = 1\n'
    )
    workspace = read_workspace(file)
    assert [problem.line for problem in workspace.problems] == [1, 2, 6, 10, 11, 13]
    said = [problem.message for problem in workspace.problems]
    assert said[0].startswith("modle is none of model, method")
    assert said[1] == "method: Expected `str`, got `int`"
    got = workspace.settings(tmp_path / "a.csv")
    assert (got.target, got.label, got.trigger, got.thresholds) == ("gold", "stars", UNSET, Thresholds())


@pytest.mark.parametrize("content", [b'model = "a"\nfield = \n', b"\xff", b'model = "a"\nmodel = "b"\n'])
def test_a_broken_file_says_nothing_but_that(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_bytes(content)
    workspace = read_workspace(file)
    assert workspace.settings(tmp_path / "a.txt") == Settings()
    (problem,) = workspace.problems
    assert problem.line == (1 if content == b"\xff" else 2)


@pytest.mark.parametrize("content", [b'model = "a', b"\xff"])
def test_while_a_file_is_broken_what_it_said_before_holds(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_text('model = "a"\nmodle = "b"\n')
    before = read_workspace(file)
    file.write_bytes(content)
    broken = read_workspace(file, before)
    assert broken.settings(tmp_path / "a.txt").model == "a"
    (problem,) = broken.problems
    assert "what it said before still holds" in problem.message
    assert not broken.outdated(tmp_path / "a.txt")
    file.write_text('method = "occlusion"\n')
    mended = read_workspace(file, broken)
    assert mended.settings(tmp_path / "a.txt") == Settings(method="occlusion")
    assert mended.problems == ()


def test_a_broken_file_knows_nothing_of_another(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "saliscope.toml").write_text('model = "a"')
    (tmp_path / "in" / "saliscope.toml").write_text("model = ")
    near = read_workspace(tmp_path / "in" / "saliscope.toml", read_workspace(tmp_path / "saliscope.toml"))
    assert near.settings(tmp_path / "in" / "a.txt") == Settings()


def test_a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_bytes(b'\xef\xbb\xbfmodel = "a"\r\nmodle = "b"\r\n')
    workspace = read_workspace(file)
    assert workspace.settings(tmp_path / "a.txt").model == "a"
    assert [problem.line for problem in workspace.problems] == [2]


def test_a_folder_that_a_path_leaves_again_has_no_say(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    (inner / "saliscope.toml").write_text('model = "a"')
    path = inner / ".." / "x" / "a.txt"
    assert nearest(path) is None
    (tmp_path / "saliscope.toml").write_text('[files."x/*.txt"]\nmodel = "b"')
    found = nearest(path)
    assert found == tmp_path / "saliscope.toml"
    assert read_workspace(found).settings(path).model == "b"


def test_a_path_that_no_file_can_have_has_no_settings() -> None:
    assert nearest(Path("/", "x" * 5_000, "a.txt")) is None


def test_a_link_is_followed_and_one_to_nowhere_is_none(tmp_path: Path) -> None:
    (tmp_path / "shared.toml").write_text('model = "a"')
    inner = tmp_path / "in"
    inner.mkdir()
    (inner / "saliscope.toml").symlink_to(tmp_path / "shared.toml")
    found = nearest(inner / "a.txt")
    assert found == inner / "saliscope.toml"
    workspace = read_workspace(found)
    assert workspace.settings(inner / "a.txt").model == "a"
    (tmp_path / "shared.toml").write_text('model = "another"')
    assert workspace.outdated(inner / "a.txt")
    (tmp_path / "shared.toml").unlink()
    assert nearest(inner / "a.txt") is None


@pytest.mark.parametrize(
    ("path", "glob", "taken"),
    [
        ("a/b.csv", "*.csv", True), ("a/b.csv", "a/*.csv", True), ("a/b/c.csv", "a/*.csv", False),
        ("a/b/c.csv", "a/**", True), ("c.csv", "**/c.csv", True), ("ab.csv", "a?.csv", True),
        ("a.csv", "a[.csv", False), ("x/a.csv", "/a.csv", False),
    ],
)  # fmt: skip
def test_globs(path: str, glob: str, taken: bool) -> None:
    assert matches(PurePath(path), glob) is taken


def test_every_key_has_its_words() -> None:
    keys = [key for key in Settings.__struct_fields__ if key != "thresholds"]
    assert set(KEYS) == {*keys, *(f"thresholds.{key}" for key in Thresholds.__struct_encode_fields__)}
