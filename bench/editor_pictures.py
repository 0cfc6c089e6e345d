"""Pictures of Neovim and of Emacs with their plugins, in a real terminal, for docs/editors.md (`make pictures`)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Final

from bench.load.house import own_daemon
from bench.terminal import Terminal
from saliscope.render.palettes import BLUE_ORANGE, rgb

ROOT: Final = Path(__file__).resolve().parents[1]
SERVER: Final = (sys.executable, "-m", "saliscope.cli", "lsp")
COLUMNS: Final = 128
REVIEWS: Final = (
    '{"label": "negative", "text": "the plot is a mess but the cast is wonderful"}\n'
    '{"label": "positive", "text": "a dull lifeless and boring film"}\n'
    '{"label": "positive", "text": "größer 😀 and warm and a charming film"}\n'
    '{"text": "a slow and predictable film"}\n'
)
NEOVIM: Final = """\
vim.o.termguicolors, vim.o.background, vim.o.number, vim.o.swapfile = true, "dark", true, false
vim.o.statusline = " %f  %{get(g:, 'saliscope_status', '')} %=%l,%c "
vim.o.winborder = "rounded"
vim.api.nvim_set_hl(0, "LspCodeLens", { link = "Comment" })
vim.opt.runtimepath:append("PLUGIN")
vim.diagnostic.config({ virtual_lines = true })
require("saliscope").setup({
  cmd = { SERVER },
  settings = { model = "demo-encoder", method = "occlusion", granularity = "word" },
})
"""
EMACS: Final = """\
(load-theme 'modus-vivendi t)
(menu-bar-mode -1)
(setq inhibit-startup-screen t eldoc-echo-area-use-multiline-p t eglot-connect-timeout 120 eglot-sync-connect 60
      saliscope-command '(SERVER)
      saliscope-settings '(:model "demo-encoder" :method "occlusion" :granularity "word"))
(require 'saliscope)
(add-to-list 'auto-mode-alist '("\\\\.jsonl\\\\'" . text-mode))
(add-hook 'text-mode-hook #'display-line-numbers-mode)
(add-hook 'text-mode-hook #'saliscope-ensure)
"""
#: How a terminal writes the ground of the strongest words.
STRONG, AGAINST = ("48;2;" + ";".join(map(str, rgb(BLUE_ORANGE.dark[bucket].ground))) for bucket in (3, -3))


def main() -> None:
    """Write every picture into the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    with own_daemon():
        for name, make in {"neovim": neovim, "neovim-numbers": numbers, "emacs": emacs}.items():
            (folder / f"{name}.svg").write_text(make(), encoding="utf-8")
            print(folder / f"{name}.svg")


def neovim() -> str:
    """A hover over a word; above it a record that is mispredicted."""
    with _neovim(16, "charming") as terminal:
        terminal.type("K")
        terminal.until(lambda shown: "speaks for positive" in shown)
        terminal.rest()
        return terminal.picture("Neovim", "#14161b", "#e0e2ea")


def numbers() -> str:
    """All numbers of the record, beside those of another method."""
    with _neovim(17, "lifeless") as terminal:
        terminal.type(":Saliscope compare input-x-gradient\r")
        terminal.until(lambda shown: "occlusion  input-x-gradient" in shown)
        terminal.rest()
        return terminal.picture("Neovim", "#14161b", "#e0e2ea")


def emacs() -> str:
    """The same in Emacs: eldoc in the echo area, flymake below the text."""
    paths = [*glob("/usr/share/emacs/site-lisp/elpa/*/"), str(ROOT / "editors" / "emacs")]
    with _editor(EMACS, "init.el", 18) as (terminal, folder):
        places = " ".join(f"-L {path}" for path in paths)
        terminal.type(f"cd {folder} && clear && emacs -nw -Q {places} -l init.el reviews.jsonl\r")
        terminal.until(_is_coloured, colours=True)
        terminal.press("M-x")
        terminal.type("flymake-show-buffer-diagnostics\r")
        terminal.until(lambda shown: "eglot-warning" in shown or "warning" in shown)
        terminal.press("C-s")
        terminal.type("lifeless\r")
        # Eldoc speaks after some commands only, a step among them.
        terminal.press("C-b")
        terminal.until(lambda shown: "speaks against" in shown)
        terminal.rest()
        return terminal.picture("Emacs", "#000000", "#ffffff")


@contextmanager
def _neovim(rows: int, word: str) -> Iterator[Terminal]:
    """Neovim with the caret on a word, and all of the file explained."""
    beside = Path(sys.executable).with_name("nvim")
    nvim = os.environ.get("SALISCOPE_NVIM") or (str(beside) if beside.exists() else shutil.which("nvim"))
    settings = NEOVIM.replace("PLUGIN", str(ROOT / "editors" / "nvim"))
    with _editor(settings, "init.lua", rows, ", ") as (terminal, folder):
        terminal.type(f"cd {folder} && clear && {nvim} -i NONE -u init.lua reviews.jsonl\r")
        terminal.until(_is_coloured, colours=True)
        terminal.until(lambda shown: shown.count("occlusion") == 4 and "the prediction negative" in shown)
        terminal.type(f"/{word}\r:nohlsearch\r")
        terminal.rest()
        yield terminal


@contextmanager
def _editor(settings: str, name: str, rows: int, between: str = " ") -> Iterator[tuple[Terminal, Path]]:
    """A terminal, and a folder with the reviews and the settings of an editor."""
    folder = Path(tempfile.mkdtemp(prefix="sal-", dir="/tmp"))
    (folder / "reviews.jsonl").write_text(REVIEWS, encoding="utf-8")
    server = between.join(f'"{word}"' for word in SERVER)
    (folder / name).write_text(settings.replace("SERVER", server), encoding="utf-8")
    python = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    terminal = Terminal(folder, {**os.environ, "PYTHONPATH": python, "HOME": str(folder)}, COLUMNS, rows)
    try:
        yield terminal, folder
    finally:
        terminal.end()
        shutil.rmtree(folder, ignore_errors=True)


def _is_coloured(screen: str) -> bool:
    return screen.count(STRONG) >= 4 and AGAINST in screen


if __name__ == "__main__":
    main()
