"""Chats: rendered as transformers renders them, mapped back exactly, and a template that misbehaves is stopped."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from tokenizers import AddedToken

from saliscope.explainers import explain, load
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge
from saliscope.explainers.registry import fitting
from saliscope.explainers.texts.chat import (
    ChatTemplate,
    Message,
    Rendered,
    encode_chat,
    find_template,
    parse_messages,
    render,
)
from saliscope.explainers.texts.features import GRANULARITIES, build_features
from saliscope.explainers.texts.fence import fenced
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers import tiny
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, TEXTS, get

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRIMMING = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "[INST] {{ message['content'] | trim }} [/INST]{% else %}"
    " {{ message['content'].strip() }}{{ eos_token }}{% endif %}{% endfor %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}"
    "{% set messages = messages[1:] %}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message is defined %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
TOOLS = (
    "{%- if tools %}tools!{% endif %}{% set ns = namespace(last=none) %}{% for message in messages %}"
    "{% if message.role == 'tool' %}{% continue %}{% endif %}{% set ns.last = message.role %}"
    "{% generation %}{{ message.content }}{% endgeneration %}|{{ strftime_now('%Y') }}|{{ dict(a=1) | tojson }}"
    "{% endfor %}{{ ns.last }}"
)
CHAT = [
    {"role": "system", "content": "You judge films."},
    {"role": "user", "content": "  the plot is a mess\nbut the cast is wonderful "},
    {"role": "assistant", "content": "a dull film"},
    {"role": "user", "content": "user"},
]
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}


def rendered(template: str, chat: list[dict[str, str]], prompted: bool = True) -> Rendered:
    return render(template, dict(NAMES), parse_messages(chat), prompted)


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny causal model with ChatML."""
    folder: Path = tmp_path_factory.mktemp("chatting")
    return load(str(saved(folder, CHATML)), "cpu")


def saved(folder: Path, template: str | None) -> Path:
    tokenizer = type(tiny.tokenizer(True))(
        tokenizer_object=type(tiny.tokenizer(True)._tokenizer).from_str(tiny.tokenizer(True)._tokenizer.to_str()),
        eos_token="<eos>",
        pad_token="<pad>",
        model_max_length=256,
    )
    tokenizer.add_tokens([AddedToken("<|im_start|>", special=True), AddedToken("<|im_end|>", special=True)])
    tokenizer.chat_template = template
    tiny.build("llama", "ForCausalLM", vocab_size=len(tokenizer), max_position_embeddings=256).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("prompted", [True, False])
@pytest.mark.parametrize("template", [CHATML, TRIMMING, LLAMA2, TOOLS])
def test_a_chat_is_rendered_as_transformers_renders_it(template: str, prompted: bool) -> None:
    tokenizer = get("llama2")
    expected = tokenizer.apply_chat_template(
        CHAT, chat_template=template, tokenize=False, add_generation_prompt=prompted
    )
    names = {name: str(value) for name, value in tokenizer.special_tokens_map.items()}
    names |= {"tools": [], "documents": None, "add_generation_prompt": prompted}
    assert fenced("render", template, names, [CHAT], 10_000)["texts"] == [expected]
    assert str(datetime.now().year) in expected or template != TOOLS  # noqa: DTZ005


@pytest.mark.parametrize("template", [CHATML, TRIMMING, LLAMA2])
def test_every_message_is_found_where_it_is_even_if_the_template_says_the_same_words(template: str) -> None:
    found = rendered(template, CHAT)
    for row, place in zip(CHAT, found.places, strict=True):
        assert place is not None
        assert found.text[slice(*place)] == row["content"].strip()
    assert found.places[3] is not None
    assert found.places[3][0] == found.text.rindex("user", 0, found.places[3][1])


