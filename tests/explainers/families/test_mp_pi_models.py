"""MP-PI on real decoders: the game that it says it plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from saliscope.explainers import Question, drive, explain, load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.explaining import explaining
from saliscope.explainers.queries import Along, Evaluate
from saliscope.explainers.variants import Masked
from tests.explainers import tiny
from tests.explainers.families.progressive_games import shapley


class Brute:
    """The game itself, asked of the plain model: mask what is outside, cut after the last member, look at the end."""

    def __init__(self, model: Any, text: str, kind: str, granularity: str = "token") -> None:
        self.model, self.kind = model, kind
        self.encoding = model.encode(text)
        got = explain(model, text, method="sp-pi", granularity=granularity, target={"kind": kind})
        self.features, self.index = got.features, got.target.index
        self.groups = [list(feature.positions) for feature in got.features]
        self.known: dict[frozenset[int], Any] = {}

    def __call__(self, coalition: frozenset[int]) -> Any:
        if coalition not in self.known:
            self.known[coalition] = self.ask(coalition)
        return self.known[coalition]

    def ask(self, coalition: frozenset[int]) -> Any:
        ids = self.encoding.ids.copy()
        for feature, group in enumerate(self.groups):
            if feature not in coalition:
                ids[group] = self.model.facts.mask_id
        if coalition:
            ids = ids[: max(self.groups[max(coalition)]) + 1]
        row = torch.from_numpy(ids)[None]
        network = self.model.network
        with torch.no_grad():
            state = network.body(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False)[0][:, -1]
            outputs = network.heads[self.kind](state)[0].float()
        if self.kind == "class":
            return outputs.double().numpy()
        return outputs.log_softmax(0)[[self.index]].double().numpy()


@pytest.mark.parametrize(
    ("architecture", "task", "kind"),
    [
        ("gpt2", "ForSequenceClassification", "class"),
        ("llama", "ForSequenceClassification", "class"),
        ("gpt2", "ForCausalLM", "next-token"),
    ],
)
@pytest.mark.parametrize(("text", "granularity"), [("a dull film", "token"), ("a dull a film a dull", "word")])
def test_all_coalitions_give_the_shapley_values_of_the_game(
    architecture: str, task: str, kind: str, text: str, granularity: str, tiny_model: Any
) -> None:
    model = tiny_model(architecture, task)
    game = Brute(model, text, kind, granularity)
    n = len(game.groups)
    got = explain(model, text, method="mp-pi", granularity=granularity, budget=2 ** (n - 1), target={"kind": kind})
    want = shapley(n, game)
    assert 2 <= n <= 7
    assert got.diagnostics["exact"]
    for output in got.outputs:
        column = output.target.index if kind == "class" else 0
        np.testing.assert_allclose(output.scores, want[:, column], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "mistral"])
def test_a_pass_reads_the_prediction_on_each_of_its_prefixes(architecture: str, tiny_model: Any) -> None:
    model = tiny_model(architecture)
    text = "the plot is a mess"
    game = Brute(model, text, "class", "word")
    keep = np.asarray([[True, True, True, True, True], [False, True, False, True, True]])
    ends = tuple(max(group) for group in game.groups)
    groups = tuple(tuple(group) for group in game.groups)
    scalar = explaining_scalar(model, text)
    got = model.answer(Evaluate(model.encode(text), Along(ends, scalar), Masked(keep, groups)))
    for row, kept in enumerate(keep):
        for at in np.flatnonzero(kept):
            coalition = frozenset(int(i) for i in np.flatnonzero(kept[: at + 1]))
            np.testing.assert_allclose(got.values[row, at], game(coalition), atol=1e-5)


def explaining_scalar(model: Any, text: str) -> Any:
    """The scalar that an explanation of the text asks for."""
    query = next(explaining(model, Question(text, "mp-pi")))
    assert isinstance(query, Evaluate)
    return query.read.scalar  # type: ignore[union-attr]


def test_a_coalition_met_in_several_passes_has_one_value(tiny_model: Any) -> None:
    model = tiny_model("gpt2")
    seen: dict[tuple[int, ...], list[Any]] = {}

    def answer(query: Any) -> Any:
        found = model.answer(query)
        if isinstance(query, Evaluate) and isinstance(query.rows, Masked) and isinstance(found, Evaluated):
            for row, kept in enumerate(query.rows.keep):
                for at in np.flatnonzero(kept):
                    seen.setdefault(tuple(np.flatnonzero(kept[: at + 1])), []).append(found.values[row, at])
        return found

    drive(explaining(model, Question("one of the best films of the year", "mp-pi", granularity="word")), answer)
    repeated = [values for values in seen.values() if len(values) > 1]
    assert len(repeated) > 5
    for values in repeated:
        np.testing.assert_allclose(values, np.broadcast_to(values[0], np.shape(values)), atol=1e-6)


def test_reading_before_the_next_kept_word_is_another_game(tiny_model: Any) -> None:
    model, text = tiny_model("gpt2"), "the plot is a mess but fine"
    prefix = explain(model, text, method="mp-pi", granularity="word", target=0)
    end = explain(model, text, method="mp-pi", granularity="word", target=0, value="end")
    assert np.abs(prefix.scores - end.scores).max() > 1e-3
    assert end.scores.sum() == pytest.approx(end.value - end.base_value, abs=1e-4)
    assert (end.value, end.base_value) == (prefix.value, prefix.base_value)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_size_of_a_micro_batch_changes_nothing(preset: str, tiny_model: Any) -> None:
    model, text = tiny_model("llama"), "one of the best films of the year"
    found = []
    for budget in (1, 64 * len(model.encode(text))):
        question = Question(text, "mp-pi", target=1, seed=5, params={"preset": preset})
        found.append(drive(explaining(model, question), lambda query, most=budget: model.answer(query, most)))
    np.testing.assert_allclose(found[0].scores, found[1].scores, atol=1e-5)


def test_a_fixed_prefix_is_the_empty_text_and_is_never_masked(tmp_path: Path) -> None:
    core = Tokenizer.from_str(tiny.tokenizer(True).backend_tokenizer.to_str())
    fixed = [("<eos>", core.token_to_id("<eos>"))]
    core.post_processor = processors.TemplateProcessing(single="<eos> $A", special_tokens=fixed)
    tiny.build("gpt2").save_pretrained(tmp_path)
    PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<eos>", pad_token="<pad>", model_max_length=64
    ).save_pretrained(tmp_path)
    model = load(str(tmp_path), "cpu")
    single = explain(model, "a dull film", method="sp-pi", granularity="word", target=1)
    got = explain(model, "a dull film", method="mp-pi", granularity="word", target=1)
    assert (got.cost.forward_rows, got.cost.promised_forward_rows) == (4, 4)
    assert (got.base_value, got.value) == (single.base_value, single.value)
    assert "prefix" in got.baseline


@pytest.mark.parametrize("granularity", ["token", "word", "sentence"])
@pytest.mark.parametrize("scale", ["logit", "margin", "prob"])
def test_planted_words_win_on_the_demo_decoder(granularity: str, scale: str, demo_decoder: Any) -> None:
    text = "A dull and boring film. But the cast is wonderful!"
    got = explain(demo_decoder, text, method="mp-pi", granularity=granularity, scale=scale, target="positive")
    best = got.features[int(np.argmax(got.scores))].text
    worst = got.features[int(np.argmin(got.scores))].text
    assert "wonderful" in best
    assert "dull" in worst or "boring" in worst
    assert got.cost.forward_rows <= got.cost.promised_forward_rows
