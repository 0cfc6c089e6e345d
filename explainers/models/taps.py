"""Reading, and cutting the graph at, the layers of any transformer: found by watching it run, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from saliscope.explainers.variants import Layer

Run = Callable[[], Tensor]
Swap = Callable[[Tensor], Tensor]
"""What a layer's states become on the way, `[B, T, K]` to `[B, T, K]`."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Where the layers of a body are: its distinct `blocks` in order of first call (a shared one is called often),
    how many calls a forward makes, and the modules of the `tail` between the last block and the last hidden state.
    """

    blocks: tuple[nn.Module, ...]
    num_layers: int
    tail: tuple[nn.Module, ...]

    def read_out(self, hidden: Tensor) -> Tensor:
        """A block's output as the head expects it: through the final norm, where the body ends with one."""
        for module in self.tail:
            hidden = module(hidden)
        return hidden


def dissect(body: nn.Module, num_layers: int, run: Run) -> Anatomy | None:
    """Find the blocks of `body`: the first list of modules that `run` calls `num_layers` times in all.

    `run` makes a small forward and returns the last hidden state. None if no list fits, or if the way from the last
    block to that state is not a chain of modules.
    """
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) > 0]
    counts = _count_calls([block for blocks in lists for block in blocks], run)
    for blocks in lists:
        if sum(counts[id(block)] for block in blocks) == num_layers:
            unique = tuple(dict.fromkeys(blocks))
            tail = _find_tail(body, unique, num_layers, run)
            return None if tail is None else Anatomy(unique, num_layers, tail)
    return None


@contextmanager
def tapped(
    anatomy: Anatomy, layers: Sequence[Layer], cut: Layer | None, swaps: Mapping[Layer, Swap] | None = None
) -> Iterator[dict[Layer, Tensor]]:
    """Collect the tensors of `layers` during one forward; at `cut` the graph starts anew with a leaf.

    `swaps` change states on the way, before they are collected or cut.

    Layer 0 enters the first block, layer l leaves block l. Hooks are removed on the way out.
    """
    found: dict[Layer, Tensor] = {}
    calls = 0

    def touch(layer: Layer, hidden: Tensor) -> Tensor:
        if swaps and layer in swaps:
            hidden = swaps[layer](hidden)
        if layer == cut:
            hidden = hidden.detach().requires_grad_(True)
        if layer in layers:
            found[layer] = hidden
        return hidden

    def enter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if calls > 0:
            return None
        if args:
            return (touch(0, args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": touch(0, kwargs["hidden_states"])}

    def leave(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        nonlocal calls
        calls += 1
        if isinstance(output, Tensor):
            return touch(calls, output)
        return (touch(calls, output[0]), *output[1:])

    hooks = [anatomy.blocks[0].register_forward_pre_hook(enter, with_kwargs=True)]
    hooks += [block.register_forward_hook(leave) for block in anatomy.blocks]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _count_calls(modules: Sequence[nn.Module], run: Run) -> dict[int, int]:
    counts = {id(module): 0 for module in modules}

    def count(module: nn.Module, args: Any, output: Any) -> None:
        counts[id(module)] += 1

    hooks = [module.register_forward_hook(count) for module in dict.fromkeys(modules)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return counts


def _find_tail(
    body: nn.Module, blocks: tuple[nn.Module, ...], num_layers: int, run: Run
) -> tuple[nn.Module, ...] | None:
    inside = {id(module) for block in blocks for module in block.modules()}
    candidates = [m for m in body.modules() if id(m) not in inside and not list(m.children())]
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []
    last: list[Tensor] = []

    def after_block(module: nn.Module, args: Any, output: Any) -> None:
        last.append(output if isinstance(output, Tensor) else output[0])

    def after_leaf(module: nn.Module, args: Any, output: Any) -> None:
        if len(last) == num_layers and args and isinstance(output, Tensor) and isinstance(args[0], Tensor):
            calls.append((module, args[0], output))

    hooks = [block.register_forward_hook(after_block) for block in blocks]
    hooks += [module.register_forward_hook(after_leaf) for module in candidates]
    try:
        state = run()
    finally:
        for hook in hooks:
            hook.remove()
    chain: list[nn.Module] = []
    hidden = last[-1]
    for module, entered, left in calls:
        if entered is hidden:
            chain.append(module)
            hidden = left
    return tuple(chain) if torch.equal(hidden, state) else None
