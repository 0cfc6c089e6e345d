"""A painting as text of the terminal UI."""

from __future__ import annotations

from rich.text import Text

from saliscope.render.painting import Painting
from saliscope.tui.inks import Inks


def painted(painting: Painting, inks: Inks) -> Text:
    """The visible text in the inks; what the model did not read is dim."""
    text = Text()
    for segment in painting.segments():
        text.append(segment.text, inks.style(segment.bucket, seen=segment.seen))
    return text
