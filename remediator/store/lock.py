"""One daemon for one database: a second would act a second time."""

import fcntl
import os

from remediator.store.errors import StoreError


class LockFile:
    """The lock beside a database, `PATH.lock`; held until released, or the process ends."""

    def __init__(self, path: str) -> None:
        """Take the lock. StoreError names the process that has it."""
        name = f"{path}.lock"
        try:
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"store {path}: cannot open its lock file {name}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreError(
                f"store {path}: the process {holder} uses it (it holds {name}); "
                "stop that daemon, or give this one a store of its own"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the database. The file stays: removing it would race."""
        os.close(self._file)
