"""What is known of the token at the cursor."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.render.buckets import bucket, meaning, peak_of
from saliscope.render.graphemes import cut
from saliscope.render.text import one_line, signed
from saliscope.tui.inks import Inks
from saliscope.tui.known import OtherScore
from saliscope.tui.reading import facts_of

#: So many pieces are named, each with its ids.
MAX_PIECES = 4
#: So many other methods, by so much of their names.
MAX_OTHERS = 4
MAX_METHOD = 20


class TokenDetail(Static):
    """Score, standard error, share, rank and pieces of one feature; what the prediction is without it."""

    def __init__(self, inks: Inks, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inks = inks
        self._shown: tuple[object, ...] = ()

    def show(
        self,
        explanation: Explanation | None,
        index: int | None,
        others: tuple[OtherScore, ...] = (),
        masked: int = 0,
        without: Prediction | None = None,
    ) -> None:
        """Show feature number `index` and what `others` say of it; the prediction is `without` the `masked` ones."""
        shown = (explanation, index, others, masked, without, self.inks)
        if _same(shown, self._shown):
            return
        self._shown = shown
        if explanation is None or index is None:
            self.update(Text("Move to a token to see its score.", "dim"))
            return
        facts = facts_of(explanation, index)
        peak = peak_of(explanation.scores)
        number = bucket(facts.score, peak)
        head = Text(f" {cut(one_line(facts.text), 24)} ", self.inks.style(number))
        score = signed(facts.score, peak)
        head.append(f"  {score if explanation.signed else score.removeprefix('+')}", "bold")
        if facts.stderr is not None:
            head.append(f" ± {signed(facts.stderr, peak).removeprefix('+')}")
        rows = Table.grid(padding=(0, 1))
        rows.add_column(style="dim", no_wrap=True)
        rows.add_column()
        rows.add_row("rank", f"{facts.rank} of {facts.of}")
        rows.add_row("share", f"{facts.share:.1%}")
        pieces = [f"{one_line(text)} {','.join(map(str, ids))}".strip() for text, ids in facts.pieces[:MAX_PIECES]]
        more = len(facts.pieces) - MAX_PIECES
        rows.add_row("pieces", Text(" · ".join(pieces) + (f" and {more} more" if more > 0 else "")))
        for other in others[:MAX_OTHERS]:
            rows.add_row(cut(other.method, MAX_METHOD), self._score(other))
        if masked:
            rows.add_row("masked", Text(self._without(explanation, masked, without)))
        sheet = Table.grid()
        sheet.add_row(head)
        sheet.add_row(Text(meaning(number, signed=explanation.signed), "dim"))
        sheet.add_row(rows)
        self.update(sheet)

    def _score(self, other: OtherScore) -> Text:
        """What another method says, in the colour that it has there."""
        number = signed(other.score, other.peak)
        text = number if other.signed else number.removeprefix("+")
        return Text().append(f" {text} ", self.inks.style(bucket(other.score, other.peak)))

    @staticmethod
    def _without(explanation: Explanation, masked: int, without: Prediction | None) -> str:
        """How the prediction changes without what is masked, in words."""
        what = f"{masked} token{'' if masked == 1 else 's'}"
        if without is None:
            return f"{what}: asking …"
        label = explanation.prediction.label
        before, after = explanation.prediction.probabilities.get(label), without.probabilities.get(label)
        if before is None or after is None:
            return f"{what}: {one_line(without.label)}"
        return f"{what}: {one_line(label)} {before:.1%} → {after:.1%} ({(after - before) * 100:+.1f})"


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether nothing has changed; an explanation is another one when it comes anew, whatever it says."""
    return len(one) == len(other) and one[0] is other[0] and one[1:] == other[1:]
