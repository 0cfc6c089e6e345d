import hashlib
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from bench.demo_models.batches import UNKNOWN, Sentences, Stream, pad
from bench.demo_models.corpus import Corpus, cut_sentences, make_variants, repair_spacing, split
from bench.demo_models.data import hold_out, squash
from bench.demo_models.evaluate import markdown
from bench.demo_models.losses import mask_tokens, taught_loss
from bench.demo_models.measure import chunk, decode_rates, masked_words, mean, next_words, predict, predict_prefixes
from bench.demo_models.recipe import FULL, KINDS, QUICK, Recipe
from bench.demo_models.student import Student, start
from bench.demo_models.tokenizer import NUM_SPECIAL, start_embeddings, train_tokenizer
from bench.demo_models.train import Taught, rate_at, train

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("a dull film and bright story with some wit but little heart", "no fun at all or so they say")
TEXTS = [" ".join(random.Random(i).choices(" ".join(WORDS).split(), k=4 + i % 9)) + "." for i in range(80)]
TINY = Recipe(
    vocab_size=300, num_layers=2, width=16, num_heads=2, context=32, tokens_per_batch=64, sentences_per_batch=4
)


# ---- texts


@pytest.mark.parametrize(
    ("spaced", "repaired"),
    [
        ("the film 's pace , at least .", "the film's pace, at least."),
        ("it does n't work ( not here ) !", "it doesn't work (not here)!"),
        ('a " clever " mess', 'a "clever" mess'),
        ("long \x96 too long\x85 &amp; dull", "long – too long... & dull"),
        ("  plain   words ", "plain words"),
    ],
)
def test_spacing_is_repaired(spaced: str, repaired: str) -> None:
    assert repair_spacing(spaced) == repaired


def test_repairing_twice_changes_nothing_more() -> None:
    once = repair_spacing("the film 's pace , ( at least ) does n't sag .")
    assert repair_spacing(once) == once


def test_a_split_depends_on_its_seed_alone_and_loses_nothing() -> None:
    first, rest = split(list(range(100)), 30, random.Random(0))
    assert (first, rest) == split(list(range(100)), 30, random.Random(0))
    assert (first, rest) != split(list(range(100)), 30, random.Random(1))
    assert (len(first), sorted(first + rest)) == (30, list(range(100)))


def test_squashed_copies_of_a_sentence_are_equal() -> None:
    assert squash("The film's pace, &amp; more.") == squash("the film 's pace , & more .")


def test_held_out_snippets_are_no_training_sentences_and_come_once() -> None:
    train = [(f"good {i}", 1) for i in range(4100)] + [(f"bad {i}", 0) for i in range(5000)]
    snippets = [(1.0, text) for text, _ in train[:4100]]
    snippets += [(2.0, "Fresh praise"), (2.0, "fresh praise !")]
    snippets += [(-1.0, text) for text, _ in train[4100:]]
    snippets += [(-1.0, f"bad {i}") for i in range(250)] + [(-2.0, "fresh blame")]
    assert hold_out(train, snippets) == [("Fresh praise", 1, 2.0), ("fresh blame", 0, -2.0)]


def test_review_sentences_are_of_fair_length_unbanned_and_unique() -> None:
    review = "Too short. This sentence is just long enough. THIS sentence is just long enough! One that is banned too."
    assert cut_sentences([review, review], {squash("one that is banned, too")}) == [
        "This sentence is just long enough."
    ]


def test_variants_use_only_words_of_the_sentences() -> None:
    variants = make_variants(TEXTS, 2, random.Random(0))
    assert len(variants) == 2 * len(TEXTS)
    assert {word for text in variants for word in text.split()} <= {word for text in TEXTS for word in text.split()}
    assert variants == make_variants(TEXTS, 2, random.Random(0))


# ---- batches


