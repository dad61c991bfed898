"""Good files, small, of every format that is decoded and of many kinds of each."""

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms, features

SIDE_PX = 40


@cache
def seed_files() -> tuple[bytes, ...]:
    """The same ones in every process."""
    return tuple(_saved(image, kind, options) for image, kind, options in _kinds())


def _kinds() -> list[tuple[Image.Image, str, Mapping[str, Any]]]:
    rgb, grey = _picture(), _picture().convert("L")
    rgba = rgb.copy()
    rgba.putalpha(grey)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB", b"Odd!")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    frames = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    kinds: list[tuple[Image.Image, str, Mapping[str, Any]]] = [
        (rgb, "JPEG", {"exif": exif, "icc_profile": profile}),
        (rgb, "JPEG", {"progressive": True, "subsampling": 0}),
        (rgb, "JPEG", {"restart_marker_rows": 1, "comment": b"a comment"}),
        (grey, "JPEG", {}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb, "MPO", frames),
        (rgb, "PNG", {"exif": exif, "icc_profile": profile}),
        (rgba, "PNG", {}),
        (rgb.convert("P"), "PNG", {"transparency": bytes(range(0, 250, 10))}),
        (rgb, "PNG", frames),
        (grey.convert("1"), "PNG", {}),
        (wide, "PNG", {"transparency": 257}),
        (rgb, "WEBP", {"exif": exif, "icc_profile": profile}),
        (rgba, "WEBP", {"lossless": True}),
        (rgba, "WEBP", frames),
        (rgb.convert("P"), "GIF", {}),
        (rgba, "GIF", frames | {"transparency": 3, "disposal": 2, "comment": b"a comment"}),
        (rgb, "BMP", {}),
        (rgba, "BMP", {}),
        (rgb.convert("P"), "BMP", {}),
        (grey.convert("1"), "BMP", {}),
        (wide, "TIFF", {}),
        (rgb.convert("LAB"), "TIFF", {}),
        (rgb.convert("YCbCr"), "TIFF", {"compression": "jpeg"}),
        (rgb.convert("P"), "TIFF", {"compression": "packbits"}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey.convert("F"), "TIFF", {}),
        (rgb.convert("CMYK"), "TIFF", {"icc_profile": profile}),
        (rgba, "TIFF", {"big_tiff": True, "compression": "tiff_adobe_deflate"}),
        (rgb, "TIFF", frames | {"tiffinfo": {274: 6}, "compression": "tiff_lzw"}),
    ]
    if features.check("avif"):
        kinds += [(rgb, "AVIF", {"exif": exif, "icc_profile": profile}), (rgba, "AVIF", {}), (rgb, "AVIF", frames)]
    return kinds


def _picture() -> Image.Image:
    generator = np.random.default_rng(1)
    coarse = Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8))
    return coarse.resize((SIDE_PX, SIDE_PX - 7), Image.Resampling.BICUBIC)


def _saved(image: Image.Image, kind: str, options: Mapping[str, Any]) -> bytes:
    file = BytesIO()
    # Copies: an image that was saved once remembers how, and is not saved in another way.
    more = [frame.copy() for frame in options.get("append_images", [])]
    image.copy().save(file, kind, **{**options, "append_images": more} if more else options)
    return file.getvalue()
