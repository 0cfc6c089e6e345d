"""A row that goes on from what an earlier one has left is the row that a fresh run computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.explainers import explain, load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import NotCapable, TooLarge
from saliscope.explainers.models.continuing import Continuable, can_continue, find_continuable
from saliscope.explainers.models.lines import STEP, Line, capacity
from saliscope.explainers.models.loading import load_source
from saliscope.explainers.queries import Along, Differentiate, Evaluate, Outputs, Value
from saliscope.explainers.targets.scalar import RUNNER_UP, Scalar
from saliscope.explainers.texts.encoding import Encoding, IntArray, Nudge, Token, extended
from saliscope.explainers.variants import INPUT, Masked
from tests.explainers.tiny import DECODERS

CASES = [(name, task, None) for name in DECODERS for task in ("ForSequenceClassification", "ForCausalLM")]
CASES += [("gpt2", "ForCausalLM", "eager"), ("llama", "ForSequenceClassification", "eager")]
EDITS = 12


def encoded(ids: IntArray) -> Encoding:
    """Ids as a text of one letter a token."""
    tokens = tuple(Token("x", at, at + 1, False, (at,), (int(id),)) for at, id in enumerate(ids))
    return Encoding("x" * len(ids), ids, tokens)


def versions(model: Any, longest: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """A text through random edits: typed at the end, changed and cut anywhere, taken back, begun anew."""
    vocabulary = model.facts.vocab_size

    def some(most: int) -> IntArray:
        return rng.integers(2, vocabulary, rng.integers(1, most + 1))

    ids = some(longest)
    for _ in range(EDITS):
        yield ids
        at, size = int(rng.integers(0, len(ids) + 1)), int(rng.integers(0, 4))
        edits = [
            np.concatenate([ids, some(3)]),
            np.concatenate([ids[:at], some(2), ids[at + size :]]),
            np.concatenate([ids[:at], ids[at + size :]]),
            ids[: max(1, len(ids) - size)],
            ids,
            some(longest),
        ]
        ids = edits[int(rng.choice(6, p=[0.3, 0.3, 0.15, 0.1, 0.05, 0.1]))][:longest]
        ids = ids if len(ids) else some(3)


def questions(model: Any, ids: IntArray, rng: np.random.Generator) -> list[Evaluate]:
    """Every way of reading the row."""
    kind, encoding = model.facts.kinds[0], encoded(ids)
    positions = tuple(sorted({*rng.integers(0, len(ids), 5).tolist(), len(ids) - 1}))
    found = [
        Evaluate(encoding, Outputs(kind), outputs=True),
        Evaluate(encoding, Value(Scalar(kind, 1, "logprob"))),
        Evaluate(encoding, Along(positions, Scalar(kind, None, "logit")), outputs=True),
        Evaluate(encoding, Along(positions, Scalar(kind, None, "logit", against=RUNNER_UP)), outputs=True),
    ]
    if "next-token" in model.facts.kinds:
        groups = ((1, 2), (3,))
        found.append(Evaluate(encoding, Along(positions, Scalar("next-token", 1, "margin", groups=groups))))
        longer = extended(encoding, (5, 7), str)
        if len(longer) <= model.continuable.longest:
            found.append(Evaluate(longer, Value(Scalar("next-token", 0, "logprob", tail=(5, 7))), outputs=True))
    return found


def assert_same(found: Any, wanted: Any) -> None:
    assert isinstance(found, Evaluated)
    assert isinstance(wanted, Evaluated)
    assert found.values.shape == wanted.values.shape
    size = max(1.0, float(np.abs(wanted.values).max()))
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-5 * size)
    assert (found.outputs is None) == (wanted.outputs is None)
    if found.outputs is not None:
        size = max(1.0, float(np.abs(wanted.outputs).max()))
        np.testing.assert_allclose(found.outputs, wanted.outputs, atol=1e-5 * size)


@pytest.mark.parametrize(("architecture", "task", "attention"), CASES)
def test_a_text_through_random_edits_is_what_a_fresh_run_computes(
    architecture: str, task: str, attention: str | None, tiny_model: Any
) -> None:
    model = tiny_model(architecture, task, attention)
    assert "prefixes" in model.facts.capabilities, model.facts.lacking
    rng, lines = np.random.default_rng(3), [model.new_line()]
    for ids in versions(model, model.continuable.longest, rng):
        line = lines[int(rng.integers(len(lines)))]
        if rng.random() < 0.3:
            lines.append(line.branched(line.common(ids)))
            line = lines[-1]
        for query in questions(model, ids, rng):
            assert_same(model.continued(query, line), model.answer(query))


def test_so_is_one_of_the_bundled_decoder_at_its_full_length(demo_decoder: Any) -> None:
    rng, line = np.random.default_rng(1), demo_decoder.new_line()
    assert demo_decoder.continuable.longest == demo_decoder.facts.max_tokens
    for ids in versions(demo_decoder, demo_decoder.facts.max_tokens, rng):
        for query in questions(demo_decoder, ids, rng)[:4]:
            assert_same(demo_decoder.continued(query, line), demo_decoder.answer(query))


class Counted:
    """Counts the ids that go through a body and the positions that go through its class head."""

    def __init__(self, model: Any, patch: pytest.MonkeyPatch) -> None:
        self.ids = self.read = 0
        network = model.network
        body, head = network.body.forward, network.heads["class"]

        def forward(*args: Any, **keywords: Any) -> Any:
            self.ids += keywords["inputs_embeds"].shape[1]
            return body(*args, **keywords)

        def score(states: Any) -> Any:
            self.read += states.shape[0]
            return head(states)

        patch.setattr(network.body, "forward", forward)
        patch.setitem(network.heads, "class", score)

    def taken(self) -> tuple[int, int]:
        """What went through since the last time."""
        found, self.ids, self.read = (self.ids, self.read), 0, 0
        return found


def along(ids: IntArray) -> Evaluate:
    """SP-PI's question: the predicted class after every token."""
    return Evaluate(encoded(ids), Along(tuple(range(len(ids))), Scalar("class", None, "logit")), outputs=True)


