"""One small trunk under two heads: as it is built, started, saved and loaded."""

import json
import math
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

from .recipe import LABELS, Recipe

CLASSES = {
    "encoder": ("BertForSequenceClassification", "BertForMaskedLM"),
    "decoder": ("GPT2ForSequenceClassification", "GPT2LMHeadModel"),
}
OFFSETS = {"encoder": ((-1, 1, -2, 2), (-1, 1)), "decoder": ((-1, -2, -3, -4), (-1, -2))}
"""Where the first heads of the first blocks look to begin with, relative to their own position."""


class Student(torch.nn.Module):
    """A classifier and a language model of one kind; while training they share the trunk and the embeddings."""

    def __init__(self, kind: str, classifier: Any, language_model: Any) -> None:
        super().__init__()
        self.kind = kind
        self.classifier = classifier
        self.language_model = language_model

    @classmethod
    def create(cls, kind: str, tokenizer: Any, recipe: Recipe) -> "Student":
        """A model with random weights."""
        config = make_config(kind, tokenizer, recipe)
        classifier, language_model = (getattr(transformers, name)(config) for name in CLASSES[kind])
        setattr(language_model, language_model.base_model_prefix, classifier.base_model)
        language_model.get_output_embeddings().weight = classifier.get_input_embeddings().weight
        return cls(kind, classifier, language_model)

    @classmethod
    def load(cls, folder: Path) -> "Student":
        """The two classes read from one folder, in float32; a missing or unfitting weight is an error."""
        kind = "encoder" if json.loads((folder / "config.json").read_text())["model_type"] == "bert" else "decoder"
        pair = []
        for name in CLASSES[kind]:
            model, info = getattr(transformers, name).from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True
            )
            if info["missing_keys"] or info["mismatched_keys"]:
                raise SystemExit(f"{folder} does not hold all weights of {name}: {info}")
            pair.append(model)
        return cls(kind, *pair).eval()

    @property
    def embeddings(self) -> Tensor:
        """The token table [vocabulary, width]."""
        table: Tensor = self.classifier.get_input_embeddings().weight
        return table

    @property
    def blocks(self) -> Any:
        """The blocks of the trunk, in order."""
        trunk = self.classifier.base_model
        return trunk.encoder.layer if self.kind == "encoder" else trunk.h

    def states(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Hidden states [rows, tokens, width] after the embeddings and after every block."""
        out = self.classifier.base_model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        states: tuple[Tensor, ...] = out.hidden_states
        return states

    def word_logits(self, states: Tensor) -> Tensor:
        """The language-model head: [..., width] to [..., vocabulary]."""
        head = self.language_model.cls if self.kind == "encoder" else self.language_model.lm_head
        logits: Tensor = head(states)
        return logits

    def class_logits(self, states: Tensor) -> Tensor:
        """The sentiment head on final states: [rows, 2] for an encoder, [rows, tokens, 2] for a decoder."""
        if self.kind == "decoder":
            logits: Tensor = self.classifier.score(states)
        else:
            logits = self.classifier.classifier(self.classifier.dropout(self.classifier.bert.pooler(states)))
        return logits

    def weights(self) -> dict[str, Tensor]:
        """What one file must hold for both classes, each tensor once."""
        both = self.language_model.state_dict() | self.classifier.state_dict()
        return {key: value.detach().cpu().contiguous() for key, value in both.items() if not _is_tied(key)}

    def save(self, folder: Path, tokenizer: Any) -> None:
        """Write a Hugging Face folder with half-precision weights."""
        folder.mkdir(parents=True, exist_ok=True)
        halves = {key: value.half() for key, value in self.weights().items()}
        save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
        config = self.classifier.config
        config.architectures = list(CLASSES[self.kind])
        config.dtype = torch.float32  # else loading would take the file's half precision to compute in
        config.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        path = folder / "tokenizer_config.json"  # with the class name that transformers 4 knows too
        settings = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
        path.write_text(json.dumps(settings, indent=2) + "\n")


def _is_tied(key: str) -> bool:
    return key == "lm_head.weight" or ".decoder." in key


def make_config(kind: str, tokenizer: Any, recipe: Recipe) -> Any:
    """The configuration: no dropout in the trunk, since no text is read twice."""
    common = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }
    if kind == "encoder":
        return transformers.BertConfig(
            hidden_size=recipe.width,
            num_hidden_layers=recipe.num_layers,
            num_attention_heads=recipe.num_heads,
            intermediate_size=4 * recipe.width,
            max_position_embeddings=recipe.context,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout=0.1,
            initializer_range=0.05,
            **common,
        )
    return transformers.GPT2Config(
        n_embd=recipe.width,
        n_layer=recipe.num_layers,
        n_head=recipe.num_heads,
        n_positions=recipe.context,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **common,
    )


@torch.no_grad()
def start(student: Student, embeddings: Tensor, seed: int) -> None:
    """Set the token embeddings, and let the first heads look at neighbouring positions.

    Without this a small masked language model spends its budget on the plateau where it only knows word
    frequencies. Positions are waves in a subspace as wide as one head; a head that looks `offset` away gets
    query and key maps whose product peaks there. Training is free to change all of it.
    """
    rng = torch.Generator().manual_seed(seed)
    config = student.classifier.config
    width, size = config.hidden_size, config.hidden_size // config.num_attention_heads
    student.embeddings.copy_(embeddings)
    omega = math.pi * (torch.arange(size // 2) + torch.rand(size // 2, generator=rng)) / (size // 2)
    basis = torch.linalg.qr(torch.randn(width, size, generator=rng))[0]
    angles = torch.arange(config.max_position_embeddings)[:, None] * omega
    positions = torch.cat([angles.cos(), angles.sin()], 1) @ basis.T
    positions *= embeddings.norm(dim=1).mean() / positions.norm(dim=1).mean()
    key = math.sqrt(12 * math.sqrt(size) / width) * basis.T  # makes the peak's attention logit about 6
    trunk: Any = student.classifier.base_model
    if student.kind == "encoder":
        trunk.embeddings.position_embeddings.weight.copy_(positions)
        trunk.embeddings.token_type_embeddings.weight.zero_()
    else:
        trunk.wpe.weight.copy_(positions)
    for block, offsets in zip(student.blocks, OFFSETS[student.kind], strict=False):
        for head, offset in enumerate(offsets[: config.num_attention_heads]):
            rows = slice(head * size, (head + 1) * size)
            query = _turn(omega * offset) @ key
            if student.kind == "encoder":
                block.attention.self.query.weight[rows] = query
                block.attention.self.key.weight[rows] = key
            else:  # GPT-2 keeps query, key and value side by side, transposed
                block.attn.c_attn.weight[:, rows] = query.T
                block.attn.c_attn.weight[:, width + rows.start : width + rows.stop] = key.T


def _turn(angles: Tensor) -> Tensor:
    """The rotation [2 n, 2 n] of the wave at position p into the wave `angles` further on."""
    cos, sin = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])
