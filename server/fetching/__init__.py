"""What users' URLs name, fetched so that they cannot name anything that is ours: see docs/safety.md."""

from server.fetching.addresses import is_public
from server.fetching.base64 import decode_base64
from server.fetching.blocking import BlockingFetcher
from server.fetching.errors import FetchError, FetchProblem
from server.fetching.fetcher import Fetched, Fetcher
from server.fetching.urls import Target, UrlPolicy, check_url

__all__ = [
    "BlockingFetcher",
    "FetchError",
    "FetchProblem",
    "Fetched",
    "Fetcher",
    "Target",
    "UrlPolicy",
    "check_url",
    "decode_base64",
    "is_public",
]
