"""What can be wrong with a stored file.

StorageError
├── QuotaExceeded    the account has no room for it
├── KeyInvalid       the key is not one
└── StorageFailed    an OSError: the disk or the service did not do it; another attempt may succeed
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of what storage raises. The text is fit for users: no path, no address, no account."""


class QuotaExceeded(StorageError):
    """The account would have more than it may. `free` bytes are left."""

    def __init__(self, size: int, free: int) -> None:
        super().__init__(
            f"The file has {_mib(size)} and your account has {_mib(max(0, free))} of storage left: "
            "delete files you no longer need"
        )
        self.free = free


class KeyInvalid(StorageError):
    """Not a key, or another account's."""


class StorageFailed(StorageError, OSError):
    """The disk or the service did not do it."""


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
