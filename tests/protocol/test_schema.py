from __future__ import annotations

import json
from pathlib import Path

from saliscope.protocol import schema
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.messages import METHODS, NOTIFICATIONS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_published_pages_are_those_of_the_tables() -> None:
    for name, content in schema.pages().items():
        assert (DOCS / name).read_text() == content, "run `python -m saliscope.protocol.schema --write docs`"
    published = {f"schemas/{path.name}" for path in (DOCS / "schemas").glob("*.json")}
    assert published == schema.pages().keys() - {"protocol.md"}


def test_every_method_notification_and_error_is_documented() -> None:
    page = schema.pages()["protocol.md"]
    assert all(f"`{name}`" in page for name in [*METHODS, *NOTIFICATIONS, *ERRORS])


def test_schemas_refer_to_what_they_define() -> None:
    for name, content in schema.pages().items():
        if name.endswith(".json"):
            page = json.loads(content)
            used = {part.split('"')[0] for part in content.split("#/$defs/")[1:]}
            assert used == page["$defs"].keys()
