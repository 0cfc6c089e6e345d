"""Scores to colour: buckets, palettes, ANSI, HTML, SVG; pure functions shared by every face."""

from saliscope.render.ansi import Depth, depth_of, legend, paint, strip, theme_of
from saliscope.render.buckets import BUCKETS, bucket, meaning, peak_of
from saliscope.render.html import fragment, page
from saliscope.render.painting import Mark, Painting, Segment
from saliscope.render.palettes import PALETTES, Palette, Theme
from saliscope.render.panel import Bar, Panel, Row
from saliscope.render.svg import picture
from saliscope.render.text import one_line, signed, visible

__all__ = [
    "BUCKETS",
    "PALETTES",
    "Bar",
    "Depth",
    "Mark",
    "Painting",
    "Palette",
    "Panel",
    "Row",
    "Segment",
    "Theme",
    "bucket",
    "depth_of",
    "fragment",
    "legend",
    "meaning",
    "one_line",
    "page",
    "paint",
    "peak_of",
    "picture",
    "signed",
    "strip",
    "theme_of",
    "visible",
]
