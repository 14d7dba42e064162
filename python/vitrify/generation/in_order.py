"""Makes structures in several threads, and hands them out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from ase import Atoms

Sampler = TypeVar("Sampler")


def in_order(one: Callable[[Sampler, int], Atoms], samplers: Sequence[Sampler], seeds: range) -> Iterator[Atoms]:
    """The structures that `one` makes of the seeds, in order.

    Each sampler has a thread of its own, and none works far ahead of the reader.
    """
    if len(samplers) == 1:
        yield from (one(samplers[0], seed) for seed in seeds)
        return
    free: SimpleQueue[Sampler] = SimpleQueue()
    for sampler in samplers:
        free.put(sampler)

    def work(seed: int) -> Atoms:
        sampler = free.get()
        try:
            return one(sampler, seed)
        finally:
            free.put(sampler)

    with ThreadPoolExecutor(len(samplers)) as pool:
        waiting: deque[Future[Atoms]] = deque()
        try:
            for seed in seeds:
                waiting.append(pool.submit(work, seed))
                if len(waiting) > 2 * len(samplers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
