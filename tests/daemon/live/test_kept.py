from __future__ import annotations

from saliscope.daemon.front.live.kept import Kept


def test_what_was_used_longest_ago_goes_first_and_the_bytes_stay_within_the_limit() -> None:
    kept = Kept(limit=100)
    for key in "abc":
        kept.put(key, {"text": "x" * 20})
    assert kept.get("a") == {"text": "x" * 20}
    kept.put("d", {"text": "x" * 20})
    assert ["a" in kept, "b" in kept, "c" in kept, "d" in kept] == [True, False, True, True]
    assert 0 < kept.num_bytes <= 100


def test_an_explanation_takes_the_place_of_the_one_before_and_one_too_large_is_not_kept() -> None:
    kept = Kept(limit=100)
    kept.put("a", {"text": "x" * 50})
    before = kept.num_bytes
    kept.put("a", {"text": "y" * 50})
    assert kept.num_bytes == before
    kept.put("b", {"text": "x" * 200})
    assert kept.num_bytes == 0
    assert kept.get("b") is None
