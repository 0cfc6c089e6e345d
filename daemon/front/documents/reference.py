"""Writes docs/documents.md from the tables: `python -m saliscope.daemon.front.documents.reference FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saliscope.daemon.front.documents.formats import FORMATS
from saliscope.daemon.front.documents.limits import (
    LOOKED_AT,
    MOST_CHARACTERS,
    MOST_LINES,
    MOST_OF_A_LINE,
    MOST_PARSED,
)
from saliscope.daemon.front.documents.yaml_nodes import DEEPEST
from saliscope.protocol.fields import LABEL_FIELDS, LIST_FIELDS, MESSAGE_FIELDS, PAIR_FIELDS, ROLES, TEXT_FIELDS
from saliscope.protocol.findings import FINDINGS
from saliscope.protocol.workspace import FILE, GLOBS, KEYS

_HEAD: Final = """\
# Documents

<!-- Written by `python -m saliscope.daemon.front.documents.reference`; a test compares. -->

A document is a text in a format. It has records, a record has fields, and every character of a field knows which code
points of the source spell it: through JSON escapes, doubled quotes of tables, folded YAML, any line ends, a byte order
mark. An edit parses again what it touches; the other records move with the text and keep their ids.

## Formats

The format is named, or found by the suffix of the file, then by the language id of the editor; else it is `lines`.
"""

_FIELDS: Final = f"""\
## Fields

Which field is the text, its pair and the label may be named (`field`, `pair`, `label`); else it is the first of these
that is there, in whatever case it is written:

* **text**: {", ".join(TEXT_FIELDS)}
* **pair**: {"; ".join(f"beside `{text}`: {', '.join(pairs)}" for text, pairs in PAIR_FIELDS.items())}
* **label**: {", ".join(LABEL_FIELDS)}; a name or a number
* **messages** of a chat, before any text: {", ".join(MESSAGE_FIELDS)}; each a map of `role` and `content` (or `from`
  and `value`). Known roles: {", ".join(ROLES)}
* **the list** of records in a JSON or YAML document that is a map without a text: {", ".join(LIST_FIELDS)}

* **Tables** have their names in the first row. The delimiter of `.csv` is the one of `,`, `;`, tab and `|` that divides
  the first row into the most cells. Quotes are read as Python's `csv` reads them.
* **YAML** is what PyYAML's safe loader reads. Each text is read a second time with positions; where both do not agree,
  and where it comes from an anchor elsewhere, the record is not explained and says so. A stream of documents is read
  as far as it is sound.
* **Markdown** is CommonMark; inline code is left out of the text, emphasis marks are not.
* **Prompts** may begin with front matter. `user:` alone on a line, or `{{{{role "user"}}}}`, begins a message; text
  before the first one is the system's.
"""

_LIVE: Final = """\
## Live documents

A client opens a document with `document/open`, sends edits with `document/change`, and says where its reader is with
`document/focus` ([the protocol](protocol.md) has the messages). The record with the focus is explained first, then what
was edited and what is near, then the rest in order, a few at a time.

* **First an estimate**: one pass of the method that fits the model, of every record. Then the method that was chosen,
  with its own estimates while it runs. Of the record with the focus the prediction alone comes before both. Each
  `document/attribution` names its method, and its state: `predicted`, `partial` (a better one follows), or `final`.
  A method that samples ends when two estimates in a row are sure of the order of the strongest features (two standard
  errors between neighbours among the first five and the next; `until` "end" lets it go on); `max_ms` and `max_rows`
  bound it too. `document/settled` says that nothing waits any more.
