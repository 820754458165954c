"""Labels and answers of forms: which rows keep them together. Pure functions over boxes.

``height_px`` is the height of a usual line of the page everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from deployments.types import Kind
from serve_app.boxes import Box
from serve_app.prose import small_share
from serve_app.rows import Row, rows, usual_pitch

# Labels and answers in columns of their own: rows stand as far apart, in heights of a line, as people need
# for writing, and most rows hold both; what goes on from line to line is one of the two at most.
_PITCH_MIN = 1.8
_COMMON_ROWS_MIN = 0.7
_GOING_ON_MAX = 0.1
# Long questions run over several lines: answers are set so many times as wide as they.
_WIDER_MIN = 1.5

# Blocks of two parties: how many lines begin alike at least, their share of the shorter block, and how many
# rows they are apart, since an address takes two lines with one party and three with the other.
_SAME_WORDS_MIN = 2
_SAME_SHARE_MIN = 0.25
_ROWS_APART_MAX = 1
# Pieces a row: rows of labels with answers beside them have two.
_PIECES_MAX = 1.2

# Answers beneath their labels: how far down they are at most, and how far left of the label they may begin,
# in heights of a line.
_STEP_MAX = 2.2
_OUTDENT_MAX = 1.5


def are_labels_and_answers(left: Sequence[Box], right: Sequence[Box], height_px: float) -> bool:
    """Whether two columns are one form, to be read row by row.

    Only texts tell: False where there are none, or none with small letters.
    """
    if not any(letter.islower() for box in left for letter in box.text or ""):
        return False
    answers = rows(right, height_px)
    pitch_px = _pitch(answers, height_px)
    if pitch_px <= _PITCH_MIN * height_px:
        return False
    labels, lefts = rows(left, height_px), {box.index for box in left}
    both = rows([*left, *right], height_px)
    common = sum(len({box.index in lefts for box in row}) == 2 for row in both)
    if pitch_px >= _WIDER_MIN * _pitch(labels, height_px):
        return common >= _COMMON_ROWS_MIN * len(answers)
    goes_on = min(small_share(labels), small_share(answers)) >= _GOING_ON_MAX
    return common >= _COMMON_ROWS_MIN * len(both) and not goes_on


def _pitch(found: Sequence[Row], height_px: float) -> float:
    return usual_pitch([row[0] for row in found], height_px)


def are_parties(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether the rows of two columns are like blocks of two parties, to be read one after the other.

    They are whole lines, some of which begin with the same words in about the same row, each once in
    a block: address, account.
    """
    if sum(map(len, [*left, *right])) > _PIECES_MAX * (len(left) + len(right)):
        return False
    one, other = _first_words(left), _first_words(right)
    once = {word for word in one if word and one.count(word) == other.count(word) == 1}
    same = sum(abs(one.index(word) - other.index(word)) <= _ROWS_APART_MAX for word in once)
    return same >= max(_SAME_WORDS_MIN, _SAME_SHARE_MIN * min(len(one), len(other)))


def _first_words(found: Sequence[Row]) -> list[str]:
    """The letters of each row's first word, empty where there is one letter at most."""
    words = ((row[0].text or "").split(maxsplit=1) for row in found)
    letters = ("".join(filter(str.isalpha, word[0])).casefold() if word else "" for word in words)
    return [word if len(word) > 1 else "" for word in letters]


def with_answers_below(rows_in_order: Sequence[Row], height_px: float) -> list[Row]:
    """Rows with each answer after its label, where a row of print has handwriting right below it.

    Cells of forms hold a label in their upper left corner, and the answer beneath it. More rows of
    handwriting below are those of a table, which begins with its heads.
    """
    paired: list[Row] = []
    at = 0
    while at < len(rows_in_order):
        labels, answers, below = (*rows_in_order[at : at + 3], [], [])[:3]
        owners = None if _go_on(answers, below) else _owners(labels, answers, height_px)
        if owners is None:
            paired.append(labels)
            at += 1
            continue
        for place, label in enumerate(labels):
            paired.append([label])
            paired += [[answer] for answer, owner in zip(answers, owners, strict=True) if owner == place]
        at += 2
    return paired


def _go_on(filled: Row, below: Row) -> bool:
    """Whether one row of a table that was filled in comes after another: both may have printed numbers."""
    kinds = {box.kind for box in below}
    return len(below) > 1 and Kind.HANDWRITTEN in kinds and kinds <= {box.kind for box in filled}


def _owners(labels: Row, answers: Row, height_px: float) -> list[int] | None:
    """The place of the label above each answer, None unless each answer has one of its own."""
    if len(labels) < 2 or any(label.kind is not Kind.PRINTED for label in labels):
        return None
    if not 0 < len(answers) <= 2 * sum(answer.kind is Kind.HANDWRITTEN for answer in answers):
        return None
    step_px = fmean(box.centre_y for box in answers) - fmean(box.centre_y for box in labels)
    if not 0 < step_px <= _STEP_MAX * height_px:
        return None
    begins_px = [label.left - _OUTDENT_MAX * height_px for label in labels]
    owners = [sum(begin_px <= answer.left for begin_px in begins_px) - 1 for answer in answers]
    fits = all(
        owner >= 0 and answer.left <= labels[owner].right
        for answer, owner in zip(answers, owners, strict=True)
    )
    return owners if fits and len(set(owners)) == len(owners) else None
