"""What the page at ``/`` says: every word in both languages, and a sentence for every problem."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from serve_app import problems
from serve_app.api import create_api
from serve_app.jobs.config import JobsConfig
from tests.api_client import Config, serving
from tests.readers import InkReader

WEB = Path(__file__).parents[2] / "serve_app" / "web"
LANGUAGES = ("en", "ru")
SCRIPTS = sorted((WEB / "static").glob("*.js"))


def words(language: str) -> dict[str, str]:
    """Names on the outer level of a language's words, with what follows them."""
    source = (WEB / "static" / f"words.{language}.js").read_text(encoding="utf-8")
    return dict(re.findall(r"^  (\w+): (.*)$", source, re.MULTILINE))


def problem_words(language: str) -> dict[str, str]:
    source = (WEB / "static" / f"words.{language}.js").read_text(encoding="utf-8")
    _, _, block = source.partition("  problems: {")
    return dict(re.findall(r"^    (\w+): (\[.*\]),$", block, re.MULTILINE))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_a_title_and_advice(language: str) -> None:
    known = problem_words(language)
    assert set(problems.catalogue()) <= known.keys()
    assert all(re.fullmatch(r'\[".+", ".+\."\]', text) for text in known.values())


def test_both_languages_say_the_same_things() -> None:
    assert words("en").keys() == words("ru").keys()
    assert problem_words("en").keys() == problem_words("ru").keys()
    placeholders = [
        {
            name: sorted(re.findall(r"\{(\w+)\}", text))
            for name, text in (words(each) | problem_words(each)).items()
        }
        for each in LANGUAGES
    ]
    assert placeholders[0] == placeholders[1]


def test_every_word_that_is_used_exists_and_every_word_is_used() -> None:
    page = (WEB / "index.html").read_text(encoding="utf-8")
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in SCRIPTS if not path.name.startswith("words.")
    )
    used = set(re.findall(r'data-(?:word|label|hint|placeholder)="(\w+)"', page))
    assert used <= words("en").keys()
    assert {name for name in words("en") if name not in used and not re.search(rf'["`]{name}["`]', code)} <= {
        "stages",
        "spent",
        "problems",
        "printed",
        "handwritten",
        "unknown",
        "unsure",
    }


def test_without_scripts_the_page_says_in_both_languages_what_it_needs() -> None:
    """Its words are all put in by a script; a browser that is driven has one for itself, so none can look."""
    page = (WEB / "index.html").read_text(encoding="utf-8")
    (told,) = re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert "needs JavaScript" in told and 'lang="ru"' in told
    assert "scripting: none" in (WEB / "static" / "style.css").read_text(encoding="utf-8")


async def test_the_page_knows_the_limits_of_its_service() -> None:
    async with serving(max_files=7, max_body_bytes=12_345) as client:
        page = (await client.get("/")).text
    assert 'data-max-files="7" data-max-body-bytes="12345" data-max-job-bytes="0"' in page
    assert "{max_" not in page


async def test_the_page_knows_what_a_job_may_take(tmp_path: Path) -> None:
    config = Config(jobs=JobsConfig(directory=str(tmp_path), max_body_bytes=54_321))
    transport = httpx.ASGITransport(create_api(InkReader(), config))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert 'data-max-job-bytes="54321"' in (await client.get("/")).text


def test_the_page_keeps_to_its_policy() -> None:
    """No inline script or style, and nothing from elsewhere."""
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert not re.search(r"https?://", page)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_modules_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