def test_only_what_is_new_is_computed_and_read(demo_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, line = np.random.default_rng(2), demo_decoder.new_line()
    ids = rng.integers(2, 8000, 100)
    counted = Counted(demo_decoder, monkeypatch)
    taken = []
    changed = ids.copy()
    changed[60] += 1
    for row in (ids[:90], ids[:91], ids, ids, ids[:40], changed):
        demo_decoder.continued(along(row), line)
        taken.append(counted.taken())
    # Typed, typed, the same again, taken back, then an edit of a text that was still known as far as the edit.
    assert taken == [(90, 90), (1, 1), (9, 9), (0, 0), (0, 0), (40, 40)]


def test_a_flipped_prediction_recolours_old_tokens_without_computing_them(
    demo_decoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = demo_decoder.new_line()
    before = demo_decoder.encode("a dull, lifeless and boring film")
    after = demo_decoder.encode("a dull, lifeless and boring film, some said; but no, it is wonderful, warm and great")
    num_common = Line.common(_line_of(before.ids), after.ids)
    queries = [
        Evaluate(text, Along(tuple(range(len(text))), Scalar("class", None, "margin", against=RUNNER_UP)), outputs=True)
        for text in (before, after)
    ]
    fresh = [demo_decoder.answer(query) for query in queries]
    assert fresh[0].outputs.argmax() != fresh[1].outputs.argmax()
    counted = Counted(demo_decoder, monkeypatch)
    first, second = (demo_decoder.continued(query, line) for query in queries)
    assert counted.taken() == (len(after), len(after))
    assert num_common == len(before)
    assert_same(second, fresh[1])
    np.testing.assert_allclose(second.values[0, :num_common], -first.values[0], atol=1e-5)


def _line_of(ids: IntArray) -> Line:
    line = Line(0)
    line.ids = ids
    return line


def test_appending_copies_nothing_until_the_room_is_used_up(demo_decoder: Any) -> None:
    line = demo_decoder.new_line()
    ids = np.random.default_rng(2).integers(2, 8000, 200)
    places = set()
    for length in range(100, 200):
        demo_decoder.continued(along(ids[:length]), line)
        places.add(line.layers[0].tapes[0].until(1).data_ptr())
    assert capacity(100) == 3 * STEP
    assert len(places) == 2
    assert line.num_bytes >= demo_decoder.continuable.token_bytes * capacity(200)
    assert line.num_bytes < 1.2 * demo_decoder.continuable.token_bytes * capacity(200)


def test_a_branch_leaves_the_line_as_it_was(demo_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    line, ids = demo_decoder.new_line(), np.random.default_rng(2).integers(2, 8000, 100)
    first = demo_decoder.continued(along(ids), line)
    branch = line.branched(50)
    other = np.concatenate([ids[:50], ids[:40]])
    assert_same(demo_decoder.continued(along(other), branch), demo_decoder.answer(along(other)))
    counted = Counted(demo_decoder, monkeypatch)
    again = demo_decoder.continued(along(ids), line)
    assert counted.taken() == (0, 0)
    np.testing.assert_array_equal(again.values, first.values)


def test_what_is_read_along_a_branch_is_not_known_to_the_line(demo_decoder: Any) -> None:
    line, ids = demo_decoder.new_line(), np.random.default_rng(2).integers(2, 8000, 100)
    all_of_them = along(ids)
    demo_decoder.continued(Evaluate(encoded(ids), Along((0, 99), Scalar("class", 0, "logit"))), line)
    branch = line.branched(90)
    demo_decoder.continued(all_of_them, branch)
    assert_same(demo_decoder.continued(all_of_them, line), demo_decoder.answer(all_of_them))


def test_a_line_outlives_a_run_that_fails_halfway(demo_decoder: Any) -> None:
    line, ids = demo_decoder.new_line(), np.random.default_rng(2).integers(2, 8000, 100)
    demo_decoder.continued(along(ids[:80]), line)

    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("out of memory")

    hook = demo_decoder.network.anatomy.blocks[2].register_forward_pre_hook(fail)
    edited = np.concatenate([ids[:70], ids[:20]])
    with pytest.raises(torch.OutOfMemoryError):
        demo_decoder.continued(along(edited), line)
    hook.remove()
    assert len(line) == 70
    for row in (edited, ids):
        assert_same(demo_decoder.continued(along(row), line), demo_decoder.answer(along(row)))


# -- models that cannot ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_left_alone(dtype: str) -> None:
    model = load("demo-decoder", "cpu", dtype=dtype)
    assert model.continuable is None
    assert "float32" in model.facts.lacking["prefixes"]
    with pytest.raises(NotCapable, match="cannot be continued"):
        model.continued(along(np.arange(2, 20)), model.new_line())
    assert explain(model, "a dull film", method="sp-pi").scores.any()


def test_an_encoder_has_none_and_one_that_was_not_checked_has_none(demo_encoder: Any) -> None:
    assert demo_encoder.continuable is None
    assert "prefixes" not in demo_encoder.facts.lacking
    assert "not checked" in load("demo-decoder", "cpu", self_check=False).facts.lacking["prefixes"]


@pytest.mark.parametrize(("architecture", "longest"), [("mistral", 16), ("gemma2", 16), ("llama", 64)])
def test_a_window_ends_it(architecture: str, longest: int, tiny_model: Any) -> None:
    assert tiny_model(architecture).continuable.longest == longest


def test_positions_that_depend_on_the_length_end_it(tiny_folder: Any) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    model = load(str(tiny_folder("llama", rope_parameters=rope)), "cpu")
    assert "depend on the length" in model.facts.lacking["prefixes"]


def test_layers_that_keep_a_state_instead_end_it(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_model("llama").network
    monkeypatch.setattr(network.model.config, "layer_types", ["linear_attention", "full_attention"], raising=False)
    assert "linear_attention" in str(find_continuable(network, 64))


def test_a_body_that_ignores_what_is_kept_is_found_out(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_model("gpt2").network
    forward = network.body.forward

    def forgetful(*args: Any, past_key_values: Any = None, attention_mask: Any = None, **keywords: Any) -> Any:
        return forward(*args, **keywords)

    monkeypatch.setattr(network.body, "forward", forgetful)
    assert "outputs move by" in str(find_continuable(network, 64))


def test_a_body_that_takes_no_cache_is_found_out(tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_model("gpt2").network
    forward = network.body.forward

    def plain(*, inputs_embeds: Any, attention_mask: Any, use_cache: bool = False) -> Any:
        return forward(inputs_embeds=inputs_embeds, attention_mask=attention_mask, use_cache=False)

    monkeypatch.setattr(network.body, "forward", plain)
    assert "TypeError" in str(find_continuable(network, 64))


def test_one_that_looks_ahead_has_none(tiny_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from saliscope.explainers.facts import Check

    found = (Check("causality", False, 0.5, 1e-4),)
    monkeypatch.setattr(f"{load_source.__module__}.check", lambda *_: found)
    model = load(str(tiny_folder("llama")), "cpu")
    assert "causality check" in model.facts.lacking["prefixes"]
    assert model.continuable is None


# -- questions that cannot ------------------------------------------------------------------------


def test_only_plain_rows_go_on(demo_decoder: Any) -> None:
    encoding = demo_decoder.encode("a dull film")
    groups = tuple(token.positions for token in encoding.tokens)
    masked = Masked(np.ones((1, len(groups)), dtype=np.bool_), groups)
    assert can_continue(Evaluate(encoding, Outputs("class")))
    assert not can_continue(Evaluate(encoding, Outputs("class"), masked))
    assert not can_continue(Differentiate(encoding, Scalar("class", 0, "logit"), (INPUT,)))
    nudged = Encoding(encoding.text, encoding.ids, encoding.tokens, nudge=Nudge(0.1, 0))
    assert not can_continue(Evaluate(nudged, Outputs("class")))


def test_what_does_not_fit_is_refused_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("demo-decoder", "cpu")
    assert isinstance(model.continuable, Continuable)
    model.room = lambda: 0
    monkeypatch.setattr(type(model.footprint), "row", lambda *_: 1 << 40)
    with pytest.raises(TooLarge):
        model.continued(along(np.arange(2, 200)), model.new_line())
