"""The compiled search: the same as plain Python, and where nothing may be written."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest

from deployments.recognition import search_kernel
from deployments.recognition.search_tables import index_of

SEARCH = """
import numpy as np
from deployments.recognition.beam import Priors, Search, find_text
from deployments.recognition.charlm import CharModel, CharPrior
from deployments.recognition.charset import Charset
from deployments.recognition.lexicon import Lexicon, WordPrior
from deployments.weights import resolve

weights, charset = resolve("charlm-ru-en", "charlm"), Charset()
model = CharModel.of_weights(weights)
priors = Priors(CharPrior(model, charset), WordPrior(Lexicon.of_weights(weights), model, charset))
posteriors = np.random.default_rng(0).dirichlet(np.full(len(charset), 0.02), size=12).astype(np.float32)
print(find_text(posteriors, priors, Search()).characters)
"""


def searched(**environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", SEARCH],
        env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout


def test_plain_python_finds_what_compiled_code_finds() -> None:
    plain = searched(NUMBA_DISABLE_JIT="1")
    assert plain.count("(") > 3
    assert plain == searched()


def test_where_nothing_may_be_written_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    really = numba.njit

    def njit(*function: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("no locator available")
        return really(*function, **options)

    monkeypatch.setattr(numba, "njit", njit)
    assert search_kernel.compiled(lambda number: number + 1)(1) == 2


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_every_key_is_found_and_no_other(count: int) -> None:
    rng = np.random.default_rng(count)
    keys = np.unique(rng.integers(0, 2**64 - 1, 2 * count, np.uint64, endpoint=True))
    index = index_of(keys[::2].copy(), 64)
    assert [search_kernel.find(index, np.uint64(key)) for key in keys[::2]] == list(range(len(keys[::2])))
    assert all(search_kernel.find(index, np.uint64(key)) == -1 for key in keys[1::2])
    assert search_kernel.find(index, np.uint64(0)) in (-1, 0)
    assert search_kernel.find(index, np.uint64(2**64 - 1)) in (-1, len(keys[::2]) - 1)
