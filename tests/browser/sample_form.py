"""Draw the sample document of the page at ``/``, and write down what it says and where.

    python -m tests.browser.sample_form FONTS

``FONTS`` is a folder with ``pt-serif-400-normal.ttf``, ``pt-serif-700-normal.ttf`` (print) and
``marck-script-400-normal.ttf`` (hand), all under the SIL Open Font License.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
import PIL.ImageFont

HERE = Path(__file__).parent
IMAGE = HERE.parents[1] / "serve_app" / "web" / "static" / "sample.jpg"
TRUTH = HERE / "sample_form.json"

SIZE_PX = (1000, 1320)
PAPER = (250, 247, 240)
PRINT_INK = (38, 36, 34)
HAND_INK = (28, 52, 140)
RULE = (176, 168, 152)

# (face, size, x, baseline, text)
LINES = [
    ("bold", 40, 90, 130, "РЕГИСТРАЦИОННАЯ АНКЕТА"),
    ("print", 26, 90, 178, "Registration form No. 48/2026"),
    ("print", 28, 90, 270, "Фамилия"),
    ("hand", 46, 330, 266, "Смирнова"),
    ("print", 28, 90, 346, "Имя, отчество"),
    ("hand", 46, 330, 342, "Анна Викторовна"),
    ("print", 28, 90, 422, "Дата рождения"),
    ("hand", 46, 330, 418, "14 марта 1986 г."),
    ("print", 28, 90, 498, "Адрес"),
    ("hand", 46, 330, 494, "г. Тверь, ул. Садовая, 12"),
    ("print", 28, 90, 574, "Телефон"),
    ("hand", 46, 330, 570, "+7 900 555-01-47"),
    ("print", 28, 90, 680, "Прошу зачислить меня на вечерний курс английского языка."),
    ("print", 28, 90, 722, "Оплату гарантирую до начала занятий. С правилами школы"),
    ("print", 28, 90, 764, "ознакомлена и согласна."),
    ("print", 28, 90, 860, "Пожелания / Comments"),
    ("hand", 48, 110, 934, "Прошу группу после 18:00,"),
    ("hand", 48, 110, 1004, "если это возможно."),
    ("hand", 48, 110, 1074, "Thank you very much!"),
    ("print", 28, 90, 1200, "Дата"),
    ("hand", 46, 180, 1196, "2 сентября"),
    ("print", 28, 560, 1200, "Подпись"),
    ("hand", 50, 700, 1196, "Смирнова"),
]
RULES = [(320, y, 910) for y in (280, 356, 432, 508, 584)] + [(170, 1210, 470), (690, 1210, 910)]


def draw(fonts: Path) -> tuple[PIL.Image.Image, list[dict[str, object]]]:
    """The form, and for every line its text, kind and ``bbox`` (x, y, width, height)."""
    files = {"print": "pt-serif-400-normal", "bold": "pt-serif-700-normal", "hand": "marck-script-400-normal"}
    image = PIL.Image.new("RGB", SIZE_PX, PAPER)
    canvas = PIL.ImageDraw.Draw(image)
    for x, y, right in RULES:
        canvas.line((x, y, right, y), RULE, 2)
    canvas.rectangle((90, 884, 910, 1100), outline=RULE, width=2)
    truth: list[dict[str, object]] = []
    for face, size, x, baseline, text in LINES:
        font = PIL.ImageFont.truetype(str(fonts / f"{files[face]}.ttf"), size)
        ink = HAND_INK if face == "hand" else PRINT_INK
        canvas.text((x, baseline), text, ink, font, anchor="ls")
        left, top, right, bottom = canvas.textbbox((x, baseline), text, font, anchor="ls")
        kind = "handwritten" if face == "hand" else "printed"
        truth.append(
            {"text": text, "kind": kind, "bbox": [left - 4, top - 4, right - left + 8, bottom - top + 8]}
        )
    return paper(image), truth


def paper(image: PIL.Image.Image) -> PIL.Image.Image:
    """Soften the ink as a scanner does, with a little grain and uneven light."""
    soft = np.asarray(image.filter(PIL.ImageFilter.GaussianBlur(0.6))).astype(np.float32)
    rng = np.random.default_rng(48)
    light = 1 - 0.035 * np.linspace(0, 1, SIZE_PX[0])[None, :, None] ** 2
    grain = rng.normal(0, 1.6, (*soft.shape[:2], 1))
    return PIL.Image.fromarray(np.clip(soft * light + grain, 0, 255).astype(np.uint8))


def main(fonts: Path) -> None:
    """Write the image and its truth."""
    image, truth = draw(fonts)
    image.save(IMAGE, quality=72, optimize=True, progressive=True)
    TRUTH.write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