def test_a_stream_reads_every_document_once_before_it_starts_again() -> None:
    stream = Stream([[1, 1], [2, 2], [3]], 0, seed=0)
    assert len(stream) == 8
    seen = torch.cat([stream.take(2, 2).flatten() for _ in range(2)])
    assert sorted(seen.tolist()) == [0, 0, 0, 1, 1, 2, 2, 3]
    assert stream.take(2, 2).flatten().tolist() == seen[:4].tolist()


def make_corpus() -> Corpus:
    labelled = [(text, i % 2) for i, text in enumerate(TEXTS)]
    return Corpus(labelled[:40], labelled[40:60], labelled[60:], TEXTS, TEXTS[:5], TEXTS[20:40], TEXTS[40:60])


def test_sentence_batches_keep_rows_teacher_and_labels_together() -> None:
    corpus = make_corpus()
    rows = [[10 + i] * (1 + i % 7) for i in range(len(corpus.taught))]
    teacher = torch.arange(len(rows)).float()[:, None].expand(-1, 2)
    sentences = Sentences(corpus, rows, teacher, 0, 8, seed=0)
    for _ in range(40):
        batch = sentences.take()
        for ids, opinion, gold in zip(*batch, strict=True):
            place = int(opinion[0])
            assert ids[ids > 0].tolist() == rows[place]
            assert int(gold) == (place % 2 if place < len(corpus.train) else UNKNOWN)


# ---- losses


def test_a_student_that_agrees_with_the_teacher_has_no_loss() -> None:
    logits = torch.tensor([[1.0, -2.0], [0.3, 0.1]])
    unknown = torch.full((2,), UNKNOWN)
    assert taught_loss(logits, logits, unknown).item() == pytest.approx(0.0, abs=1e-6)
    assert taught_loss(-logits, logits, unknown).item() > 0.1


def test_only_known_labels_add_to_the_loss() -> None:
    logits = torch.tensor([[1.0, -2.0], [0.3, 0.1]])
    gold = torch.tensor([1, UNKNOWN])
    expected = 0.3 * torch.nn.functional.cross_entropy(logits[:1], gold[:1]).item()
    assert taught_loss(logits, logits, gold).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_pulls_towards_the_teacher() -> None:
    logits = torch.zeros(1, 2, requires_grad=True)
    taught_loss(logits, torch.tensor([[0.0, 3.0]]), torch.tensor([UNKNOWN])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0] > 0 > logits.grad[0, 1]


def test_masking_spares_special_tokens_and_keeps_its_shares() -> None:
    ids = torch.randint(0, 100, (200, 200), generator=torch.Generator().manual_seed(0))
    changed, chosen = mask_tokens(ids, 4, 100, torch.Generator().manual_seed(1))
    assert not chosen[ids < 5].any()
    assert torch.equal(changed[~chosen], ids[~chosen])
    assert chosen[ids >= 5].float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (changed[chosen] == 4).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (changed[chosen] == ids[chosen]).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_the_rate_warms_up_stays_and_ends_at_zero() -> None:
    assert rate_at(0.0) < 0.02
    assert rate_at(0.02) == rate_at(0.5) == 1.0
    assert rate_at(0.75) == pytest.approx(0.5)
    assert rate_at(1.0) == 0.0


# ---- figures


def test_a_mean_has_the_binomial_standard_error() -> None:
    figure = mean(torch.tensor([1.0] * 80 + [0.0] * 20))
    assert (figure.value, figure.count) == (pytest.approx(0.8), 100)
    assert figure.stderr == pytest.approx(math.sqrt(0.8 * 0.2 / 99))


def test_the_error_of_a_function_follows_its_slope() -> None:
    figure = mean(torch.tensor([1.0, 3.0, 2.0, 2.0]))
    assert figure.map(math.exp).stderr == pytest.approx(math.exp(2.0) * figure.stderr, rel=1e-5)


def test_chunks_know_their_text() -> None:
    assert chunk([[1, 2, 3, 4, 5], [6]], 2, 2) == ([[1, 2], [3, 4]], [0, 0])


def test_padding_is_on_the_right() -> None:
    assert pad([[5], [6, 7]], 1).tolist() == [[5, 1], [6, 7]]


