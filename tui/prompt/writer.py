"""What is asked about a prompt: what may come next, what the model writes, and what caused it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.listening import OnWritten
from saliscope.protocol.messages import BUNDLED
from saliscope.protocol.results import Generated
from saliscope.tui.desk import Desk
from saliscope.tui.prompt.state import Prompt

#: Tokens that are told for each place.
TOP: Final = 10


class Writer:
    """Asks the model about a prompt; without a chat template the prompt becomes a text, and `on_plain` hears it.

    Every verb raises `SaliscopeError`; cancelling the awaiting task cancels what is asked.
    """

    def __init__(self, prompt: Prompt, desk: Desk, on_plain: Callable[[], Awaitable[None]]) -> None:
        self._prompt, self._desk, self._on_plain = prompt, desk, on_plain

    @property
    def model(self) -> str:
        """The model that writes: the chosen one if it can, else the bundled decoder."""
        model = self._desk.choices.model or self._prompt.model or BUNDLED[0]
        known = next((one for one in self._desk.models if one.name == model and one.capabilities), None)
        is_classifier = known is not None and "next-token" not in known.capabilities
        return BUNDLED[1] if is_classifier or model == BUNDLED[0] else model

    async def next(self) -> Mapping[str, float]:
        """The likeliest next tokens with their probabilities."""
        found = await self._asked(max_tokens=1, priority="interactive", supersede="tui-next")
        return found.tokens[0].likely if found.tokens else {}

    async def write(self, on_written: OnWritten) -> Generated:
        """What the model writes behind the prompt."""
        prompt = self._prompt
        return await self._asked(
            max_tokens=prompt.max_tokens, temperature=prompt.temperature, seed=prompt.seed, on_written=on_written
        )

    async def _asked(self, **options: Any) -> Generated:
        client, prompt = self._desk.client, self._prompt
        try:
            return await client.generate(**prompt.source(), model=self.model, top=TOP, **options)
        except SaliscopeError as error:
            if prompt.is_plain or error.code != "not_capable" or "chat template" not in error.message:
                raise
        prompt.is_plain = True
        await self._on_plain()
        return await client.generate(**prompt.source(), model=self.model, top=TOP, **options)

    async def why(self) -> Explanation:
        """What in the prompt caused the picked tokens of the answer."""
        prompt, choices = self._prompt, self._desk.choices
        assert prompt.answer is not None
        source = prompt.source()
        found: Explanation = await self._desk.client.explain(
            source.pop("text", None), **source, model=prompt.answer.model, method=choices.method,
            target=prompt.target(), params=choices.params or None, granularity=choices.granularity,
            priority="interactive", supersede="tui-why",
        )  # fmt: skip
        return found
