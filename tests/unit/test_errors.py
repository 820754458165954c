from __future__ import annotations

import pytest

from deployments.errors import InputError, OcrError, Overloaded, UnreadableDocument, kinds
from serve_app import problems
from serve_app.decoding import wire


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(set(codes)) == len(codes) and OcrError.code in codes
    assert UnreadableDocument in kinds(InputError) and Overloaded not in kinds(InputError)


def test_what_ray_makes_of_an_error_is_no_kind() -> None:
    catalogue = problems.catalogue()
    made = type("RayTaskError(UnreadableDocument)", (UnreadableDocument,), {})
    assert made not in kinds() and UnreadableDocument in kinds()
    assert problems.catalogue() == catalogue
    with pytest.raises(UnreadableDocument, match="cut short") as raised:
        wire.raise_error({"error": UnreadableDocument.code, "public": "It is cut short."})
    assert raised.type is UnreadableDocument
