"""What renderers draw of anything that looks like an explanation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from saliscope.render.explained import bars_of, labels_of, names_of, painting_of, panel_of, rows_of, strongest, together


@dataclass
class Piece:
    text: str
    start: int
    end: int
    truncated_at: int | None = None


@dataclass
class Prediction:
    kind: str
    probabilities: dict[str, float]


@dataclass
class Target:
    kind: str = "class"
    label: str = "warm"
    against: str | None = None


@dataclass
class Told:
    text: str
    scores: list[float]
    model: str = "m"
    method: str = "one"
    scale: str = "logit"
    signed: bool = True
    truncated_at: int | None = None
    target: Any = field(default_factory=Target)
    prediction: Any = field(default_factory=lambda: Prediction("class", {"warm": 0.75, "cold": 0.25}))
    segments: list[Any] = field(default_factory=list)

    @property
    def features(self) -> list[Piece]:
        found, at = [], 0
        for word in self.text.split():
            at = self.text.index(word, at)
            found.append(Piece(word, at, at + len(word)))
            at += len(word)
        return found


def test_the_strongest_come_first_and_what_occurs_twice_has_its_place() -> None:
    told = Told("so dull so warm", [0.3, -0.9, 0.5, 0.1])
    assert strongest(told, 2) == [1, 2]
    assert rows_of(told, 3) == [("dull", -0.9), ("so @8", 0.5), ("so @0", 0.3)]
    assert names_of([("a", 0), (" a", 5), ("b", 9)]) == ["a @0", " a @5", "b"]


def test_the_explained_label_is_among_the_bars_also_where_it_is_unlikely() -> None:
    said = Prediction("class", {str(rank): 0.2 - rank / 100 for rank in range(8)})
    assert labels_of(said) == ["0", "1", "2", "3", "4"]
    assert labels_of(said, "7")[-1] == "7"
    assert [bar.chosen for bar in bars_of(said, "7")] == [False] * 5 + [True]


def test_a_text_in_segments_is_read_to_the_end_of_the_last_one() -> None:
    told = Told("dull warm", [1.0, 0.5], truncated_at=2)
    assert painting_of(told).seen_to == 2
    told.segments = [Piece("dull", 0, 4, truncated_at=2), Piece("warm", 5, 9)]
    assert painting_of(told).seen_to is None


def test_several_are_ranked_by_their_mean_share() -> None:
    one, other = Told("a b c", [10.0, 0.0, 5.0]), Told("a b c", [0.1, 0.9, 1.0])
    assert list(together([one, other]).values()) == ["c", "a", "b"]


def test_a_panel_has_everything_in_it() -> None:
    panel = panel_of(Told("dull warm", [-1.0, 0.5]), 1, ["fact"])
    assert panel.title == "m · one · logit of warm"
    assert (panel.rows, panel.facts) == ((("dull", -1.0),), ("fact",))
    assert [bar.label for bar in panel.bars] == ["warm", "cold"]
