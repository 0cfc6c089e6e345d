"""From a name to a model that is ready for questions, with what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from saliscope.explainers.errors import ExplainerError, LoadingFailed, NotCapable, first_line
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models.adapters import adapter_digest, check_adapter, merge_adapter
from saliscope.explainers.models.checking import check
from saliscope.explainers.models.checkpoint import Trust, auto_class_of, check_weights, read_model, read_tokenizer
from saliscope.explainers.models.continuing import Continuable, find_continuable
from saliscope.explainers.models.describing import checked, facts_of
from saliscope.explainers.models.finding import OnStage, Source, find_source
from saliscope.explainers.models.fingerprint import fingerprint
from saliscope.explainers.models.footprint import measure
from saliscope.explainers.models.layout import lay_out
from saliscope.explainers.models.lending import HeadLoader
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.placing import is_out_of_memory, parse_dtype, pick_device
from saliscope.explainers.models.sharing import refused
from saliscope.explainers.models.textmodel import TextModel
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
    facts = facts_of(name, network, tokenizing, loader, unexpected)
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


def _network(model: Any) -> Network:
    """The model behind its narrow door, or `NotCapable` where its architecture breaks what we take for granted."""
    try:
        return Network(model)
    except (ExplainerError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        name = type(model).__name__
        raise NotCapable(f"{name} cannot be run from embeddings ({first_line(error)}); it needs an adapter") from error
