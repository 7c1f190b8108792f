"""The word that was meant by one that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 4000  #: known words that are looked through: more of them are no vocabulary


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that is spelt most like this one; "" where none is like it."""
    from difflib import get_close_matches
    from itertools import islice

    return next(iter(get_close_matches(word, list(islice(known, MOST)), n=1, cutoff=cutoff)), "")


def meant(word: str, known: Iterable[str]) -> str:
    """`did you mean 'retries'?`, or "" where no known word is like it."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else ""


def no_parameter(owner: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a parameter that `owner` does not have, with what may have been meant."""
    names = list(known)
    instead = meant(name, names) or f"it has {', '.join(names) or 'none'}."
    return f"{owner} has no parameter {name!r}: {instead}"
