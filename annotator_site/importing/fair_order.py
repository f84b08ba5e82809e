"""The order in which the files of a source come in: mixed, and the same at every reading.

Class folders lie side by side, and names often begin with a class or a date. An import takes long
enough for people to label and models to learn meanwhile: in the order of the names they would see
the first classes alone. Here the order is that of a hash of each name, so that whatever is in is a
random sample of the whole, without replacement.

A hash rather than a drawn order, because it needs no state: an import that was broken off, on any
machine, goes on in the same order; of two files of one picture the same one is kept, and named in
the report; and files that are added to a source leave the order of the others as it was.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

# Used nowhere else, so that files named by some hash of theirs come mixed as well.
_KEY: Final = b"nowait: order of import"


def in_fair_order(files: Iterable[tuple[bytes, int]]) -> Iterator[int]:
    """The places of files, in the order of a hash of their names.

    `files`: for each its name and its place, whatever finds it again: 0 to 2**64 - 1. Files of the
    same name stay in the given order. All are taken before the first is returned, at 16 bytes each;
    sorting takes another 20 for a moment.
    """
    keys, places = array("Q"), array("Q")
    for name, place in files:
        digest = hashlib.blake2b(name, digest_size=keys.itemsize, key=_KEY).digest()
        keys.append(int.from_bytes(digest))
        places.append(place)
    order = np.argsort(np.array(keys, dtype=np.uint64), kind="stable")
    del keys
    for index in order:
        yield places[index]
