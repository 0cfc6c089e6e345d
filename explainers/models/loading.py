"""From a name to a model that is ready for questions, with what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from saliscope.explainers.errors import BadRequest, ExplainerError, LoadingFailed, NotCapable, first_line, listing
from saliscope.explainers.facts import Capability, Check, ModelFacts, ModelKind
from saliscope.explainers.models.adapters import adapter_digest, check_adapter, merge_adapter
from saliscope.explainers.models.attending import shows_attention
from saliscope.explainers.models.checking import check
from saliscope.explainers.models.checkpoint import Trust, auto_class_of, check_weights, read_model, read_tokenizer
from saliscope.explainers.models.continuing import Continuable, find_continuable
from saliscope.explainers.models.finding import OnStage, Source, find_source
from saliscope.explainers.models.fingerprint import fingerprint
from saliscope.explainers.models.footprint import measure
from saliscope.explainers.models.labels import Labelling
from saliscope.explainers.models.layout import lay_out
from saliscope.explainers.models.lending import HeadLoader
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.probing import is_scale_free
from saliscope.explainers.models.relevance import can_obey
from saliscope.explainers.models.sharing import refused
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.models.weighing import stored_dtype
from saliscope.explainers.texts.tokenizing import Tokenizing


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded; two loads of a name with equal options give the same model.

    `dtype` "auto" is float32 on the CPU, and on a GPU as the checkpoint is stored; scores are float32 always.
    `revision` is a branch, tag or commit of a hub id, `adapter` a LoRA folder that is merged into the weights.
    `attention` is "sdpa", "eager" or the architecture's default. With `self_check` the model is run briefly: does it
    keep what its capabilities promise (`checking`), and what does a row take (`footprint`)?
    """

    device: str = "auto"
    dtype: str = "float32"
    revision: str | None = None
    adapter: str | None = None
    attention: str | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False
    self_check: bool = True

    @property
    def trust(self) -> Trust:
        """What the checkpoint may do that runs code."""
        return Trust(self.allow_pickle, self.trust_remote_code)


def load(
    name: str,
    device: str = "auto",
    *,
    download: bool = False,
    on_stage: OnStage | None = None,
    **options: Any,
) -> TextModel:
    """Load a bundled model, a folder, a GGUF file or a hub id onto `device` ("auto", "cpu", "cuda:0", …).

    Further `options` are those of `LoadOptions`. Nothing is downloaded unless `download`; pickled weights are refused
    unless `allow_pickle`, and classes that the checkpoint brings unless `trust_remote_code`.
    Raises UnknownModel, LoadingFailed, NotCapable, BadRequest.
    """
    wished = LoadOptions(device, **options)
    source = find_source(name, revision=wished.revision, download=download, on_stage=on_stage)
    check_source(source, wished)
    return load_source(name, source, wished, on_stage)


def check_source(source: Source, options: LoadOptions) -> None:
    """Refuse, before anything large is read, what cannot be loaded this way."""
    check_weights(source, options.trust)
    pick_device(options.device)
    parse_dtype(options.dtype, source, torch.device("cpu"))
    if options.adapter is not None:
        check_adapter(Path(options.adapter).expanduser())


