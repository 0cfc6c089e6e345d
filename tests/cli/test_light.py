from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "transformers", "rich", "numpy", "asyncio", "textual", "pygls", "tokenizers"}
CODE = """
import sys
sys.argv = ["saliscope", *sys.argv[1:]]
from saliscope.cli.__main__ import main
try:
    status = main()
except SystemExit as end:
    status = end.code
print("MODULES", *sys.modules)
print("STATUS", status or 0)
"""


def modules_after(tmp_path: Path, *arguments: str) -> tuple[set[str], str]:
    """The modules that a command has imported, and what it printed."""
    found = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin", "SALISCOPE_RUNTIME_DIR": f"{tmp_path}/r", "SALISCOPE_CACHE_DIR": f"{tmp_path}/c"},
    )  # fmt: skip
    output, _, rest = found.stdout.partition("MODULES ")
    assert "STATUS 0" in rest
    return set(rest.split()), output


@pytest.mark.parametrize(
    "arguments", [("--help",), (), ("--version",), ("status",), ("status", "--json"), ("ps",), ("explain", "--help")]
)
def test_cold_commands_import_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    modules, output = modules_after(tmp_path, *arguments)
    assert not modules & HEAVY
    assert output


def test_the_help_imports_no_command(tmp_path: Path) -> None:
    modules, _ = modules_after(tmp_path, "--help")
    assert not [name for name in modules if name.startswith("saliscope.cli.commands.")]
    assert not [name for name in modules if name.startswith("saliscope.render")]


def test_status_does_without_click_and_renderers(tmp_path: Path) -> None:
    modules, output = modules_after(tmp_path, "status")
    assert not modules & {"click", "msgspec", "platformdirs"}
    assert not [name for name in modules if name.startswith("saliscope.render")]
    assert output.startswith("not running")


def test_status_through_click_says_the_same(tmp_path: Path) -> None:
    assert modules_after(tmp_path, "daemon", "status")[1] == modules_after(tmp_path, "status")[1]


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    shell = f"{sys.executable} -m saliscope.cli --help | sleep 0; exit ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert found.stderr == ""
    assert found.returncode in (0, 141)
