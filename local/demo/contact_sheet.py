"""The contact sheet: one PNG with a row for each query, what was asked on its left and what was found beside it."""

import io

from PIL import Image, ImageDraw, ImageFont

from local.demo.exhibits import Answer, Exhibition, Result, in_words
from local.demo.image_search import Picture
from local.demo.labels import PlacedLabel, place
from local.demo.queries import RESULTS

TILE = WIDTH, HEIGHT = 232, 174
GAP, MARGIN = 16, 32
TITLE_HEIGHT, HEADING_HEIGHT, CAPTION_HEIGHT = 56, 30, 64
QUERY_GAP = 40
"""Between what was asked and what was found."""

GROUND, PAPER, INK, QUIET, ACCENT, WARN = "#f5f7f6", "#e9f0ee", "#14201d", "#51605c", "#0f6b5c", "#9a3412"
FONTS = {size: ImageFont.load_default(size) for size in (13, 15, 17, 20, 28)}


def draw_contact_sheet(exhibition: Exhibition) -> bytes:
    """The sheet as PNG. Raises OSError when what was served is no picture."""
    width = 2 * MARGIN + (1 + RESULTS) * WIDTH + (RESULTS - 1) * GAP + QUERY_GAP
    row_height = HEADING_HEIGHT + HEIGHT + CAPTION_HEIGHT
    height = 2 * MARGIN + TITLE_HEIGHT + len(exhibition.answers) * row_height
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 4), "What image search found", INK, FONTS[28])
    top = MARGIN + TITLE_HEIGHT
    for answer in exhibition.answers:
        _draw_row(sheet, draw, answer, top)
        top += row_height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, answer: Answer, top: int) -> None:
    kind = answer.query.kind.value
    draw.text((MARGIN, top), kind, ACCENT, FONTS[17])
    left = MARGIN + draw.textlength(kind, FONTS[17]) + 12
    draw.text((left, top), answer.query.about, QUIET, FONTS[17])
    if not answer.holds:
        wrong = "not what should come first"
        draw.text((sheet.width - MARGIN - draw.textlength(wrong, FONTS[17]), top), wrong, WARN, FONTS[17])
    top += HEADING_HEIGHT
    if answer.picture:
        _draw_picture(sheet, draw, answer.picture, (MARGIN, top))
        draw.text((MARGIN, top + HEIGHT + 6), answer.query.name, INK, FONTS[15])
    else:
        draw.rectangle((MARGIN, top, MARGIN + WIDTH - 1, top + HEIGHT - 1), PAPER)
        middle = (MARGIN + WIDTH // 2, top + HEIGHT // 2)
        draw.text(middle, _wrapped(draw, answer.query.name), ACCENT, FONTS[20], anchor="mm", align="center")
    draw.rectangle((MARGIN - 3, top - 3, MARGIN + WIDTH + 2, top + HEIGHT + 2), outline=ACCENT, width=2)
    left = MARGIN + WIDTH + QUERY_GAP
    for result in answer.results:
        _draw_result(sheet, draw, result, (int(left), top))
        left += WIDTH + GAP


def _draw_result(sheet: Image.Image, draw: ImageDraw.ImageDraw, result: Result, at: tuple[int, int]) -> None:
    left, top, width, height = _draw_picture(sheet, draw, result.picture, at)
    for label in place(result.labels, result.size):
        _draw_label(draw, label, (left, top, width, height))
    under = at[1] + HEIGHT + 6
    score = f"{result.match.similarity:.3f}"
    draw.text((at[0], under), result.name, INK, FONTS[15])
    draw.text((at[0] + WIDTH, under), score, INK, FONTS[15], anchor="ra")
    draw.text((at[0], under + 19), in_words(result.labels), QUIET, FONTS[13])


def _draw_picture(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, picture: Picture, at: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Draw a picture as large as a tile lets it be; its left, top, width and height on the sheet."""
    draw.rectangle((*at, at[0] + WIDTH - 1, at[1] + HEIGHT - 1), PAPER)
    scale = min(WIDTH / picture.size[0], HEIGHT / picture.size[1])
    width, height = (max(1, round(side * scale)) for side in picture.size)
    left, top = at[0] + (WIDTH - width) // 2, at[1] + (HEIGHT - height) // 2
    with Image.open(io.BytesIO(picture.data)) as image:
        small = image.convert("RGBA").resize((width, height), Image.Resampling.LANCZOS)
    sheet.paste(small, (left, top), small)
    return left, top, width, height


def _draw_label(draw: ImageDraw.ImageDraw, at: PlacedLabel, picture: tuple[int, int, int, int]) -> None:
    left, top, width, height = picture
    box = (left + at.left * width, top + at.top * height, left + at.right * width - 1, top + at.bottom * height - 1)
    if box[2] <= box[0] or box[3] <= box[1]:
        return
    draw.rectangle(box, outline=at.colour, width=2)
    name_width, name_height = draw.textlength(at.label.name, FONTS[13]) + 8, 17
    x = box[2] - name_width if at.is_right else box[0]
    y = box[1] - name_height if at.is_above else box[3] - name_height if at.is_low else box[1]
    x, y = min(max(x, left), left + width - name_width), max(y, top)
    draw.rectangle((x, y, x + name_width, y + name_height), at.colour)
    draw.text((x + 4, y + name_height / 2), at.label.name, "#111111", FONTS[13], anchor="lm")


def _wrapped(draw: ImageDraw.ImageDraw, text: str) -> str:
    """The text in lines that a tile has room for."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, FONTS[20]) > WIDTH - 24 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)