def load_source(name: str, source: Source, options: LoadOptions, on_stage: OnStage | None = None) -> TextModel:
    """Load what was found on disk as the model `name`."""
    stage = on_stage or (lambda text: None)
    stage(f"loading {name}")
    place = pick_device(options.device)
    keywords: dict[str, Any] = {"dtype": parse_dtype(options.dtype, source, place)}
    if options.attention:
        keywords["attn_implementation"] = options.attention
    try:
        model, unexpected = read_model(source, auto_class_of(source, options.trust), keywords, options.trust)
        tokenizer = read_tokenizer(source, options.trust)
    except (ExplainerError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # a damaged file may break its reader in any way
        if is_out_of_memory(error):
            raise
        raise LoadingFailed(f"{name} could not be loaded: {first_line(error)}") from error
    marks = [] if options.revision is None else [f"revision {options.revision}"]
    if options.adapter is not None:
        adapter = Path(options.adapter).expanduser()
        stage(f"merging {adapter.name} into {name}")
        model = merge_adapter(model, adapter)
        marks.append(f"adapter {adapter_digest(adapter)}")
    stage(f"checking {name}")
    model = model.to(place)
    lay_out(model)
    network = _network(model)
    tokenizing = Tokenizing(tokenizer)
    loader = HeadLoader(source, network, tokenizing, keywords, options.trust)
    facts = _facts(name, network, tokenizing, loader, unexpected)
    facts = replace(facts, fingerprint=fingerprint(network.model, marks))
    if options.self_check:
        facts = checked(facts, check(network, facts.max_tokens))
    model = TextModel(facts, network, tokenizing, loader, marks)
    if options.self_check:
        model.footprint = measure(network, facts.max_tokens)
    if network.causal:
        model.can_continue(_continuable(network, facts, options))
    return model


def _continuable(network: Network, facts: ModelFacts, options: LoadOptions) -> Continuable | str:
    """How rows can be continued, or why they are not."""
    if not options.self_check:
        return "it was not checked when it was loaded"
    if "causal" not in facts.capabilities:
        return facts.lacking["causal"]
    found = find_continuable(network, facts.max_tokens)
    return found if isinstance(found, str) else refused(network, found.longest) or found


def checked(facts: ModelFacts, found: tuple[Check, ...]) -> ModelFacts:
    """The facts with what was found: a failed check takes the capability that it is about."""
    about: dict[str, Capability] = {"causality": "causal", "completeness": "gradients"}
    lost = {
        about[one.name]: f"it failed the {one.name} check when it was loaded: {one.value:.2g}, at most {one.limit:.2g}"
        for one in found
        if not one.ok and one.name in about
    }
    return replace(
        facts,
        checks=found,
        capabilities=facts.capabilities - lost.keys(),
        lacking={**facts.lacking, **lost},
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, had no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error)


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


def parse_dtype(name: str, source: Source, place: torch.device) -> torch.dtype:
    """float32, float16 or bfloat16; "auto" is what is stored where the device is a GPU, else float32."""
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    known["auto"] = stored_dtype(source) if name == "auto" and place.type == "cuda" else torch.float32
    if name not in known:
        raise BadRequest(f"dtype {name!r} is none of {listing(known)}")
    return known[name]


def _network(model: Any) -> Network:
    """The model behind its narrow door, or `NotCapable` where its architecture breaks what we take for granted."""
    try:
        return Network(model)
    except (ExplainerError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        name = type(model).__name__
        raise NotCapable(f"{name} cannot be run from embeddings ({first_line(error)}); it needs an adapter") from error


def _facts(name: str, network: Network, tokenizing: Tokenizing, loader: HeadLoader, unexpected: set[str]) -> ModelFacts:
    config = network.model.config
    kind = _kind(network)
    labelling = network.labelling or Labelling((), "softmax")
    found: set[Capability] = {network.own_kind, "embeddings", "gradients", "unseen", "vocabulary"}
    if labelling.activation != "identity":
        found.add("probabilities")
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
    if tokenizing.unknown_id is not None:
        found.add("unknown")
    lacking: dict[Capability, str] = {}
    without = _find_own_head(network, loader, unexpected)
    if without is not None:
        lacking["lm-head"] = without
    else:
        found.add("lm-head")
        if network.causal:
            found.add("next-token")
    if "lm-head" in found or network.embedding_size == config.hidden_size:
        found.add("readable")
    if "probabilities" not in found:
        lacking["probabilities"] = "its head is a regression: one number, no classes"
    return ModelFacts(
        name=name,
        kind=kind,
        labels=labelling.labels,
        capabilities=frozenset(found),
        num_layers=int(config.num_hidden_layers),
        max_tokens=max_tokens(network, tokenizing.tokenizer),
        vocab_size=int(config.vocab_size),
        mask_id=0 if mask_id is None else mask_id,
        mask_text="" if mask_id is None else tokenizing.token_text(mask_id),
        fingerprint="",
        activation=labelling.activation,
        hints=_hints(config),
        window=network.window,
        lacking=lacking,
        scale_free=is_scale_free(network, network.probe_batch(), network.own_kind),
    )


def _hints(config: Any) -> dict[str, dict[str, Any]]:
    """The checkpoint's own recommendations, `{method: {parameter: value}}`; anything of another shape is none."""
    found = getattr(config, "saliscope", None)
    if not isinstance(found, dict):
        return {}
    return {str(method): dict(params) for method, params in found.items() if isinstance(params, dict)}


def _find_own_head(network: Network, loader: HeadLoader, unexpected: set[str]) -> str | None:
    """Look for a trained language-model head, which a decoder takes for next tokens; None, or why there is none."""
    if "next-token" in network.heads:
        return None
    tied = network.causal and bool(network.model.config.tie_word_embeddings)
    if not tied and not any("head" in key or "predictions" in key or "vocab" in key for key in unexpected):
        return "the checkpoint holds no language-model head"
    try:
        head = loader(None)
    except NotCapable as error:
        return error.message
    if network.causal:
        network.heads["next-token"] = head
    return None


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
