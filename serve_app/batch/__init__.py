"""Reading folders and buckets of documents without a service; see docs/batch.md."""
