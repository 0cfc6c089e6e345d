"""Words that random documents are made of."""

WORDS = (
    "a",
    "the",
    "dull",
    "charming",
    "plot",
    "cast",
    "film",
    "boring",
    "wonderful",
    "caf\u00e9",
    "\U0001f600",
    "mess",
)
