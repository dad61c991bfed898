"""Any of the modes in which Pillow loads images as RGB, or RGBA, of 8 bits in sRGB."""

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.ImageCms import PyCMSError
from PIL.TiffImagePlugin import TiffImageFile

from crowdsight.errors import UndecodableImage

BITS_PER_SAMPLE, PHOTOMETRIC_INTERPRETATION, SAMPLE_FORMAT = 258, 262, 339
WHITE_IS_ZERO, SIGNED = 0, 2

TRANSPARENT_SCALES = {"L;2": 85, "L;4": 17}
"""A transparent colour is in the file's samples; Pillow spreads those of 2 and 4 bits over 8."""

PROFILED_MODES = {"RGB ": frozenset({"RGB", "RGBA", "P", "PA"}), "CMYK": frozenset({"CMYK"})}
"""Which modes a profile may describe, by its colour space (ICC.1, 7.2.6)."""
MAX_PROFILE_BYTES = 4 * 1024 * 1024


def in_srgb(image: Image.Image, raw_mode: str) -> Image.Image:
    """A loaded image as a new one, without metadata: RGBA if anything in it is transparent, otherwise RGB.

    `raw_mode`: Pillow's name for how the file has its samples. An ICC profile that is broken, or meant for other
    samples, is ignored. Raises UndecodableImage for floating-point samples, which have no range.
    """
    converted = _in_own_colours(image, raw_mode)
    profile = image.info.get("icc_profile")
    if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES:
        converted = _by_profile(converted, image.mode, profile)
    if converted.mode == "CMYK":
        converted = converted.convert("RGB")
    if converted.mode == "RGBA" and converted.getchannel("A").getextrema()[0] == 255:
        converted = converted.convert("RGB")
    if converted is image:
        converted = image.copy()
    converted.info = {}
    return converted


def _in_own_colours(image: Image.Image, raw_mode: str) -> Image.Image:
    """RGB, RGBA or CMYK of 8 bits, as the samples are without a profile."""
    if image.mode in ("RGBA", "CMYK") or (image.mode == "RGB" and "transparency" not in image.info):
        return image
    if image.mode == "RGB":
        colour = image.info["transparency"]
        if raw_mode.endswith(";16B"):
            image.info["transparency"] = tuple(sample >> 8 for sample in colour)
        return image.convert("RGBA")
    if image.mode in ("I", "I;16", "I;16B"):
        return _from_wide_grey(image)
    if image.mode == "F":
        raise UndecodableImage("the image has floating-point samples, which are not supported")
    if image.mode == "L" and raw_mode in TRANSPARENT_SCALES and "transparency" in image.info:
        image.info["transparency"] *= TRANSPARENT_SCALES[raw_mode]
    if image.mode == "La":
        return image.convert("LA").convert("RGBA")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _from_wide_grey(image: Image.Image) -> Image.Image:
    """Grey of 12 to 32 bits: the upper eight of them, of signed samples after their zero is moved to the middle."""
    tags: Mapping[int, Any] = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    samples = np.asarray(image)
    if tags.get(SAMPLE_FORMAT, (1,))[0] == SIGNED:
        samples = samples.astype(np.int64) + (1 << (bits - 1))
    elif samples.dtype.kind == "i":
        samples = samples.view(np.uint32)
    grey = (samples >> (bits - 8)).astype(np.uint8)
    if tags.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO:
        grey = 255 - grey
    converted = Image.fromarray(grey).convert("RGB")
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        converted.putalpha(Image.fromarray(np.where(samples == transparent, 0, 255).astype(np.uint8)))
    return converted


def _by_profile(image: Image.Image, file_mode: str, data: bytes) -> Image.Image:
    """The colours that the profile says the samples mean."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        if file_mode not in PROFILED_MODES.get(profile.profile.xcolor_space, ()) or _is_srgb(profile):
            return image
        output_mode = "RGB" if image.mode == "CMYK" else image.mode
        converted = ImageCms.profileToProfile(
            image,
            profile,
            _srgb(),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=output_mode,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (PyCMSError, OSError, ValueError, TypeError):
        return image  # a picture in slightly wrong colours is better than none
    return converted or image


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """By its name; most pictures carry it, and to convert them would take long and change nothing."""
    return (profile.profile.profile_description or "").startswith("sRGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
