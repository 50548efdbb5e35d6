"""A vault in S3 keeps the protocol, through obstore's real client and moto's server."""

import pytest

from support.objects import url
from vault_core.store.object import ObjectStore
from vault_core.testing import StoreConformance


class S3Place:
    """A prefix of its own."""

    def __init__(self, where: str) -> None:
        self.url = where

    def create(self) -> ObjectStore:
        return ObjectStore(self.url, create=True)

    def open(self) -> ObjectStore:
        return ObjectStore(self.url)


class TestS3(StoreConformance):
    @pytest.fixture
    def place(self, s3: str, prefix: str) -> S3Place:
        return S3Place(url(s3, prefix))
