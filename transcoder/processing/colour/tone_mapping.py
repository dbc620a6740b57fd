"""Tone mapping: HDR to SDR around diffuse white, by ITU-R BT.2390 and BT.2408.

Only the highlights and the tones just below them are compressed, and no more than the picture
needs. The channels of a pixel are scaled alike, by the brightest of them, so hues stay.
"""

from math import isqrt
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from transcoder.processing.colour.colour_space import ColourSpace
from transcoder.processing.colour.srgb import (
    LIGHT_LEVELS,
    bgr_matrix_to_srgb,
    light_to_srgb,
    srgb_table,
)
from transcoder.processing.colour.transfer import (
    WHITE_NITS,
    Transfer,
    Values,
    nits_to_pq,
    pq_to_nits,
)
from transcoder.processing.picture import (
    AnyPicture,
    Picture,
    is_grey,
    levels_of,
    room_for_8_bits,
)

Light: TypeAlias = NDArray[np.float32]

# The brightest light that is mapped, relative to diffuse white: that of BT.2408's nominal HDR
# screen. What is brighter becomes white.
_BRIGHTEST: Final = 1000 / WHITE_NITS
# BT.2100: how that screen shows the light of a scene in HLG.
_SYSTEM_GAMMA: Final = 1.2
# The share of pixels that may be brighter than the peak: the sun and its reflections.
_CLIPPED: Final = 0.0005
_SAMPLE_PIXELS: Final = 1 << 18
# Pixels per strip: few enough to stay in the CPU cache.
_STRIP_PIXELS: Final = 1 << 16
# Gains are looked up by the root of light, which needs fewer levels in the dark.
_GAIN_LEVELS: Final = 1 << 16
_MOST_LIGHT: Final = 16.0


def map_tones(picture: AnyPicture, space: ColourSpace) -> Picture:
    """Convert an HDR picture to sRGB."""
    curve = space.light(levels_of(picture)).clip(0, _MOST_LIGHT).astype(np.float32)
    if is_grey(picture):
        return _map_grey(picture, curve, space.transfer)
    matrix = bgr_matrix_to_srgb(space.primaries).astype(np.float32)
    peak = _peak(_brightest(_channels(_sample(picture), curve, matrix)), space.transfer)
    gains = _gains(space.transfer, peak)
    mapped = room_for_8_bits(picture)
    rows = max(1, _STRIP_PIXELS // picture.shape[1])
    for top in range(0, len(picture), rows):
        strip = slice(top, top + rows)
        mapped[strip] = _map(_channels(picture[strip], curve, matrix), gains)
    return mapped


def _map_grey(picture: AnyPicture, curve: Light, transfer: Transfer) -> Picture:
    peak = _peak(np.asarray(cv2.LUT(_sample(picture), curve[None]), np.float32), transfer)
    table = light_to_srgb(_mapped(curve.astype(float), transfer, peak)).round().astype(np.uint8)
    return cv2.LUT(picture, table[None])  # type: ignore[return-value]


def _channels(picture: AnyPicture, curve: Light, matrix: Light) -> list[Light]:
    """Blue, green and red light in the primaries of sRGB."""
    light: Any = cv2.transform(cv2.LUT(picture, curve[None]), matrix)
    return [np.asarray(channel, np.float32) for channel in cv2.split(light)]


def _map(channels: list[Light], gains: Light) -> Picture:
    roots = cv2.sqrt(_brightest(channels)) * np.float32((_GAIN_LEVELS - 1) / _MOST_LIGHT**0.5)
    gain = cv2.LUT(roots.round().clip(0, _GAIN_LEVELS - 1).astype(np.uint16), gains[None])
    scaled = [
        cv2.multiply(channel, gain, scale=LIGHT_LEVELS - 1, dtype=cv2.CV_16U)
        for channel in channels
    ]
    return cv2.LUT(cv2.merge(scaled), srgb_table()[None])  # type: ignore[return-value]


def _brightest(channels: list[Light]) -> Light:
    blue, green, red = channels
    return np.maximum(np.maximum(np.maximum(blue, green), red), np.float32(0))


def _sample(picture: AnyPicture) -> AnyPicture:
    """Some of the pixels, spread evenly."""
    height, width = picture.shape[:2]
    step = max(1, isqrt(height * width // _SAMPLE_PIXELS))
    return np.ascontiguousarray(picture[::step, ::step])  # type: ignore[return-value]


def _peak(light: Light, transfer: Transfer) -> float:
    """The brightest light of the picture on a screen, relative to diffuse white."""
    peak = float(np.quantile(light, 1 - _CLIPPED, method="higher"))
    return float(_shown(np.array(peak), transfer).clip(1, _BRIGHTEST))


def _gains(transfer: Transfer, peak: float) -> Light:
    """The factor for each level of a pixel's brightest channel."""
    light = _MOST_LIGHT * np.linspace(0, 1, _GAIN_LEVELS) ** 2
    light[0] = light[1]
    return (_mapped(light, transfer, peak) / light).astype(np.float32)


def _mapped(light: Values, transfer: Transfer, peak: float) -> Values:
    """Light in SDR, from 0 to 1."""
    return _compressed(_shown(light, transfer), peak).clip(0, 1)


def _shown(light: Values, transfer: Transfer) -> Values:
    """Light on the nominal HDR screen."""
    return light**_SYSTEM_GAMMA if transfer == "hlg" else light


def _compressed(light: Values, peak: float) -> Values:
    """The EETF of BT.2390: from a screen with that peak to one that ends at diffuse white."""
    if peak <= 1:
        return light
    brightest = nits_to_pq(np.array(WHITE_NITS * peak))
    numbers = (nits_to_pq(WHITE_NITS * light) / brightest).clip(0, 1)
    white = float(nits_to_pq(np.array(WHITE_NITS)) / brightest)
    knee = 1.5 * white - 0.5
    t = ((numbers - knee) / (1 - knee)).clip(0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * white
    )
    return pq_to_nits(np.where(numbers < knee, numbers, spline) * brightest) / WHITE_NITS
