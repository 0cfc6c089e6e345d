"""What opening a document and one typed character cost: `python -m bench.documents`."""

from __future__ import annotations

import json
import random
import time
from statistics import median

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.store import Store
from saliscope.protocol.edits import Edit

EDITS = 60


def main() -> None:
    """Print the table."""
    print("| format | characters | records | open, CPU s | edit, CPU ms (median) |\n|---|---|---|---|---|")
    for name, text in documents(100_000):
        began = time.process_time()
        store = Store(text, find_format(name))
        opened = time.process_time() - began
        print(f"| {name} | {len(text):,} | {len(store):,} | {opened:.2f} | {1e3 * median(edits(store)):.2f} |")


def documents(lines: int) -> list[tuple[str, str]]:
    """Lines of about a hundred characters; formats that are parsed as a whole have a hundredth of them."""
    words = "with so many good words in it that the line is a long one, é"
    said = [f"a film, number {number}, {words}" for number in range(lines)]
    few = said[: lines // 100]
    return [
        ("lines", "".join(f"{line}\n" for line in said)),
        ("jsonl", "".join(json.dumps({"text": line, "label": 1}) + "\n" for line in said)),
        ("csv", "text,label\n" + "".join(f'"{line}",1\n' for line in said)),
        ("json", json.dumps([{"text": line} for line in few])),
        ("yaml", "".join(f"- text: '{line}'\n" for line in few)),
        ("markdown", "".join(f"{line}\n\n" for line in few)),
    ]


def edits(store: Store) -> list[float]:
    """Seconds of CPU of letters typed within words all over the document."""
    dice = random.Random(1)
    places = [place for place in range(len(store.text)) if store.text.startswith("good", place)]
    took = []
    for _ in range(EDITS):
        place = dice.choice(places) + 2
        edit = Edit(place, place + 1, "u")
        began = time.process_time()
        store.change(store.version, store.version + 1, [edit])
        took.append(time.process_time() - began)
    return took


if __name__ == "__main__":
    main()
