"""What is learnt of the rows in sight: first what a job has found, then predictions, then scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saliscope.tui.data.asking import TOGETHER, Asking

if TYPE_CHECKING:
    from saliscope.protocol.aclient import AsyncClient
    from saliscope.tui.data.room import DataRoom


async def learn(room: DataRoom, client: AsyncClient, rows: Sequence[int], row: int | None) -> None:
    """Know more of rows, and of the one at the cursor before the others; the room tells whenever it does.

    Raises `SaliscopeError`; cancelling the awaiting task takes back what is asked.
    """
    await room.take_from_job(rows if row is None else [row, *rows])
    asking = Asking(room.data, client, room.choices)
    await asking.predict(rows)
    room.told()
    if row is not None:
        await asking.explain([row], is_read=True)
        room.told()
    for at in range(0, len(rows), TOGETHER):
        await asking.explain(rows[at : at + TOGETHER])
        room.told()
