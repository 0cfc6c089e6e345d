"""Checkpoints on disk: checked, and read by transformers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from saliscope.explainers.errors import LoadingFailed, NotCapable, first_line, listing
from saliscope.explainers.models.finding import Source

_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Trust:
    """What a checkpoint may do that runs code of its maker: be pickled, or bring classes of its own (`auto_map`)."""

    pickle: bool = False
    code: bool = False


def check_weights(source: Source, trust: Trust) -> None:
    """Refuse a folder that holds no model, or only pickled weights that are not trusted."""
    folder = source.folder
    if source.gguf is not None:
        return
    if not (folder / "config.json").is_file():
        raise LoadingFailed(f"{folder} is no model: it has no config.json")
    if any(folder.glob("model*.safetensors")):
        return
    pickled = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt"))
    if not pickled:
        raise LoadingFailed(f"{folder} has a config.json but no weights (model.safetensors)")
    if not trust.pickle:
        raise LoadingFailed(
            f"{folder} holds only pickled weights ({listing(pickled)}), which may run code when read. Convert them:"
            " save_pretrained writes safetensors. Or trust them: start the daemon with --allow-pickle, or"
            " load(…, allow_pickle=True)"
        )


def auto_class_of(source: Source, trust: Trust) -> Any:
    """The class by what the checkpoint says it holds; a classifier wins over a language model, which GGUF always is."""
    if source.gguf is not None:
        return AutoModelForCausalLM
    folder = source.folder
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust.code)
    except (OSError, ValueError, KeyError) as error:
        if not trust.code and _brings_code(source):
            raise LoadingFailed(
                f"{folder.name} brings a model class of its own, as code, which is not run. If you trust its maker:"
                " start the daemon with --trust-remote-code, or load(…, trust_remote_code=True)"
            ) from error
        raise LoadingFailed(f"{folder}: the configuration cannot be read: {first_line(error)}") from error
    names = list(config.architectures or ())
    if config.is_encoder_decoder:
        raise NotCapable(f"{listing(names)} is an encoder-decoder; saliscope explains encoders and decoders")
    if any(name.endswith("ForSequenceClassification") for name in names):
        return AutoModelForSequenceClassification
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        return AutoModelForCausalLM
    held = listing(names) or "nothing it names"
    raise NotCapable(
        f"{folder.name} holds {held}: saliscope explains sequence classifiers (…ForSequenceClassification) and"
        " causal language models (…ForCausalLM); fine-tune or choose one of those"
    )


def _brings_code(source: Source) -> bool:
    try:
        return "auto_map" in json.loads((source.folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def read_model(source: Source, auto_class: Any, options: dict[str, Any], trust: Trust) -> tuple[Any, set[str]]:
    """A model whose weights are all in the checkpoint, and the names of the weights it did not use."""
    folder = source.folder
    if not trust.pickle:
        options = {**options, "use_safetensors": True}
    if source.gguf is not None:
        options = {**options, "quantization_config": transformers.GgufConfig(dequantize=True), **source.reading}
        options.pop("use_safetensors", None)
    with _alone_and_quiet():
        model, info = auto_class.from_pretrained(
            folder,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # to say below which ones
            local_files_only=True,
            trust_remote_code=trust.code,
            **options,
        )
    odd = sorted(f"{key} {list(stored)}, not {list(wanted)}" for key, stored, wanted in info["mismatched_keys"])
    if odd:
        raise LoadingFailed(f"{folder.name}: the weights have other shapes than config.json says ({listing(odd, 3)})")
    missing = sorted(info["missing_keys"])
    if missing:
        raise LoadingFailed(
            f"{folder.name}: {type(model).__name__} needs weights that the checkpoint lacks ({listing(missing, 3)});"
            " its answers would be random"
        )
    return model, set(info["unexpected_keys"])


def read_tokenizer(source: Source, trust: Trust) -> Any:
    """A model's tokenizer; where its files are missing transformers makes up one of special tokens alone."""
    folder = source.folder
    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=trust.code, **source.reading
    )
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise LoadingFailed(f"{folder} has no tokenizer; save the model's own there (tokenizer.save_pretrained)")
    return tokenizer


@contextmanager
def _alone_and_quiet() -> Iterator[None]:
    """One load at a time: `from_pretrained` patches classes of its library meanwhile, and so does its logging."""
    with _LOADING:
        before = transformers.logging.get_verbosity()
        bars = transformers.logging.is_progress_bar_enabled()
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        try:
            yield
        finally:
            transformers.logging.set_verbosity(before)
            if bars:
                transformers.logging.enable_progress_bar()
