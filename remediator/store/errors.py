"""What can go wrong in the store, told so that an operator knows what to do."""

import sqlite3

_REMEDIES = {
    "SQLITE_NOTADB": "it is not a database of Remediator; move it away, or give the store another path",
    "SQLITE_CORRUPT": "it is damaged; restore the newest backup, and look at the disk",
    "SQLITE_FULL": "free space on its disk",
    "SQLITE_IOERR": "look at its disk, its free space and the kernel's log",
    "SQLITE_READONLY": "make it and its directory writable for the daemon's user",
    "SQLITE_CANTOPEN": "make it and its directory writable for the daemon's user",
    "SQLITE_BUSY": "another program holds it locked; close that program",
}


_WRONG = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)
"""Errors of what was asked of a database, not of the database or its disk."""


class StoreError(Exception):
    """The store could not do what was asked; nothing of it was written."""


class StoreRefused(StoreError):  # noqa: N818 - as below
    """What was asked can never be written, as it breaks what must always hold: to try again is of no use."""


class StoreBusy(StoreError):  # noqa: N818 - named by what is the matter, like the refusals of the desk
    """More notifications wait to be written than may wait: ask again later."""


def explain(path: str, error: sqlite3.Error) -> StoreError:
    """A database error as a StoreError that names the file and the remedy."""
    name = getattr(error, "sqlite_errorname", None) or ""
    remedy = next((text for prefix, text in _REMEDIES.items() if name.startswith(prefix)), None)
    return StoreError(f"store {path}: {error}" + (f" ({name}): {remedy}" if remedy else ""))


def explain_job(path: str, error: sqlite3.Error) -> StoreError:
    """The same for what one job ran into: a StoreRefused where that is the job's own fault."""
    wrong = isinstance(error, _WRONG) or getattr(error, "sqlite_errorname", None) == "SQLITE_ERROR"
    return StoreRefused(f"store {path}: {error!r}") if wrong else explain(path, error)
