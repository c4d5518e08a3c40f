"""REMEMBER: the notifications, the state and the record, in one SQLite file.

State only changes together with the event that tells why, in one transaction; events are chained by
hash and sealed. `Store` is for the engine, `Reader` for everybody who looks.
"""

from remediator.store.errors import StoreBusy, StoreError, StoreRefused
from remediator.store.queries import Reader
from remediator.store.records import Counts, Notification, Quarantined
from remediator.store.store import Store
from remediator.store.transaction import Transaction

__all__ = [
    "Counts",
    "Notification",
    "Quarantined",
    "Reader",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreRefused",
    "Transaction",
]
