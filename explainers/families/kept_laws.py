"""Sampling laws that were solved for, kept in files: what takes seconds to minutes is solved once on a machine.

A file is named after all that its law depends on; nothing of any text is in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np

from saliscope.explainers.families.coalitions import Wide
from saliscope.explainers.families.sampling_tables import solve_law

#: Counts up whenever the same number of features would give another law.
FORMULA_VERSION: Final = 1

_LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where laws are kept: `laws` in the cache folder that the daemon has too."""
    override = os.environ.get("SALISCOPE_CACHE_DIR")
    if override:
        return Path(override) / "laws"
    from platformdirs import user_cache_path

    return user_cache_path("saliscope", appauthor=False) / "laws"


def kept_law(num_features: int, printed: bool = False) -> Wide:
    """What `solve_law` gives, `[n, n]`, from its file or solved for and put there.

    A file that does not hold such a law is removed; a folder that cannot be written is told of in the log.
    """
    formula = "printed" if printed else "corrected"
    file = folder() / f"l1-{formula}-v{FORMULA_VERSION}-n{num_features}.npz"
    law = _read(file, num_features)
    if law is None:
        law = solve_law(num_features, printed)
        _write(file, law)
    return law


def _read(file: Path, num_features: int) -> Wide | None:
    """The law in a file; None if there is no file, or no longer one."""
    law = np.zeros((num_features, num_features))
    try:
        # Cut short or overwritten it may be anything: neither names, shapes nor numbers are taken for granted.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            sizes, lasts, shares = (stored[name] for name in ("size", "last", "share"))
        law[sizes, lasts] = shares
        if (law < 0).any() or not np.isclose(law.sum(), 1.0, rtol=0, atol=1e-9) or np.tril(law, -1).any():
            raise ValueError("its numbers are no law")
    except FileNotFoundError:
        return None
    except Exception as error:
        _LOG.warning("the sampling law in %s cannot be used and is solved again: %s", file, error)
        with contextlib.suppress(OSError):
            file.unlink()
        return None
    return law


def _write(file: Path, law: Wide) -> None:
    """Put a law into its file, which at no time is there in part."""
    sizes, lasts = np.nonzero(law)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as opened:
                np.savez(opened, size=sizes, last=lasts, share=law[sizes, lasts])
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        _LOG.warning("the sampling law of %d features is not kept: %s", len(law), error)
