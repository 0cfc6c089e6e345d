"""Checkpoints that could run code of their makers: none runs unless somebody trusts it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from saliscope.explainers import explain, load
from saliscope.explainers.errors import LoadingFailed
from tests.explainers.damaged import edit_config, pickled, refusal

TEXT = "the plot is a mess but the cast is wonderful"


def test_pickled_weights_are_refused_with_the_way_to_allow_them(copied: Any) -> None:
    folder = pickled(copied())
    message = refusal(LoadingFailed, folder)
    assert "pytorch_model.bin" in message
    assert "--allow-pickle" in message
    assert "allow_pickle=True" in message


def test_pickled_weights_load_once_they_are_allowed(copied: Any, tiny_folder: Any) -> None:
    model = load(str(pickled(copied())), "cpu", allow_pickle=True)
    assert model.facts.fingerprint == load(str(tiny_folder("bert")), "cpu").facts.fingerprint


def test_a_decoy_does_not_let_pickled_weights_in(copied: Any) -> None:
    folder = pickled(copied())
    (folder / "training.safetensors").write_bytes(b"")
    assert "--allow-pickle" in refusal(LoadingFailed, folder)
    (folder / "model.fp16.safetensors").write_bytes(b"")
    refusal(LoadingFailed, folder)


def test_a_pickle_that_runs_code_runs_none_even_where_pickles_are_allowed(copied: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    folder = pickled(copied())
    torch.save({"classifier.bias": Evil()}, folder / "pytorch_model.bin")
    for allowed in (False, True):
        refusal(LoadingFailed, folder, allow_pickle=allowed)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def with_code(copied: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a BERT of a given type whose folder brings classes that leave a trace where they run; gives both."""
    modules = tmp_path / "modules"
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(modules))
    monkeypatch.setattr(sys, "path", [*sys.path, str(modules)])

    def make(model_type: str) -> tuple[Path, Path]:
        folder, ran = copied(), tmp_path / "ran"
        (folder / "theirs.py").write_text(
            "import pathlib\nfrom transformers import BertConfig, BertForSequenceClassification\n"
            f"pathlib.Path({str(ran)!r}).touch()\n"
            f"class TheirConfig(BertConfig):\n    model_type = {model_type!r}\n"
            "class TheirForSequenceClassification(BertForSequenceClassification):\n    config_class = TheirConfig\n"
        )
        auto = {
            "AutoConfig": "theirs.TheirConfig",
            "AutoModelForSequenceClassification": "theirs.TheirForSequenceClassification",
        }
        edit_config(folder, auto_map=auto, model_type=model_type)
        return folder, ran

    yield make
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        del sys.modules[name]


@pytest.mark.parametrize("model_type", ["bert", "their-own"])
def test_code_in_a_model_folder_is_not_run(model_type: str, with_code: Any) -> None:
    folder, ran = with_code(model_type)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    auto = {"AutoTokenizer": ["theirs.BertTokenizer", None]}
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "auto_map": auto}))
    if model_type == "bert":
        assert len(explain(load(str(folder), "cpu"), TEXT).scores) == 10
    else:
        message = refusal(LoadingFailed, folder)
        assert "--trust-remote-code" in message
        assert "trust_remote_code=True" in message
    assert not ran.exists()
    assert not any("theirs" in name for name in sys.modules)


def test_code_in_a_model_folder_runs_once_it_is_trusted(with_code: Any, tiny_folder: Any) -> None:
    folder, ran = with_code("their-own")
    model = load(str(folder), "cpu", trust_remote_code=True)
    assert ran.exists()
    assert type(model.network.model).__name__ == "TheirForSequenceClassification"
    ours = explain(load(str(tiny_folder("bert")), "cpu"), TEXT)
    assert explain(model, TEXT).scores == pytest.approx(ours.scores, abs=1e-6)
