"""Long documents: taken now, read in the background, fetched later (docs/jobs.md)."""
