"""How fields of data are called: where the text, its pair, the label and the messages of a chat are looked for."""

from __future__ import annotations

from typing import Final

#: Endings of the files that hold data sets.
DATA_SUFFIXES: Final = (".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet")
#: In this order; the first that is there is the text.
TEXT_FIELDS: Final = (
    "text", "sentence", "prompt", "content", "review", "document", "body", "comment", "message", "input", "instruction",
    "template", "query", "sentence1", "premise", "question1", "question", "text1", "text_a",
)  # fmt: skip
#: The text's field -> where its second text is looked for.
PAIR_FIELDS: Final = {
    "text": ("pair", "text_pair", "text2"),
    "sentence": ("sentence2",),
    "sentence1": ("sentence2",),
    "premise": ("hypothesis",),
    "question1": ("question2",),
    "question": ("passage",),
    "query": ("passage",),
    "text1": ("text2",),
    "text_a": ("text_b",),
}
LABEL_FIELDS: Final = ("label", "labels", "class", "target", "sentiment", "category", "gold")
MESSAGE_FIELDS: Final = ("messages", "conversation", "conversations", "chat")
#: Under which names a document that is one map lists its records.
LIST_FIELDS: Final = (
    "prompts", "records", "examples", "samples", "data", "rows", "items", "texts", "sentences", "documents",
)  # fmt: skip
ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function", "model", "human", "ai")
