"""Models from names: the bundled ones, local folders, and hub ids. The only module here that reads files."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from saliscope.explainers.attending import shows_attention
from saliscope.explainers.errors import BadRequest, ExplainerError, LoadingFailed, NotCapable, UnknownModel, listing
from saliscope.explainers.facts import Capability, ModelFacts, ModelKind
from saliscope.explainers.fingerprint import fingerprint
from saliscope.explainers.heads import Head
from saliscope.explainers.network import Network
from saliscope.explainers.relevance import can_obey
from saliscope.explainers.textmodel import TextModel
from saliscope.explainers.tokenizing import Tokenizing

BUNDLED: Final = ("demo-encoder", "demo-decoder")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
HUB_FILES: Final = ["*.json", "*.safetensors", "*.model", "*.txt"]
OnStage = Callable[[str], None]

_LOADING = threading.Lock()


def load(
    name: str,
    device: str = "auto",
    *,
    attention: str | None = None,
    dtype: str = "float32",
    download: bool = False,
    allow_pickle: bool = False,
    on_stage: OnStage | None = None,
) -> TextModel:
    """Load a bundled model, a folder or a hub id onto `device` ("auto", "cpu", "cuda:0", …).

    `attention` is "sdpa", "eager" or the architecture's default; nothing is downloaded unless `download`, and
    pickled weights are refused unless `allow_pickle`. Raises UnknownModel, LoadingFailed, NotCapable.
    """
    stage = on_stage or (lambda text: None)
    folder = find_folder(name, download=download, on_stage=stage)
    check_weights(folder, allow_pickle)
    stage(f"loading {name}")
    place = pick_device(device)
    options: dict[str, Any] = {"dtype": parse_dtype(dtype)} | ({"attn_implementation": attention} if attention else {})
    if not allow_pickle:
        options["use_safetensors"] = True
    try:
        model, unexpected = _load_model(folder, _auto_class(folder), options)
        tokenizer = _load_tokenizer(folder)
    except (ExplainerError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a damaged file may break its reader in any way
        raise LoadingFailed(f"{name} could not be loaded: {_first_line(error)}") from error
    stage(f"checking {name}")
    network = _network(model.to(place))
    tokenizing = Tokenizing(tokenizer)
    loader = _HeadLoader(folder, network, tokenizing, options, allow_pickle)
    facts = _facts(name, network, tokenizing, loader, unexpected)
    return TextModel(facts, network, tokenizing, loader)


def find_folder(name: str, *, download: bool, on_stage: OnStage) -> Path:
    """The folder of a model: bundled, local, or a snapshot in the hub's cache (fetched only if `download`)."""
    if name in BUNDLED:
        return Path(str(files("saliscope.explainers.demo") / name))
    local = Path(name).expanduser()
    if name and local.is_dir():
        return local
    if local.is_file() or name.startswith(("/", ".", "~")) or not HUB_ID.fullmatch(name):
        raise UnknownModel(f"{name!r} is no folder and no hub id; bundled are {listing(BUNDLED)}")
    from huggingface_hub import snapshot_download

    if download:
        on_stage(f"downloading {name}")
    try:
        return Path(snapshot_download(name, local_files_only=not download, allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:
        why = "could not be downloaded" if download else "is not in the hub's cache; --download fetches it"
        detail = f" ({_first_line(error)})" if download else ""
        raise UnknownModel(
            f"{name!r} is not bundled ({listing(BUNDLED)}), no folder here, and {why}{detail}"
        ) from error


def check_weights(folder: Path, allow_pickle: bool) -> None:
    """Refuse a folder that holds no model, or only pickled weights (which can run code when they are read)."""
    if not (folder / "config.json").is_file():
        raise LoadingFailed(f"{folder} is no model: it has no config.json")
    if any(folder.glob("model*.safetensors")):
        return
    pickled = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt"))
    if not pickled:
        raise LoadingFailed(f"{folder} has a config.json but no weights (model.safetensors)")
    if not allow_pickle:
        raise LoadingFailed(
            f"{folder} holds only pickled weights ({listing(pickled)}), which may run code when read. Convert them:"
            " save_pretrained writes safetensors. Or trust them: start the daemon with SALISCOPE_ALLOW_PICKLE=1,"
            " or load(…, allow_pickle=True)"
        )


def pick_device(device: str) -> torch.device:
    """The device by name; "auto" is the first GPU, or the CPU."""
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError:
        raise BadRequest(f"device {device!r} is none; use auto, cpu or cuda:N") from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BadRequest(f"device {device!r}: torch sees no GPU here; use cpu")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise BadRequest(f"device {device!r}: torch sees {torch.cuda.device_count()} GPUs, counted from cuda:0")
    if place.type not in ("cpu", "cuda"):
        raise BadRequest(f"device {device!r} is not supported; use auto, cpu or cuda:N")
    return place


def parse_dtype(name: str) -> torch.dtype:
    """float32, float16 or bfloat16."""
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in known:
        raise BadRequest(f"dtype {name!r} is none of {listing(known)}")
    return known[name]


def _auto_class(folder: Path) -> Any:
    """The class by what the checkpoint says it holds; a classifier wins over a language model."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise LoadingFailed(f"{folder}: the configuration cannot be read: {_first_line(error)}") from error
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


def _load_model(folder: Path, auto_class: Any, options: dict[str, Any]) -> tuple[Any, set[str]]:
    """A model whose weights are all in the checkpoint, and the names of the weights it did not use."""
    with _alone_and_quiet():
        model, info = auto_class.from_pretrained(
            folder,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # to say below which ones
            local_files_only=True,
            trust_remote_code=False,
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


def _network(model: Any) -> Network:
    """The model behind its narrow door, or `NotCapable` where its architecture breaks what we take for granted."""
    try:
        return Network(model)
    except (ExplainerError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        name = type(model).__name__
        raise NotCapable(f"{name} cannot be run from embeddings ({_first_line(error)}); it needs an adapter") from error


def _load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder; where its files are missing transformers makes up one of special tokens alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
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


class _HeadLoader:
    """Loads the language-model head of a checkpoint, its own or another's, if it is trained and fits."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        tokenizing: Tokenizing,
        options: dict[str, Any],
        allow_pickle: bool,
    ) -> None:
        self.folder, self.network, self.tokenizing = folder, network, tokenizing
        self.options, self.allow_pickle = options, allow_pickle
        self._loaded: dict[str | None, Head] = {}

    def __call__(self, source: str | None) -> Head:
        """The head of model `source`, or of this checkpoint; refused unless it is trained and fits."""
        own = self.network.heads.get("next-token")
        if source is None and isinstance(own, Head):
            return own
        if source not in self._loaded:
            self._loaded[source] = self._load(source)
        return self._loaded[source]

    def _load(self, source: str | None) -> Head:
        folder = self.folder
        if source is not None:
            # A head is never fetched on the way: `saliscope models load NAME --download` does that.
            folder = find_folder(source, download=False, on_stage=lambda text: None)
            check_weights(folder, self.allow_pickle)
        auto_class = AutoModelForCausalLM if self.network.causal else AutoModelForMaskedLM
        try:
            model, _ = _load_model(folder, auto_class, self.options)
            other = None if source is None else _load_tokenizer(folder)
        except LoadingFailed as error:
            raise NotCapable(
                f"the language-model head of {source or 'this checkpoint'} does not serve: {error}"
            ) from error
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise NotCapable(
                f"{source or 'this checkpoint'} gives no language-model head: {_first_line(error)}"
            ) from error
        self._check_fit(model, other, source)
        return Head(model.to(self.network.device).eval().requires_grad_(False), source or "own")

    def _check_fit(self, model: Any, other: Any, source: str | None) -> None:
        """Same hidden size, same vocabulary size, and the same ids for ordinary words."""
        ours, theirs = self.network.model.config, model.config
        if ours.hidden_size != theirs.hidden_size:
            raise NotCapable(
                f"the head of {source} reads {theirs.hidden_size} dimensions, this model has {ours.hidden_size}"
            )
        if other is None:
            return
        if theirs.vocab_size < ours.vocab_size:
            raise NotCapable(f"the head of {source} knows {theirs.vocab_size} tokens, this model {ours.vocab_size}")
        words = "the of and to a in is that it was for on are as with his they at be this from I have or by one had"
        for word in [*words.split(), *(f" {word}" for word in words.split())]:
            if self.tokenizing.tokenizer(word)["input_ids"] != other(word)["input_ids"]:
                raise NotCapable(f"the head of {source} has another vocabulary: {word!r} has different ids there")


def _facts(
    name: str, network: Network, tokenizing: Tokenizing, loader: _HeadLoader, unexpected: set[str]
) -> ModelFacts:
    config = network.model.config
    kind = _kind(network)
    labels: tuple[str, ...] = ()
    if network.own_kind == "class":
        labels = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    found: set[Capability] = {network.own_kind, "gradients"}
    if network.causal:
        found.add("causal")
    if network.anatomy is not None:
        found.add("layers")
    if shows_attention(network):
        found.add("attention")
    if can_obey(network):
        found.add("rules")
    mask_id = tokenizing.mask_token(network.causal)
    if mask_id is not None:
        found.add("mask")
    if network.first_place is not None:
        found.add("drop")
    if _own_head(network, loader, unexpected):
        found.add("lm-head")
        if network.causal:
            found.add("next-token")
    if "lm-head" in found or network.embedding_size == config.hidden_size:
        found.add("readable")
    sigmoid = config.num_labels == 1 or config.problem_type == "multi_label_classification"
    return ModelFacts(
        name=name,
        kind=kind,
        labels=labels,
        capabilities=frozenset(found),
        num_layers=int(config.num_hidden_layers),
        max_tokens=max_tokens(network, tokenizing.tokenizer),
        vocab_size=int(config.vocab_size),
        mask_id=0 if mask_id is None else mask_id,
        mask_text="" if mask_id is None else tokenizing.token_text(mask_id),
        fingerprint=fingerprint(network.model),
        activation="sigmoid" if network.own_kind == "class" and sigmoid else "softmax",
        hints=_hints(config),
        window=network.window,
    )


def _hints(config: Any) -> dict[str, dict[str, Any]]:
    """The checkpoint's own recommendations, `{method: {parameter: value}}`; anything of another shape is none."""
    found = getattr(config, "saliscope", None)
    if not isinstance(found, dict):
        return {}
    return {str(method): dict(params) for method, params in found.items() if isinstance(params, dict)}


def _own_head(network: Network, loader: _HeadLoader, unexpected: set[str]) -> bool:
    """Whether the checkpoint holds a trained language-model head; a decoder's becomes its next-token head."""
    if "next-token" in network.heads:
        return True
    tied = network.causal and bool(network.model.config.tie_word_embeddings)
    if not tied and not any("head" in key or "predictions" in key or "vocab" in key for key in unexpected):
        return False
    try:
        head = loader(None)
    except NotCapable:
        return False
    if network.causal:
        network.heads["next-token"] = head
    return True


def _kind(network: Network) -> ModelKind:
    if network.own_kind == "next-token":
        if not network.causal:
            raise NotCapable("this language model looks ahead; only causal ones predict a next token")
        return "causal-lm"
    return "decoder-classifier" if network.causal else "encoder-classifier"


def max_tokens(network: Network, tokenizer: Any) -> int:
    """How many ids the model takes: its position table less the rows kept for padding, and the tokenizer's word."""
    limit = int(getattr(network.model.config, "max_position_embeddings", None) or 1_000_000)
    for name, module in network.body.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            limit = min(limit, int(module.num_embeddings) - int(module.padding_idx) - 1)
    return min(limit, int(tokenizer.model_max_length))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    if not text:
        return type(error).__name__
    return "".join(char if char.isprintable() else " " for char in text.splitlines()[0])
