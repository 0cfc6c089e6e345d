"""What can be done at a place: in kinds that light no bulb, except where a finding can be ignored."""

from __future__ import annotations

import json
from typing import Any

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.codes import OF_RECORDS
from saliscope.lsp.painting import piece_at
from saliscope.lsp.problems import SOURCE
from saliscope.lsp.words import named, short
from saliscope.protocol.explanation import Explanation

KIND = "source.saliscope"
_MOST_CLASSES = 6
#: Methods that are offered beside the one in use, where the model has them; `saliscope.setMethod` takes any.
_METHODS = ("input-x-gradient", "occlusion", "sp-pi")


def actions(buffer: Buffer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """The actions for a range: explain otherwise, leave a word out, look at the numbers, ignore a finding."""
    only = params.context.only
    found = []
    if _wanted(types.CodeActionKind.QuickFix, only):
        found += [
            _ignore(buffer, one)
            for one in params.context.diagnostics
            if one.source == SOURCE and one.code in OF_RECORDS
        ]
    if _wanted(KIND, only):
        found += _explaining(buffer, params.range.start)
    return found


def _explaining(buffer: Buffer, position: types.Position) -> list[types.CodeAction]:
    offset = buffer.lines.offset(position)
    record = buffer.record_at(offset)
    if record is None or record.explanation is None:
        return []
    explanation = record.explanation
    found = []
    piece = piece_at(record, buffer.text, offset)
    if piece is not None:
        word = named(buffer.text, piece)
        found.append(_action(f"Predict without “{word}”", "mask", "saliscope.mask", buffer.uri, position))
    found += _targets(buffer, explanation)
    for method in _METHODS:
        if method != explanation.method:
            found.append(
                _action(f"Compare with {method}", "compare", "saliscope.compare", buffer.uri, position, method)
            )
            found.append(_action(f"Explain with {method}", "method", "saliscope.setMethod", buffer.uri, method))
    found.append(_action("Copy the explanation as JSON", "copy", "saliscope.copyJson", buffer.uri, position))
    return found


def _targets(buffer: Buffer, explanation: Explanation) -> list[types.CodeAction]:
    """Why the predicted class and not another one; and back to what the settings say."""
    predicted, found = explanation.prediction, []
    if predicted.kind == "class":
        others = [label for label in predicted.probabilities if label != predicted.label]
        for label in others[:_MOST_CLASSES]:
            if label != explanation.target.against:
                # As JSON: a label may be anything, also what would be read as another target.
                target = json.dumps({"kind": "contrast", "label": predicted.label, "against": label})
                title = f"Explain against class {short(label)}"
                found.append(_action(title, "target", "saliscope.setTarget", buffer.uri, target))
    if "target" in buffer.commanded:
        found.append(_action("Explain what is predicted", "target", "saliscope.setTarget", buffer.uri, None))
    return found


def _ignore(buffer: Buffer, diagnostic: types.Diagnostic) -> types.CodeAction:
    place = diagnostic.range.start
    action = _action(f"Ignore {diagnostic.code} here", "", "saliscope.ignore", buffer.uri, place, diagnostic.code)
    action.kind = types.CodeActionKind.QuickFix
    action.diagnostics = [diagnostic]
    return action


def _action(title: str, kind: str, command: str, *arguments: Any) -> types.CodeAction:
    # Never positional: the third parameter of `Command` is the tooltip.
    call = types.Command(title=title, command=command, arguments=list(arguments))
    return types.CodeAction(title=title, kind=f"{KIND}.{kind}", command=call)


def _wanted(kind: str, only: Any) -> bool:
    """Whether a client asked for a kind, for one above it, or for one below it."""
    kind = str(kind.value) if isinstance(kind, types.CodeActionKind) else kind
    asked = [str(one.value) if isinstance(one, types.CodeActionKind) else str(one) for one in only or ()]
    return not asked or any(f"{kind}.".startswith(f"{one}.") or one.startswith(f"{kind}.") for one in asked)
