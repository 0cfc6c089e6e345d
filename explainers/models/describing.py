"""What is found out about a model that was read: its facts, its capabilities, and what it has not and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.facts import Capability, Check, ModelFacts, ModelKind
from saliscope.explainers.models.attending import shows_attention
from saliscope.explainers.models.labels import Labelling
from saliscope.explainers.models.lending import HeadLoader
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.probing import is_scale_free
from saliscope.explainers.models.relevance import can_obey
from saliscope.explainers.texts.tokenizing import Tokenizing


def facts_of(
    name: str, network: Network, tokenizing: Tokenizing, loader: HeadLoader, unexpected: set[str]
) -> ModelFacts:
    """What is known of a model that was just read, without a fingerprint; a head of its own is looked for.

    `unexpected` are the names of tensors in the checkpoint that its architecture has no place for.
    """
    config = network.model.config
    kind = _kind(network)
    labelling = network.labelling or Labelling((), "softmax")
    found, lacking = _capabilities(network, tokenizing, labelling)
    without = _find_own_head(network, loader, unexpected)
    if without is not None:
        lacking["lm-head"] = without
    else:
        found |= {"lm-head", "next-token"} if network.causal else {"lm-head"}
    if "lm-head" in found or network.embedding_size == config.hidden_size:
        found.add("readable")
    mask_id = tokenizing.mask_token(network.causal)
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


def _capabilities(
    network: Network, tokenizing: Tokenizing, labelling: Labelling
) -> tuple[set[Capability], dict[Capability, str]]:
    """What a model can do with the head that it came with, and why not what one would expect."""
    has: dict[Capability, bool] = {
        "probabilities": labelling.activation != "identity",
        "causal": network.causal,
        "layers": network.anatomy is not None,
        "attention": shows_attention(network),
        "rules": can_obey(network),
        "mask": tokenizing.mask_token(network.causal) is not None,
        "drop": network.first_place is not None,
        "unknown": tokenizing.unknown_id is not None,
    }
    found: set[Capability] = {network.own_kind, "embeddings", "gradients", "unseen", "vocabulary"}
    found |= {capability for capability, is_there in has.items() if is_there}
    lacking: dict[Capability, str] = {}
    if not has["probabilities"]:
        lacking["probabilities"] = "its head is a regression: one number, no classes"
    return found, lacking


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
