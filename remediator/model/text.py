"""Text made fit to be shown, and what a word was perhaps meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def harmless(text: str, *, lines: bool = False, limit: int | None = None) -> str:
    r"""`text` with every character that cannot be seen written as an escape (`\x1b`, `\u202e`).

    With `lines`, line breaks and tabs stay. Longer text is cut to `limit` characters and ends in `…`.
    """
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode()
        for char in text
    )


def counted(count: int, thing: str) -> str:
    """`1 line`, `2 lines`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest known word, or nothing if none is near."""
    words = list(known)
    near = [other for other in words if other.casefold() == word.casefold()] or get_close_matches(
        word, words, 1
    )
    return f"; did you mean `{near[0]}`?" if near else ""
