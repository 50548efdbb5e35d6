"""A vault as objects: in S3, GCS, Azure Blob, R2, MinIO, or in a folder."""

from vault_core.store.object.store import ObjectStore
from vault_core.store.object.url import check_url

__all__ = ["ObjectStore", "check_url"]
