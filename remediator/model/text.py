"""Text from outside, made fit to be shown: no character that moves a cursor or hides another."""


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
