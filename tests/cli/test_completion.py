"""`saliscope completion`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("folders")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_SALISCOPE_COMPLETE" in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_completion_knows_commands_models_and_methods(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SALISCOPE_COMPLETE", "bash_complete")

    def complete(words: str, at: int) -> str:
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(at))
        from click.testing import CliRunner

        from saliscope.cli.app import app

        return CliRunner().invoke(app, [], prog_name="saliscope").stdout

    assert "plain,explain" in complete("saliscope exp", 1)
    assert "plain,demo-encoder" in complete("saliscope explain --model demo", 3)
    assert "plain,occlusion" in complete("saliscope explain --method occ", 3)
    assert "plain,occlusion" in complete("saliscope methods occ", 2)
