"""A document as plain text."""

from __future__ import annotations

from serve_app.assembly import page_text
from serve_app.results import DocumentResult


def render(document: DocumentResult) -> str:
    """Pages in reading order, a form feed between two; a page that failed is empty."""
    pages = ("" if page.error else page_text(page.regions, page.skew_deg) for page in document.pages)
    return "\n\f".join(pages) + "\n"
