"""Records in order of place, moved together: as if each had been moved by itself."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saliscope.protocol.edits import Edit
from saliscope.protocol.live import LiveRecord, Order
from saliscope.protocol.live.record import Places, landed

LENGTH: Final = 400


def record(id: int, start: int, length: int) -> LiveRecord:
    return LiveRecord(id, start, Places(length, tokens=((0, length),)))


def looks(one: LiveRecord) -> tuple[Any, ...]:
    return one.id, one.start, one.end, one.places, one.is_touched


class Naive:
    """Every record is looked at with every edit."""

    def __init__(self) -> None:
        self.records: list[LiveRecord] = []

    def add(self, one: LiveRecord) -> None:
        self.records.append(one)

    def remove(self, one: LiveRecord) -> None:
        self.records = [other for other in self.records if other.id != one.id]

    def move(self, edit: Edit) -> set[int]:
        touched = set()
        for one in self.records:
            if one.start >= edit.end:
                one.start += edit.shift
            elif one.edited(edit):
                touched.add(one.id)
        return touched


def edits(chance: random.Random, length: int) -> Edit:
    start = chance.randrange(length + 1)
    end = min(length, start + chance.choice((0, 0, 0, 1, 7, 60)))
    return Edit(start, end, "x" * chance.choice((0, 0, 1, 1, 5, 40)))


@pytest.mark.parametrize("seed", range(12))
def test_records_move_as_if_each_had_been_moved_by_itself(seed: int) -> None:
    chance = random.Random(seed)
    order, naive, length = Order(), Naive(), LENGTH
    # Some overlap, one spans much; with many the lengths are looked at anew.
    sizes = (0, 3, 3, 5) if seed % 2 else (0, 2, 5, 90)
    for id in range(150):
        start = chance.randrange(length)
        size = min(chance.choice(sizes), length - start)
        order.add(record(id, start, size))
        naive.add(record(id, start, size))
    for step in range(300):
        if chance.random() < 0.2 and len(order):
            one = order[chance.randrange(len(order))]
            twin = next(other for other in naive.records if other.id == one.id)
            order.remove(one)
            assert one.start == twin.start
            if chance.random() < 0.7:
                one.start = twin.start = chance.randrange(length + 1)
                order.add(one)
            else:
                naive.remove(twin)
        edit = edits(chance, length)
        length += edit.shift
        touched = {one.id for one in order.move(edit)}
        assert touched == naive.move(edit), step
        assert sorted(map(looks, order)) == sorted(map(looks, naive.records)), step
        assert [one.start for one in order] == sorted(one.start for one in order)
        at, end = sorted((chance.randrange(length + 1), chance.randrange(length + 1)))
        near = [one.id for one in order if one.start <= end and one.end >= at]
        assert [one.id for one in order.near(at, end)] == near
        assert all(order[order.place_of(one)] is one for one in order)


@given(st.randoms(use_true_random=False))
def test_outside_of_what_changed_records_are_the_same_and_stand_where_edits_move_them(chance: random.Random) -> None:
    order, length = Order(), 60
    for id in range(8):
        order.add(record(id, chance.randrange(length), 3))
    order.take_changed()
    before = {one.id: (one.start, one.end) for one in order}
    made: list[Edit] = []
    for _ in range(chance.randrange(4)):
        if chance.random() < 0.3:
            one = order[chance.randrange(len(order))]
            order.remove(one)
            one.start = chance.randrange(length + 1)
            order.add(one)
        else:
            made.append(edits(chance, length))
            length += made[-1].shift
            order.move(made[-1])
    changed = order.take_changed()
    assert order.take_changed() is None
    first, behind = order.window(*changed) if changed else (len(order), len(order))
    for one in (*order[:first], *order[behind:]):
        start, end = before[one.id]
        for edit in made:
            start, end = landed(start, edit), landed(end, edit)
        assert (one.start, one.end, one.is_touched) == (start, end, False)
    if changed:
        assert all(one.end < changed[0] for one in order[:first])
        assert all(one.start > changed[1] for one in order[behind:])


def test_what_is_known_of_a_record_counts_as_a_change_of_its_place() -> None:
    order = Order()
    for id in range(3):
        order.add(record(id, 10 * id, 4))
    order.take_changed()
    order.touch(order[1])
    assert order.take_changed() == (10, 14)


def test_an_edit_far_behind_the_one_before_moves_what_lies_between_once() -> None:
    order = Order()
    for id in range(5):
        order.add(record(id, 10 * id, 4))
    for place in (5, 35, 5, 25):
        order.move(Edit(place, place, "x"))
    assert [one.start for one in order] == [0, 12, 22, 33, 44]