@pytest.mark.parametrize(
    ("template", "number"),
    [
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", 0),
        ("{% for m in messages %}{{ m.content[:9] }}{% endfor %}", 0),
        ("{{ messages[0].content }}{{ messages[2].content }}{{ messages[3].content }}", 1),
        ("{% for m in messages %}{{ m.content }}{% endfor %}{{ messages[0].content }}", 0),
        ("{% for m in messages %}{{ m.content.replace('but', 'and') }}{% endfor %}", 1),
        ("{% for m in messages %}{{ m.content.split('a dull')[-1] }}{% endfor %}", 2),
        ("{% for m in messages %}{{ m | tojson }}{% endfor %}", 1),
    ],
)
def test_a_template_that_changes_or_leaves_out_a_message_is_refused(template: str, number: int) -> None:
    with pytest.raises(NotCapable, match=rf"messages\[{number}\].content: .* changes or leaves out"):
        rendered(template, CHAT)


def test_a_template_that_looks_at_what_is_written_is_refused_where_marks_change_what_it_makes() -> None:
    with pytest.raises(NotCapable, match="something else of them when they are marked"):
        rendered("{% for m in messages %}{{ m.content | length }}{{ m.content }}{% endfor %}", CHAT)


@pytest.mark.parametrize(
    ("template", "error", "says"),
    [
        ("{{ raise_exception('no system, please') }}", BadRequest, "refuses them: no system, please"),
        ("{% for x in %}", BadRequest, "refuses them"),
        ("{{ messages.__class__.__mro__ }}", BadRequest, "unsafe"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", NotCapable, "was stopped"),
        ("{{ 'a' * 10000000000 }}", NotCapable, "was stopped"),
        ("{% set ns = namespace(a='aa') %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}", NotCapable,
         "was stopped"),
        ("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", BadRequest, "more than 4,194,304 characters"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", BadRequest, "refuses them"),
    ],
)  # fmt: skip
def test_a_template_that_misbehaves_is_stopped(template: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        rendered(template, CHAT)


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], r"messages: Expected `array` of length >= 1"),
        ("hello", r"messages: Expected `array`"),
        ([{"role": "user"}], r"messages\[0\]: .*missing required field `content`"),
        ([{"role": "user", "content": "a"}, {"role": "user", "content": 3}], r"messages\[1\].content: Expected `str`"),
        ([{"role": "user", "content": "a", "name": "b"}], r"messages\[0\]: .*unknown field `name`"),
        ([{"role": "", "content": "a"}], r"messages\[0\].role: Expected `str` of length >= 1"),
        (["hello"], r"messages\[0\]: Expected `object`"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], r"messages\[0\].content: Expected `str`"),
        ([{"role": "user", "content": "\ud800"}], r"messages\[0\].content: .*surrogate"),
        ([{"role": "user", "content": " \n"}], r"messages: every content is empty"),
        ([{"role": "user", "content": "a"}] * 257, r"messages: Expected `array` of length <= 256"),
    ],
)
def test_messages_that_are_none_are_refused_with_their_path(chatting: Any, messages: Any, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        explain(chatting, messages=messages)


def test_what_is_no_chat_model_or_too_long_or_two_things_at_once_is_refused(demo_encoder: Any, chatting: Any) -> None:
    with pytest.raises(NotCapable, match=r"no chat template; send its prompt as a text"):
        explain(demo_encoder, messages=CHAT)
    with pytest.raises(TooLarge, match="the model reads 256"):
        explain(chatting, messages=[{"role": "user", "content": "film " * 300}])
    with pytest.raises(TooLarge, match="over the limit"):
        explain(chatting, messages=[{"role": "user", "content": "film " * 300_000}])
    with pytest.raises(BadRequest, match="a chat comes alone"):
        explain(chatting, "a film", messages=CHAT)
    with pytest.raises(BadRequest, match="give a text, or messages"):
        explain(chatting)


def test_the_model_sees_what_the_plain_call_gives_it(chatting: Any) -> None:
    tokenizer = chatting.tokenizer
    for prompted in (None, True, False):
        got = explain(chatting, messages=CHAT, add_generation_prompt=prompted)
        plain = tokenizer.apply_chat_template(CHAT, add_generation_prompt=prompted is not False, return_dict=False)
        assert [id for token in got.tokens for id in token.ids] == plain


def test_only_what_was_written_is_scored_and_segments_say_whose_it_is(chatting: Any) -> None:
    for name in fitting(chatting.facts, "next-token"):
        got = explain(chatting, messages=CHAT, method=name, granularity="word")
        assert got.text == "\n".join(row["content"] for row in CHAT)
        assert [(one.name, got.text[one.start : one.end]) for one in got.segments] == [
            (row["role"], row["content"]) for row in CHAT
        ]
        assert [f.text for f in got.features] == " ".join(row["content"] for row in CHAT).split()
        assert np.isfinite(got.scores).all()
        assert got.cost.forward_rows <= got.cost.promised_forward_rows
        assert all("im_start" not in feature.text for feature in got.features)
    template = [token.text for token in got.tokens if token.special]
    assert template.count("<|im_start|>") == 5
    assert got.base_value is None or np.isfinite(got.base_value)


def test_what_the_template_writes_is_never_perturbed(chatting: Any) -> None:
    """Hiding everything hides the messages only: the rows of the query leave each special position as it is."""
    from saliscope.explainers import Question, drive
    from saliscope.explainers.explaining import explaining
    from saliscope.explainers.queries import Evaluate
    from saliscope.explainers.variants import Masked

    seen: list[Any] = []

    def answer(query: Any) -> Any:
        if isinstance(query, Evaluate) and isinstance(query.rows, Masked):
            seen.append(query)
        return chatting.answer(query)

    drive(explaining(chatting, Question(None, "occlusion", messages=CHAT)), answer)
    assert seen
    for query in seen:
        hidden = query.rows.hidden(len(query.encoding), 0, query.num_rows)
        assert hidden.any(axis=1).all()
        assert not hidden[:, query.encoding.special].any()


WRAPPED = "<|a|>{{ messages[0].content }}<|b|>\nuser: {{ messages[1].content | trim }}x"


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(first=TEXTS, second=TEXTS)
@settings(max_examples=4, deadline=None, derandomize=True)
def test_spans_of_a_chat_are_exact_and_no_feature_crosses_a_message(
    name: str, granularity: str, first: str, second: str
) -> None:
    messages = (Message("user", first), Message("user", second))
    texts = ["<|a|>", first, "<|b|>\nuser: ", second.strip(), "x"]
    places = []
    for number, content in ((1, first), (3, second)):
        at = len("".join(texts[:number])) + texts[number].find(content.strip())
        places.append((at, at + len(content.strip())) if content.strip() else None)
    encoding = encode_chat(Tokenizing(get(name)), Rendered("".join(texts), tuple(places)), messages, 10_000)
    source = encoding.text
    assert source == f"{first}\n{second}"
    for token in encoding.tokens:
        if not token.special:
            assert token.text == source[token.start : token.end] != ""
            assert sum(one.start <= token.start and token.end <= one.end for one in encoding.segments) == 1
    for feature in build_features(encoding, granularity):
        assert feature.text == source[feature.start : feature.end] != ""
        assert sum(one.start <= feature.start and feature.end <= one.end for one in encoding.segments) == 1


def test_the_default_of_several_templates_is_taken() -> None:
    class Several:
        chat_template = {"tool_use": "b", "default": "a"}  # noqa: RUF012
        special_tokens_map = {"bos_token": "<s>", "additional_special_tokens": ["<x>"]}  # noqa: RUF012

    assert find_template(Several()) == ChatTemplate("a", {"bos_token": "<s>", "additional_special_tokens": ["<x>"]})
    assert find_template(object()) is None


@given(text=TEXTS)
@settings(max_examples=5, deadline=None, derandomize=True)
def test_any_content_is_found_in_a_template_that_leaves_it_alone(text: str) -> None:
    found = rendered(CHATML, [{"role": "user", "content": text}, {"role": "user", "content": "x"}])
    if text.strip():
        assert found.places[0] is not None
        assert found.text[slice(*found.places[0])] == text.strip()
    else:
        assert found.places[0] is None
