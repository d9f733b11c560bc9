"""Files of accounts: on disk or in a bucket, counted, opened by URLs that expire."""

from server.storage.errors import KeyInvalid, QuotaExceeded, StorageError, StorageFailed
from server.storage.own import OwnFiles
from server.storage.records import FileInfo
from server.storage.routes import file_routes
from server.storage.s3 import origin_of
from server.storage.storage import Storage
from server.storage.store import LocalStore, Store
from server.storage.urls import SignedUrls

__all__ = [
    "FileInfo",
    "KeyInvalid",
    "LocalStore",
    "OwnFiles",
    "QuotaExceeded",
    "SignedUrls",
    "Storage",
    "StorageError",
    "StorageFailed",
    "Store",
    "file_routes",
    "origin_of",
]
