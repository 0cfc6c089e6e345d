"""Which record of before is which record of now."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence


def align(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For each new key the number of the old record that goes on in it: the same content first, then the same order."""
    size = min(len(old), len(new))
    head = next((at for at in range(size) if old[at] != new[at]), size)
    tail = next((at for at in range(size - head) if old[-1 - at] != new[-1 - at]), size - head)
    found: list[int | None] = [*range(head), *[None] * (len(new) - head)]
    for at in range(1, tail + 1):
        found[-at] = len(old) - at
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for at in range(head, len(old) - tail):
        waiting[old[at]].append(at)
    middle = range(head, len(new) - tail)
    for at in middle:
        if same := waiting.get(new[at]):
            found[at] = same.popleft()
    rest = sorted(at for left in waiting.values() for at in left)
    # Of the others each goes on in the one that stands where it stood, behind the same record.
    free = set(rest)
    for at in middle:
        behind = -1 if at == 0 else found[at - 1]
        if found[at] is None and behind is not None and behind + 1 in free:
            found[at] = behind + 1
            free.remove(behind + 1)
    left = iter(at for at in rest if at in free)
    for at in middle:
        if found[at] is None:
            found[at] = next(left, None)
    return found


class Duplicates:
    """Ids of records by the key of their content."""

    def __init__(self) -> None:
        self._alone: dict[str, int] = {}
        self._groups: dict[str, set[int]] = {}

    def has(self, key: str) -> bool:
        """Whether more than one record has this content."""
        return key in self._groups

    def add(self, key: str, id: int) -> int | None:
        """Count a record in; the id of the one that has become a duplicate by it."""
        if key in self._groups:
            self._groups[key].add(id)
            return None
        other = self._alone.pop(key, None)
        if other is None:
            self._alone[key] = id
        else:
            self._groups[key] = {other, id}
        return other

    def remove(self, key: str, id: int) -> int | None:
        """Count a record out; the id of the one that is no duplicate any more."""
        if self._alone.pop(key, None) is not None:
            return None
        group = self._groups[key]
        group.discard(id)
        if len(group) > 1:
            return None
        del self._groups[key]
        self._alone[key] = (other := group.pop())
        return other