# ---- models


@pytest.fixture(params=KINDS)
def started(request: pytest.FixtureRequest) -> tuple[Student, Any]:
    torch.manual_seed(0)
    tokenizer = train_tokenizer(request.param, TEXTS, TINY)
    student = Student.create(request.param, tokenizer, TINY)
    table = torch.randn(len(tokenizer), 24, generator=torch.Generator().manual_seed(0))
    start(student, start_embeddings(tokenizer, request.param, tokenizer, table, TINY), 0)
    return student, tokenizer


def test_a_tokenizer_lowers_case_and_has_its_special_tokens_first(started: tuple[Student, Any]) -> None:
    student, tokenizer = started
    ids = tokenizer("A Dull film.")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" .", ".") == "a dull film."
    assert sorted(tokenizer.all_special_ids) == list(range(NUM_SPECIAL[student.kind]))
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))


def test_both_heads_share_trunk_and_embeddings(started: tuple[Student, Any]) -> None:
    student, _ = started
    output = student.language_model.get_output_embeddings()
    assert output.weight is student.embeddings
    assert student.language_model.base_model is student.classifier.base_model
    if student.kind == "encoder":
        assert output.bias is student.language_model.cls.predictions.bias


def test_the_first_heads_look_at_their_neighbours(started: tuple[Student, Any]) -> None:
    student, _ = started
    if student.kind == "encoder":
        trunk = student.classifier.bert
        first = trunk.encoder.layer[0].attention.self
        query, key = first.query.weight[:8], first.key.weight[:8]
        positions = trunk.embeddings.position_embeddings.weight
    else:
        trunk = student.classifier.transformer
        query, key = (trunk.h[0].attn.c_attn.weight[:, s : s + 8].T for s in (0, 16))
        positions = trunk.wpe.weight
    match = (positions @ query.T) @ (positions @ key.T).T
    assert match[5:].argmax(1).tolist() == list(range(4, TINY.context - 1))  # the first head looks one back


def test_training_lowers_the_loss_and_what_is_saved_is_what_was_trained(
    started: tuple[Student, Any], tmp_path: Path
) -> None:
    student, tokenizer = started
    corpus, recipe = make_corpus(), TINY.longer(30 / 1385)
    before = next_or_masked(student, tokenizer, corpus)
    train(student, Taught(student.kind, corpus, tokenizer, torch.zeros(80, 2), recipe), recipe, torch.device("cpu"))
    assert next_or_masked(student, tokenizer, corpus) > before
    student.save(tmp_path, tokenizer)
    loaded = Student.load(tmp_path)
    texts = [text for text, _ in corpus.held]
    torch.testing.assert_close(
        predict(loaded, tokenizer, texts), predict(student, tokenizer, texts), atol=1e-2, rtol=1e-2
    )
    if student.kind == "encoder":
        assert len(decode_rates(loaded, tokenizer, texts)) == TINY.num_layers + 1
    else:
        torch.testing.assert_close(predict_prefixes(loaded, tokenizer, texts)[:, -1], predict(loaded, tokenizer, texts))


def next_or_masked(student: Student, tokenizer: Any, corpus: Corpus) -> float:
    measure = masked_words if student.kind == "encoder" else next_words
    return measure(student, tokenizer, corpus.reviews)["top1"].value


def test_a_longer_run_stretches_both_phases() -> None:
    assert FULL.longer(2).encoder_steps == (2770, 3040)
    assert QUICK.longer(1) == QUICK


# ---- what is shipped


def test_the_recorded_figures_are_of_the_shipped_weights_and_stand_in_the_docs() -> None:
    report = json.loads((ROOT / "bench" / "demo_models" / "figures.json").read_text())
    for name, model in report["models"].items():
        folder = ROOT / "explainers" / "demo" / name
        assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == model["sha256"]
        assert model["lead"]["value"] > 0
    assert sum(model["bytes"] for model in report["models"].values()) <= 16e6
    assert markdown(report) in (ROOT / "docs" / "models.md").read_text()
