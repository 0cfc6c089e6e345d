"""Models: what they say, write and see of a text; loaded and let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

import msgspec

from saliscope.protocol.listening import OnProgress, OnWritten, listener
from saliscope.protocol.parameters import Mask
from saliscope.protocol.results import Generated, ModelInfo, Models, Predictions, Tokenized, Unloaded
from saliscope.protocol.validate import read
from saliscope.protocol.verbs.given import RunOptions, declared, given, path_here, source
from saliscope.protocol.verbs.verb import Call, answer, verb


class PredictOptions(RunOptions, total=False):
    """What to predict (`parameters.Predict` has the meaning of each)."""

    model: str | None
    top: int | None
    download: bool
    pair: str | Sequence[str] | None
    messages: Sequence[Mapping[str, str]] | None
    add_generation_prompt: bool | None
    mask: Mask | Sequence[Mask | None] | None


class GenerateOptions(RunOptions, total=False):
    """How to write on (`parameters.Generate` has the meaning of each)."""

    model: str | None
    messages: Sequence[Mapping[str, str]] | None
    add_generation_prompt: bool | None
    max_tokens: int
    temperature: float
    seed: int
    top: int
    download: bool
    keep_alive: float | None


class LoadOptions(TypedDict, total=False):
    """How to load a model (`parameters.LoadModel` has the meaning of each)."""

    download: bool
    device: str | None
    dtype: str | None
    revision: str | None
    adapter: str | None
    keep_alive: float | None
    check: bool | None


class ModelVerbs:
    """Ask a model, and have one loaded."""

    @verb
    def predict(
        self,
        texts: str | Sequence[str] | None = None,
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[PredictOptions],
    ) -> Call[Predictions]:
        """The model's answer for each text (or pair), in order, or for the `messages` of a chat; without what a `mask`
        hides, one for all texts or a list with one for each.

        `options`: model, top (labels or next tokens), download, pair, messages, add_generation_prompt, mask; priority,
        max_ms, max_rows, supersede.
        """
        fields = declared("predict", options, PredictOptions)
        fields |= source(texts=texts, **fields)
        if "mask" in fields:
            fields["mask"] = msgspec.to_builtins(fields["mask"])
        return Call("predict", answer(Predictions), fields, listener(on_progress))

    @verb
    def generate(
        self,
        text: str | None = None,
        *,
        on_written: OnWritten | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[GenerateOptions],
    ) -> Call[Generated]:
        """What a causal language model writes behind a text, or as the answer to `messages`.

        `on_written` hears all that was written so far, token by token.

        `options`: model, messages, add_generation_prompt, max_tokens, temperature, seed, top (likeliest tokens told at
        each place), download, keep_alive; priority, max_ms, max_rows, supersede.
        """
        fields = {"stream": on_written is not None, **declared("generate", options, GenerateOptions)}
        fields |= source(text=text, **fields)
        return Call("generate", answer(Generated), fields, listener(on_progress, on_written=on_written))

    @verb
    def tokenize(
        self,
        text: str | None = None,
        *,
        model: str | None = None,
        pair: str | None = None,
        messages: Sequence[Mapping[str, str]] | None = None,
        add_generation_prompt: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> Call[Tokenized]:
        """The pieces of a text, a pair or a chat that the model sees, with their spans."""
        fields = given(model=model, add_generation_prompt=add_generation_prompt)
        fields |= source(text=text, pair=pair, messages=messages)
        return Call("tokenize", answer(Tokenized), fields, listener(on_progress))

    @verb
    def models(self) -> Call[list[ModelInfo]]:
        """Loaded and bundled models."""
        return Call("models/list", lambda told: read(told, Models).models)

    @verb
    def load_model(
        self, model: str, *, on_progress: OnProgress | None = None, **options: Unpack[LoadOptions]
    ) -> Call[ModelInfo]:
        """Load a model now, so that the first explanation does not wait; how is remembered for its name.

        `options`: download, device, dtype, revision, adapter (a folder), keep_alive (seconds), check.
        """
        fields = given(model=model) | declared("load_model", options, LoadOptions)
        if isinstance(adapter := fields.get("adapter"), str):
            fields["adapter"] = path_here(adapter)
        return Call("models/load", answer(ModelInfo), fields, listener(on_progress))

    @verb
    def unload_model(self, model: str) -> Call[Unloaded]:
        """Free a model as soon as nobody uses it: whether it was loaded, and the bytes given back."""
        return Call("models/unload", answer(Unloaded), given(model=model))
