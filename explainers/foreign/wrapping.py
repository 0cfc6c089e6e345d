"""From a torch module of one's own to a model that is ready for questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.facts import Capability, ModelFacts
from saliscope.explainers.foreign.modules import ALONE, ModuleNetwork
from saliscope.explainers.foreign.outputs import NOTE, Form, name_outputs
from saliscope.explainers.foreign.tokens import OwnTokens
from saliscope.explainers.models.fingerprint import fingerprint
from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.probing import is_scale_free
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.targets.scales import Activation
from saliscope.explainers.texts.tokenizing import Tokenizing
from saliscope.explainers.texts.vocabulary import Tokens

UNKNOWN: tuple[Capability, ...] = ("attention", "causal", "layers", "readable", "rules", "unseen")
NO_LIMIT = 1_000_000


def wrap_module(
    module: nn.Module,
    tokenizer: Any,
    *,
    embedding: nn.Embedding,
    labels: Sequence[str],
    forward: Callable[[Tensor], Any] | None = None,
    pad_id: int | None = None,
    mask_id: int | None = None,
    name: str | None = None,
    max_tokens: int | None = None,
    outputs: Form = "logits",
    activation: Activation | None = None,
) -> TextModel:
    """A text model of a module whose `embedding` is looked up once with ids `[B, T]`; see `explainers.wrap_module`."""
    _check_parts(module, embedding)
    labelling = name_outputs(labels, outputs, activation)
    theirs = hasattr(tokenizer, "convert_ids_to_tokens")
    if not theirs and not callable(tokenizer):
        raise BadRequest("tokenizer: expected a Hugging Face tokenizer, or a function from a text to ids")
    tokens: Tokens = Tokenizing(tokenizer) if theirs else OwnTokens(tokenizer)
    pad_id, mask_id = _ids(tokens, pad_id, mask_id, int(embedding.weight.shape[0]))
    module.eval()
    network = ModuleNetwork(module, embedding, forward or module, pad_id, labelling, outputs)
    found: set[Capability] = {"class", "embeddings", "drop"}
    lacking: dict[Capability, str] = dict.fromkeys(UNKNOWN, ALONE)
    if network.check():
        found.add("gradients")
    else:
        lacking["gradients"] = "no gradient of its outputs reaches the embedding"
    if mask_id is not None:
        found.add("mask")
    if tokens.unknown_id is not None and tokens.unknown_id < network.num_embeddings:
        found.add("unknown")
    if theirs:
        found.add("vocabulary")
    if labelling.activation != "identity":
        found.add("probabilities")
    limit = getattr(tokenizer, "model_max_length", NO_LIMIT) if max_tokens is None else max_tokens
    facts = ModelFacts(
        name=name or type(module).__name__,
        kind="module",
        labels=labelling.labels,
        capabilities=frozenset(found),
        num_layers=0,
        max_tokens=min(int(limit), NO_LIMIT),
        vocab_size=network.num_embeddings,
        mask_id=network.num_embeddings - 1 if mask_id is None else mask_id,
        mask_text="" if mask_id is None else tokens.token_text(mask_id),
        fingerprint=fingerprint(module),
        activation=labelling.activation,
        lacking=lacking,
        notes=(NOTE,) if outputs == "probabilities" else (),
        scale_free="gradients" in found and is_scale_free(network, network.probe_batch(), "class"),
    )
    return TextModel(facts, network, tokens, _no_head)


def _check_parts(module: Any, embedding: Any) -> None:
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise BadRequest(f"module: expected a torch module, got {kind}; wrap(predict, labels=…) takes functions")
    if not isinstance(embedding, nn.Embedding):
        raise BadRequest(f"embedding: expected the module's nn.Embedding, got {type(embedding).__name__}")
    if all(part is not embedding for part in module.modules()):
        raise BadRequest("embedding: it is no part of the module")
    if embedding.max_norm is not None:
        raise NotCapable("this embedding changes its weights whenever it is read (max_norm); set max_norm to None")
    if len(embedding.weight) < 2:
        raise NotCapable("an embedding of fewer than two ids tells no words apart")


def _ids(tokens: Tokens, pad_id: int | None, mask_id: int | None, known: int) -> tuple[int | None, int | None]:
    """What pads and what stands for nothing: as given, else as the tokenizer says, else the pad id for both."""
    if isinstance(tokens, Tokenizing):
        pad_id = tokens.tokenizer.pad_token_id if pad_id is None else pad_id
        mask_id = tokens.mask_token(causal=False) if mask_id is None else mask_id
    else:
        pad_id = 0 if pad_id is None else pad_id
        mask_id = pad_id if mask_id is None else mask_id
    for name, token_id in (("pad_id", pad_id), ("mask_id", mask_id)):
        if token_id is not None and not 0 <= token_id < known:
            raise BadRequest(f"{name}: {token_id} is out of range; the embedding has {known} ids")
    return pad_id, mask_id


def _no_head(source: str | None) -> Head:
    raise NotCapable(f"{ALONE}; there is no layer to read with a language-model head")
