"""Pure: which frames a node drops on purpose, by the rule of docs/contracts.md, section 2, written a second time.

It shares no code with the nodes, so that a fault of theirs cannot hide in the truth that they are compared with.
"""

import hashlib
import math

BLOCK = 100


def dropped(first: int, last: int, drop_ratio: float, seed: int) -> frozenset[int]:
    """Give the frame numbers from `first` to `last`, both included, whose messages are not sent."""
    found: set[int] = set()
    for start in range(first - first % BLOCK, last + 1, BLOCK):
        count = math.floor((start + BLOCK) * drop_ratio + 0.5) - math.floor(start * drop_ratio + 0.5)
        digests = {n: hashlib.sha256(f"{seed}/{n}".encode()).hexdigest() for n in range(start, start + BLOCK)}
        found.update(sorted(digests, key=lambda number: digests[number])[:count])
    return frozenset(number for number in found if first <= number <= last)
