from __future__ import annotations

from serve_app.config_docs import PAGE, page


def test_committed_page_is_what_the_models_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m serve_app.config_docs"
