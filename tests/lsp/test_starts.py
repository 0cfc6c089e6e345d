"""Line starts that move together: as if each had been moved by itself."""

from __future__ import annotations

import random
from bisect import bisect_right

import pytest

from saliscope.lsp.starts import Starts


@pytest.mark.parametrize("seed", range(10))
def test_lines_begin_where_they_would_if_each_were_moved(seed: int) -> None:
    chance = random.Random(seed)
    plain = sorted({0, *chance.choices(range(500), k=60)})
    starts = Starts(plain)
    for _ in range(200):
        first = chance.randrange(len(plain))
        rest = min(len(plain), first + chance.choice((1, 1, 1, 2, 5)))
        begin = plain[first]
        end = plain[rest] if rest < len(plain) else plain[-1] + 30
        fresh = sorted({begin, *chance.choices(range(begin, begin + 40), k=chance.randrange(4))})
        shift = max(fresh[-1] + chance.randrange(1, 20) - end, -end) if rest < len(plain) else chance.randrange(20)
        plain = [*plain[:first], *fresh, *(start + shift for start in plain[rest:])]
        starts.replace(first, rest, fresh, shift)
        assert [starts[line] for line in range(len(starts))] == plain
        for offset in (0, *chance.choices(range(plain[-1] + 40), k=20), *plain):
            assert starts.line_of(offset) == bisect_right(plain, offset) - 1
