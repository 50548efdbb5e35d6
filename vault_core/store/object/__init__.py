"""A vault as objects: in S3, GCS, Azure Blob, R2, MinIO, or in a folder."""

from vault_core.store.object.store import ObjectStore

__all__ = ["ObjectStore"]
