"""Single lines of text as a detector would crop them: ``sample`` draws a recipe, ``apply`` cooks it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deployments.types import Kind
from training.synth.alphabet import normalise
from training.synth.corpora import HANDWRITTEN_MIX, PRINTED_MIX, Corpus, Language, draw_kind
from training.synth.degrade import Degradation, sample_degradation, scan
from training.synth.fonts import FontFace, catalogue
from training.synth.framing import Framing, frame, sample_framing
from training.synth.hands import block_faces, cursive_faces, sample_pen
from training.synth.handwriting import PenStyle, TrackSet, load_tracks, write
from training.synth.ink import InkStyle, TextInk, glyph, join, render_text
from training.synth.noise import elastic, padded
from training.synth.processes import Process, develop

Rng = np.random.Generator

HEIGHT_PX = 48
MAX_WIDTH_PX = 2600
_PEN_SHARE = 0.55
_LEGIBLE_X_HEIGHT_PX = {Kind.PRINTED: 5.0, Kind.HANDWRITTEN: 7.0}
_SIZES_PX = (30, 36, 44, 52)
_TYPEWRITER = re.compile(
    r"NimbusMono|Courier|courier|cmuntt|cmunvt|cmunst|FreeMono|GNUTypewriter|elite|cutive|xanh|monou|Compagnon|"
    r"LiberationMono|GWMono|pt-mono|PTMono|PTM|Cousine"
)
_PRINT_PROCESSES: dict[Process, float] = {
    "laser": 0.3, "book": 0.18, "typewriter": 0.15, "carbon": 0.04, "dots": 0.07, "bitmap": 0.08, "thermal": 0.1, "fax": 0.08,
}  # fmt: skip
_HAND_PROCESSES: dict[Process, float] = {
    "pen": 0.66,
    "pencil": 0.12,
    "fax": 0.1,
    "book": 0.07,
    "carbon": 0.05,
}


@dataclass(frozen=True, slots=True)
class Run:
    """Part of a line in one face; ``raise_px`` lifts it (superscript)."""

    text: str
    face: FontFace
    size_px: int
    raise_px: float = 0.0


@dataclass(frozen=True, slots=True)
class Wobble:
    """Standard deviations of what differs from letter to letter, and of the bend of the line.

    ``shift_x``, ``shift_y``, ``bend``, ``wave`` in shares of the em, ``rotation_deg`` in degrees,
    ``scale`` and ``density`` as shares.
    """

    shift_x: float = 0.0
    shift_y: float = 0.0
    rotation_deg: float = 0.0
    scale: float = 0.0
    density: float = 0.0
    bend: float = 0.0
    wave: float = 0.0


@dataclass(frozen=True, slots=True)
class PenRun:
    """A line written with recorded pen tracks."""

    text: str
    style: PenStyle
    tracks: TrackSet


@dataclass(frozen=True, slots=True)
class LineSpec:
    """Everything that decides the pixels of one line: set in type (``runs``) or written (``pen``)."""

    runs: tuple[Run, ...]
    pen: PenRun | None
    kind: Kind
    language: Language
    style: InkStyle
    wobble: Wobble
    process: Process
    process_strength: float
    framing: Framing
    degradation: Degradation
    seed: int

    @property
    def text(self) -> str:
        return self.pen.text if self.pen else "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class LineSample:
    """``image``: grey uint8 ``(48, W)``."""

    image: npt.NDArray[np.uint8]
    text: str
    kind: Kind
    language: Language


class LineSampler:
    """Draws line recipes from a corpus and a font catalogue.

    ``handwritten_share`` is the share of handwriting, the rest is print. ``tracks`` are pen tracks
    of Cyrillic letters; without them all handwriting is set in script faces.
    """

    def __init__(
        self,
        corpus: Corpus,
        faces: Sequence[FontFace],
        handwritten_share: float = 0.35,
        tracks: TrackSet | None = None,
    ) -> None:
        self._corpus = corpus
        self._tracks = tracks
        self._cursive, self._block = cursive_faces(faces), block_faces(faces)
        self._handwritten_share = handwritten_share
        self._families = {
            (style, script): _by_family(faces, style, script)
            for style in ("printed", "handwritten")
            for script in ("latin", "cyrillic")
        }
        missing = [
            f"{style} {script}" for (style, script), families in self._families.items() if not families
        ]
        if missing:
            raise ValueError(f"no faces for {', '.join(missing)}")

    def sample(self, rng: Rng) -> LineSpec:
        handwritten = rng.random() < self._handwritten_share
        language: Language = "ru" if rng.random() < 0.55 else "en"
        return self._handwritten(rng, language) if handwritten else self._printed(rng, language)

    def _printed(self, rng: Rng, language: Language) -> LineSpec:
        process = _draw(rng, _PRINT_PROCESSES)
        mix = PRINTED_MIX
        if process in ("dots", "bitmap", "thermal"):
            mix = {"receipt": 0.5, "figures": 0.15, "words": 0.15, "prose": 0.15, "form": 0.05}
        elif process == "typewriter":
            mix = {"prose": 0.65, "words": 0.15, "form": 0.1, "figures": 0.1}
        text = self._corpus.text(rng, language, draw_kind(rng, mix))
        face = self._face(rng, "printed", text, process)
        strength = float(rng.beta(1.2, 1.8))
        size_px = int(rng.choice(_SIZES_PX))
        typed = process in ("typewriter", "carbon")
        spacing = (
            float(np.clip(rng.normal(0, 0.015), -0.035, 0.3))
            if rng.random() < 0.9
            else float(rng.uniform(0.1, 0.5))
        )
        return LineSpec(
            runs=self._runs(rng, text, face, size_px, mixed=process in ("laser", "book")),
            pen=None,
            kind=Kind.PRINTED,
            language=language,
            style=InkStyle(
                letter_spacing_px=spacing * size_px,
                word_spacing_px=float(max(rng.normal(0.02, 0.08), -0.06)) * size_px
                if rng.random() < 0.5
                else 0.0,
                slant_deg=float(rng.normal(0, 4)) if rng.random() < 0.08 else 0.0,
                weight_px=float(np.clip(rng.normal(0.15, 0.6), -0.9, 2.0)) * size_px / 40,
            ),
            wobble=Wobble(0.012, 0.022, 0.7, 0.01, 0.16)
            if typed
            else Wobble(wave=0.01 if rng.random() < 0.2 else 0),
            process=process,
            process_strength=strength,
            framing=self._print_framing(rng, process),
            degradation=sample_degradation(rng, rough=float(rng.beta(1.2, 2.2))),
            seed=int(rng.integers(2**62)),
        )

    def _print_framing(self, rng: Rng, process: Process) -> Framing:
        """Till printers set letters narrow and tall, or at double width."""
        framing = sample_framing(rng, handwritten=False)
        if process in ("dots", "bitmap", "thermal") and rng.random() < 0.5:
            return replace(framing, stretch=float(np.clip(np.exp(rng.normal(-0.15, 0.25)), 0.55, 1.6)))
        return framing

    def _handwritten(self, rng: Rng, language: Language) -> LineSpec:
        text = self._corpus.text(rng, language, draw_kind(rng, HANDWRITTEN_MIX), max_chars=70)
        size_px = int(rng.choice(_SIZES_PX))
        level = float(rng.gamma(2.0, 0.5))
        text = _hand_case(rng, text)
        pen, face = None, None
        if self._tracks is not None and language == "ru" and rng.random() < _PEN_SHARE:
            pen = PenRun(
                normalise(text, self._tracks.characters) or "0", sample_pen(rng, self._tracks), self._tracks
            )
            level = min(level, 1.0)
        else:
            face = self._hand(rng, text)
            if face.style == "printed":
                level = max(level, 1.2)
        process = _draw(rng, _HAND_PROCESSES)
        return LineSpec(
            runs=() if face is None else (_run(text, face, size_px),),
            pen=pen,
            kind=Kind.HANDWRITTEN,
            language=language,
            style=InkStyle(
                letter_spacing_px=float(np.clip(rng.normal(0, 0.03), -0.05, 0.12)) * size_px,
                word_spacing_px=float(rng.uniform(-0.05, 0.5)) * size_px,
                slant_deg=float(np.clip(rng.normal(5, 12), -25, 40)),
                weight_px=float(np.clip(rng.normal(0.4, 0.8), -0.4, 2.6)) * size_px / 40,
            ),
            wobble=Wobble(
                0.008 * level, 0.025 * level, 2.5 * level, 0.045 * level, 0.05, 0.028 * level, 0.02 * level
            ),
            process=process,
            process_strength=float(rng.beta(1.5, 1.5)) * (0.35 if process == "fax" else 1.0),
            framing=sample_framing(rng, handwritten=True),
            degradation=sample_degradation(rng, rough=float(rng.beta(1.2, 2.6))),
            seed=int(rng.integers(2**62)),
        )

    def _hand(self, rng: Rng, text: str) -> FontFace:
        """A script face, or now and then an italic or a thin plain face to be bent like a hand."""
        roll = rng.random()
        script = _script(text)
        pool = self._cursive if roll < 0.14 else self._block if roll < 0.22 else []
        pool = [face for face in pool if script in face.scripts]
        return pool[int(rng.integers(len(pool)))] if pool else self._face(rng, "handwritten", text, "pen")

    def _face(self, rng: Rng, style: str, text: str, process: Process) -> FontFace:
        families = self._families[(style, _script(text))]
        if process in ("typewriter", "carbon"):
            families = [
                kept for family in families if (kept := [f for f in family if _TYPEWRITER.search(f.name)])
            ]
        elif process in ("dots", "bitmap", "thermal") and rng.random() < 0.6:
            families = [
                kept for family in families if (kept := [f for f in family if f.look in ("receipt", "mono")])
            ]
        family = families[int(rng.integers(len(families)))]
        return family[int(rng.integers(len(family)))]

    def _runs(self, rng: Rng, text: str, face: FontFace, size_px: int, mixed: bool) -> tuple[Run, ...]:
        """Print now and then changes face within a line: bold and italic words, code, note marks."""
        whole = _run(text, face, size_px)
        words = whole.text.split(" ")
        if not mixed or len(words) < 3 or rng.random() > 0.2:
            return (whole,)
        first, last = sorted(rng.integers(0, len(words) + 1, 2).tolist())
        parts = [" ".join(words[:first]), " ".join(words[first:last]), " ".join(words[last:])]
        other = self._face(rng, "printed", parts[1], "laser")
        parts = [
            part + (" " if number < 2 and any(parts[number + 1 :]) else "") if part else ""
            for number, part in enumerate(parts)
        ]
        runs = []
        if rng.random() < 0.15 and {"1", "2"} <= face.characters:
            mark = str(int(rng.integers(1, 30)))
            runs.append(Run(mark, face, round(size_px * 0.62), 0.33 * size_px))
        for number, part in enumerate(parts):
            drawn = other if number == 1 else face
            if part:
                kept = normalise(part, drawn.characters) + (" " if part.endswith(" ") else "")
                runs.append(Run(kept, drawn, size_px))
        runs = [run for run in runs if run.text.strip()]
        return tuple(runs) if runs else (whole,)


def apply(spec: LineSpec) -> LineSample:
    """The image and label of ``spec``; the same spec gives the same bytes."""
    rng = np.random.default_rng(spec.seed)
    if spec.pen is not None:
        ink = write(spec.pen.text, spec.pen.tracks, spec.pen.style, rng)
        x_height_px = spec.pen.style.x_height_px
        size_px = 2 * x_height_px
    else:
        size_px = max(run.size_px for run in spec.runs)
        inks = [_ink(run, spec, rng) for run in spec.runs]
        ink = inks[0] if len(inks) == 1 else join(inks, [run.raise_px for run in spec.runs])
        x_height_px = float(max(6, glyph(spec.runs[-1].face.path, spec.runs[-1].size_px, "x").mask.shape[0]))
    margin = round(size_px * 0.3)
    mask = padded(ink.mask, margin)
    if spec.wobble.bend or spec.wobble.wave:
        cell_px = size_px * float(rng.uniform(0.3, 1.1))
        bend = spec.wobble.bend * size_px
        mask = elastic(mask, rng, cell_px, bend, bend, spec.wobble.wave * size_px)
    mask = develop(mask, spec.process, spec.process_strength, x_height_px, rng)
    printed = TextInk(mask, ink.char_boxes + margin, ink.baseline_y + margin, ink.text)
    coverage, scale = frame(printed, x_height_px, spec.framing, HEIGHT_PX, rng)
    image = scan(coverage, _still_legible(spec, x_height_px * scale), rng)
    if image.shape[1] > MAX_WIDTH_PX:
        raise ValueError(f"line of {image.shape[1]} px: {spec.text!r}")
    return LineSample(image, spec.text.strip(), spec.kind, spec.language)


def _still_legible(spec: LineSpec, x_height_px: float) -> Degradation:
    """The scan, at a resolution that leaves the letters enough pixels for a person to read them."""
    needed = _LEGIBLE_X_HEIGHT_PX[spec.kind]
    lowest = math.ceil(HEIGHT_PX * needed / max(x_height_px, 1.0))
    low = spec.degradation.low_height_px
    return replace(spec.degradation, low_height_px=max(low, lowest)) if 0 < low < lowest else spec.degradation


def _ink(run: Run, spec: LineSpec, rng: Rng) -> TextInk:
    wobble = spec.wobble
    jitter = None
    if wobble.shift_x or wobble.shift_y or wobble.rotation_deg or wobble.density:
        spread = np.float32(
            [
                wobble.shift_x * run.size_px,
                wobble.shift_y * run.size_px,
                wobble.rotation_deg,
                wobble.scale,
                wobble.density,
            ]
        )
        jitter = np.clip(rng.standard_normal((len(run.text), 5), dtype=np.float32), -2.5, 2.5) * spread
        jitter[:, 3] += 1.0
        jitter[:, 4] = np.clip(1.0 - np.abs(jitter[:, 4]), 0.35, 1.0)
    style = spec.style
    return render_text(
        run.text,
        run.face,
        run.size_px,
        InkStyle(style.letter_spacing_px, style.word_spacing_px, style.slant_deg, style.weight_px, jitter),
    )


def _hand_case(rng: Rng, text: str) -> str:
    """People rarely write whole lines in joined capitals."""
    if len(text) > 4 and text.isupper() and rng.random() < 0.7:
        return text.capitalize() if rng.random() < 0.5 else text.lower()
    return text


def _script(text: str) -> str:
    return "cyrillic" if re.search("[А-Яа-яЁё]", text) else "latin"


def _run(text: str, face: FontFace, size_px: int) -> Run:
    return Run(normalise(text, face.characters) or "0", face, size_px)


def _draw(rng: Rng, shares: dict[Process, float]) -> Process:
    names = list(shares)
    return names[int(rng.choice(len(names), p=np.array(list(shares.values())) / sum(shares.values())))]


def _by_family(faces: Sequence[FontFace], style: str, script: str) -> list[list[FontFace]]:
    """Faces grouped by family, so that a family of many weights is not drawn more often."""
    families: dict[str, list[FontFace]] = defaultdict(list)
    for face in faces:
        if face.style == style and script in face.scripts:
            families[re.sub(r"[-_.]?\d{3}.*|[-_].*|\d\d[A-Z]$", "", face.name)].append(face)
    return list(families.values())


@lru_cache(maxsize=4)
def shared_sampler(fonts: Path, texts: Path, handwritten_share: float, tracks: Path | None) -> LineSampler:
    """One sampler a process: loading fonts and texts takes longer than thousands of lines."""
    hands = load_tracks(tracks) if tracks is not None else None
    return LineSampler(Corpus(texts), catalogue(fonts), handwritten_share, hands)
