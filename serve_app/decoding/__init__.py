"""Documents are decoded in processes of their own: docs/decisions/0007-decoders-in-processes.md."""
