"""Scores to colour: buckets, palettes, ANSI, HTML, SVG; pure functions shared by every face."""
