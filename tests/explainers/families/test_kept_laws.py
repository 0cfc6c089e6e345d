"""Solved sampling laws in files: found again, never half there, and no harm where they are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saliscope.explainers.families import kept_laws
from saliscope.explainers.families.kept_laws import kept_law
from saliscope.explainers.families.sampling_tables import solve_law


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, bool]]:
    """What was solved for, with an empty cache folder."""
    calls: list[tuple[int, bool]] = []

    def solve(num_features: int, printed: bool) -> Any:
        calls.append((num_features, printed))
        return solve_law(num_features, printed)

    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(kept_laws, "solve_law", solve)
    return calls


def test_a_law_is_solved_once_and_found_again_bit_by_bit(solved: list[tuple[int, bool]], tmp_path: Path) -> None:
    asked = [(7, False), (7, True), (8, False)]
    first = [kept_law(*one) for one in asked]
    again = [kept_law(*one) for one in asked]
    assert solved == asked
    for one, law, same in zip(asked, first, again, strict=True):
        np.testing.assert_array_equal(law, same)
        np.testing.assert_array_equal(law, solve_law(*one))
    names = sorted(file.name for file in (tmp_path / "laws").iterdir())
    assert names == ["l1-corrected-v1-n7.npz", "l1-corrected-v1-n8.npz", "l1-printed-v1-n7.npz"]
    assert (tmp_path / "laws").stat().st_mode & 0o077 == 0


def test_another_version_of_the_formula_is_another_law(
    solved: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_law(6)
    monkeypatch.setattr(kept_laws, "FORMULA_VERSION", kept_laws.FORMULA_VERSION + 1)
    kept_law(6)
    assert solved == [(6, False)] * 2


def broken(how: str, file: Path) -> None:
    match how:
        case "cut":
            file.write_bytes(file.read_bytes()[:-40])
        case "empty":
            file.write_bytes(b"")
        case "noise":
            file.write_bytes(b"\x93NUMPY nonsense")
        case "flipped":
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 0xFF
            file.write_bytes(content)
        case "larger":
            kept_law(30)
            (file.parent / "l1-corrected-v1-n30.npz").rename(file)
        case "pickled":
            np.savez(file, size=np.asarray([object()]), last=[0], share=[1.0])
        case "no law":
            np.savez(file, size=[0, 1], last=[1, 1], share=[2.0, -1.0])
        case "not finite":
            np.savez(file, size=[0, 1], last=[1, 1], share=[np.nan, 1.0])


@pytest.mark.parametrize("how", ["cut", "empty", "noise", "flipped", "larger", "pickled", "no law", "not finite"])
def test_a_broken_file_goes_and_the_law_is_solved_again(
    solved: list[tuple[int, bool]], tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    whole = kept_law(9)
    broken(how, tmp_path / "laws" / "l1-corrected-v1-n9.npz")
    solved.clear()
    np.testing.assert_array_equal(kept_law(9), whole)
    assert solved == [(9, False)]
    assert "cannot be used and is solved again" in caplog.text
    np.testing.assert_array_equal(kept_law(9), whole)
    assert solved == [(9, False)], "the file is good again"


def test_where_nothing_can_be_kept_the_law_is_there_all_the_same(
    solved: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path / "file"))
    assert kept_law(6).sum() == pytest.approx(1.0)
    assert "the sampling law of 6 features is not kept" in caplog.text


def test_a_law_that_was_not_put_away_leaves_nothing_behind(
    solved: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    kept_law(6)
    assert list((tmp_path / "laws").iterdir()) == []


def test_the_folder_is_the_daemon_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from saliscope.protocol.paths import cache_dir

    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path / "own"))
    assert kept_laws.folder() == cache_dir() / "laws"
    monkeypatch.delenv("SALISCOPE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert kept_laws.folder() == cache_dir() / "laws"