* **Only what was touched** is asked of the model again; `document/change` counts it, and tells which records moved
  otherwise than the edit moves them. An explanation is kept by what the model saw, so that an edit that is undone costs
  nothing; `saliscope status --json` has the bytes (`figures.documents`). Of a long record that a decoder explains by
  `sp-pi`, what is before the edit is not computed again either ([memory](operations.md#memory)).
* **Newest version only**: what an edit makes void is cancelled. Each notification names the version whose positions it
  has, and the opening whose ids of records.
* **Documents do not wait for each other**: what is asked about one is done in the order in which it was asked, and one
  that takes long to be read holds up no other.
* **A long text** goes in parts: a message holds 4 MiB of text, so open the document with the first part and append the
  others with `document/change`.
* **A change that does not fit** (another base version, a range outside the text) is refused with `resync`: open the
  document again with its whole text.

In Python a session does all of this. Its documents know the text, and what was found out stands where it belongs while
the text is edited; edits are sent when the typing pauses; a document that was refused, or whose daemon has ended, is
opened again. How it is explained may come from `saliscope.toml`, which is looked at again when it changes.

```python
from pathlib import Path
from saliscope.protocol.edits import Edit
from saliscope.protocol.live import LiveSession, read_text

path = Path("reviews.jsonl")
session = LiveSession(on_change=lambda document, ids: print(ids))
await session.start()
document = session.open(path.name, read_text(path), path=path)
session.change(path.name, [Edit(10, 14, "dull")])
await session.settled(path.name)
for record in document.records:
    print(record.start, record.state, record.findings, record.explanation and record.explanation.scores)
await session.stop()
```

The clients have the messages themselves too:

```python
from saliscope.protocol import connect
from saliscope.protocol.edits import Edit

with connect() as client:
    client.open_document("reviews.jsonl", text, model="demo-decoder", on_attribution=print)
    client.change_document("reviews.jsonl", 0, 1, [Edit(10, 14, "dull")])
    while client.listen(timeout=1):
        pass
```
"""

_FINDINGS_HEAD: Final = """\
## Findings

What is wrong with one record is told at its place, and the other records work.
"""

_WORKSPACE: Final = f"""\
## {FILE}

The file in the folder of a document, or the closest one above, says how its documents are explained. What stands under
a glob wins over what stands above, and later globs over earlier ones. A glob without a slash takes a file by its name
in any folder; `**` crosses folders. A key that cannot be used is told with its line, and the rest is kept.

```toml
model = "demo-encoder"
trigger = "onSave"
thresholds.low-margin = 0.1

[{GLOBS}."reviews/**/*.jsonl"]
field = "review"
label = "stars"
```

It holds on the command line too: for the file that `dataset explain`, `diff --data` or `explain --messages` reads,
model, method, target, granularity and fields are those of its folder, unless an option says otherwise.
"""


def page() -> str:
    """The whole page as Markdown."""
    formats = [
        (f"`{one.name}`", one.record, _codes(one.suffixes), _codes(one.languages)) for one in FORMATS
    ]  # fmt: skip
    findings = [(f"`{kind}`", "no" if blocks else "yes", words) for kind, (blocks, words) in FINDINGS.items()]
    parts = [
        _HEAD,
        _table(("format", "a record is", "suffixes", "language ids"), formats),
        _FIELDS,
        _LIVE,
        _FINDINGS_HEAD,
        _table(("finding", "explained", "what it means"), findings),
        "## Limits\n\nBeyond them a document is refused as a whole, and an edit that leads there is not made.\n",
        _table(("limit", "of"), _limits()),
        _WORKSPACE,
        _table(("key", "what it says"), [(f"`{key}`", words) for key, words in KEYS.items()]),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _limits() -> Iterator[tuple[str, str]]:
    yield f"{MOST_CHARACTERS:,}", "code points"
    for format, most in MOST_PARSED.items():
        yield f"{most:,}", f"code points in the format `{format}`, which is parsed as a whole after every edit"
    yield f"{MOST_LINES:,}", "lines"
    yield f"{MOST_OF_A_LINE:,}", "code points of a line"
    yield f"{DEEPEST}", "maps and lists within each other, in YAML"
    yield "a tenth", f"of the first {LOOKED_AT:,} characters may be none of a text; else it is a binary file"


def _codes(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
