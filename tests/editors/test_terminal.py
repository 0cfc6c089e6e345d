"""Neovim and Emacs in a real terminal, as a person uses them: keys go in, and the screen is looked at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.terminal import TMUX, Terminal

from saliscope.render.palettes import BLUE_ORANGE, rgb
from tests.editors.conftest import REVIEWS, ROOT, SERVER, installed
from tests.editors.test_emacs import EMACS, PACKAGES
from tests.editors.test_neovim import NVIM
from tests.editors.test_neovims import OLD

pytestmark = [*installed, pytest.mark.skipif(TMUX is None, reason="tmux is missing")]
NEOVIM = """\
vim.o.termguicolors, vim.o.background, vim.o.swapfile = true, "dark", false
vim.o.statusline = "%{g:saliscope_status} %t"
vim.g.saliscope_status = ""
vim.opt.runtimepath:append("PLUGIN")
vim.diagnostic.config({ virtual_text = true })
vim.keymap.set("n", "K", vim.lsp.buf.hover)
require("saliscope").setup({
  cmd = { SERVER },
  settings = { model = "demo-encoder", method = "occlusion", granularity = "word" },
})
"""
GONE = "the label is positive, the prediction negative"


def painted(word: str, bucket: int) -> str:
    """A word in the colours of a bucket, as a terminal writes it; what is behind it does not matter."""
    ink = BLUE_ORANGE.dark[bucket]
    text, ground = (";".join(map(str, rgb(colour))) for colour in (ink.text, ink.ground))
    return f"\x1b[38;2;{text}m\x1b[48;2;{ground}m{word}"


def has(terminal: Terminal, *painted_words: str) -> None:
    terminal.until(lambda shown: all(word in shown for word in painted_words), colours=True)


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path) -> Path:
    (tmp_path / "reviews.jsonl").write_text(REVIEWS, encoding="utf-8")
    server = ", ".join(f'"{word}"' for word in SERVER)
    settings = NEOVIM.replace("PLUGIN", str(ROOT / "editors" / "nvim")).replace("SERVER", server)
    (tmp_path / "init.lua").write_text(settings)
    return tmp_path


@pytest.fixture
def terminal(environment: dict[str, str], folder: Path) -> Iterator[Terminal]:
    terminal = Terminal(folder, environment, 170, 24)
    yield terminal
    terminal.end()


def kill(environment: dict[str, str]) -> None:
    """Kill the daemon of this user as `kill -9` does."""
    asked = [*SERVER[:-1], "status", "--json"]
    found = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    os.kill(json.loads(found.stdout)["pid"], signal.SIGKILL)


@pytest.mark.parametrize("nvim", [OLD, NVIM], ids=["old", "new"])
def test_a_person_writes_in_neovim(nvim: str, terminal: Terminal, environment: dict[str, str], folder: Path) -> None:
    terminal.type(f"cd {folder} && clear && {nvim} -i NONE -u init.lua -c 'set ft=jsonl' reviews.jsonl\r")
    terminal.until(lambda shown: shown.count("· occlusion") == 4 and shown.count(GONE) == 1)
    has(terminal, painted("boring", 3), painted("charming", 3))

    # The label is corrected, and that is undone.
    terminal.type(":2s/positive/negative/\r")
    terminal.until(lambda shown: GONE not in shown and shown.count("label negative · occlusion") == 2)
    terminal.type("u")
    terminal.until(lambda shown: GONE in shown and shown.count("label negative · occlusion") == 1)

    # A record is written, and one taken away.
    terminal.type('Go{"text": "a lovely film"}')
    has(terminal, painted("lovely", 3))
    terminal.press("Escape")
    terminal.until(lambda shown: shown.count("· occlusion") == 5)
    terminal.type("ggdd")
    terminal.until(lambda shown: shown.count("· occlusion") == 4)

    # A word is looked at, and another model.
    terminal.type("gg0/lifeless\r")
    terminal.type("K")
    terminal.until(lambda shown: "speaks against negative" in shown and "demo-encoder · occlusion" in shown)
    terminal.type("0:Saliscope model demo-decoder\r")
    terminal.until(lambda shown: shown.count("· occlusion") == 4)
    terminal.type("n:Saliscope explain\r")
    terminal.until(lambda shown: "demo-decoder · occlusion · for negative" in shown)
    terminal.type("0")

    # A daemon that is killed is told, and the next one goes on.
    kill(environment)
    terminal.until(lambda shown: "the daemon has gone" in shown)
    terminal.press("Enter")
    terminal.until(lambda shown: "connected reviews.jsonl" in shown)
    terminal.type('Go{"text": "a truly dreadful bore"}')
    terminal.press("Escape")
    terminal.until(lambda shown: shown.count("· occlusion") == 5)
    terminal.type(":w\r")
    terminal.until(lambda shown: "written" in shown)
    assert (folder / "reviews.jsonl").read_text().endswith('{"text": "a truly dreadful bore"}\n')

    # A buffer without a file.
    terminal.type(":enew | set ft=text\r")
    terminal.type("ia boring and predictable film")
    has(terminal, painted("boring", 3))
    terminal.press("Escape")
    terminal.type(":qall!\r")


def test_a_person_writes_in_emacs(terminal: Terminal, folder: Path) -> None:
    assert EMACS
    words = " ".join(f'"{word}"' for word in SERVER)
    (folder / "init.el").write_text(
        "(load-theme 'modus-vivendi t)\n"
        "(setq inhibit-startup-screen t eldoc-echo-area-use-multiline-p t eglot-sync-connect 60\n"
        f"      eglot-connect-timeout 120 saliscope-command '({words})\n"
        '      saliscope-settings \'(:model "demo-encoder" :method "occlusion" :granularity "word"))\n'
        "(require 'saliscope)\n"
        "(add-to-list 'auto-mode-alist '(\"\\\\.jsonl\\\\'\" . text-mode))\n"
        "(add-hook 'text-mode-hook #'saliscope-ensure)\n"
    )
    places = " ".join(f"-L {path}" for path in (*PACKAGES, str(ROOT / "editors" / "emacs")))
    terminal.type(f"cd {folder} && clear && {EMACS} -nw -Q {places} -l init.el reviews.jsonl\r")
    ground = ["48;2;" + ";".join(map(str, rgb(BLUE_ORANGE.dark[bucket].ground))) for bucket in (3, -3)]
    terminal.until(lambda shown: all(one in shown for one in ground), colours=True)
    strong = terminal.screen(colours=True).count(ground[0])
    terminal.press("M->")
    terminal.type('{"text": "a boring and predictable film"}')
    terminal.until(lambda shown: shown.count(ground[0]) > strong, colours=True)
    terminal.press("C-s")
    terminal.type("predictable\r")
    terminal.press("C-r")
    terminal.type("predictable\r")
    terminal.press("C-f")
    terminal.until(lambda shown: "speaks for negative" in shown)
    terminal.press("M-x")
    terminal.type("saliscope-set-method\rinput-x-gradient\r")
    terminal.press("C-f")
    terminal.until(lambda shown: "input-x-gradient" in shown and "speaks" in shown)
