"""stub."""

TITLE = ""


def compare(cases, repetitions):
    return []
