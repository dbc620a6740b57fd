"""A QR code is drawn where a phone can scan it: on a terminal that is wide enough."""

import re

import cv2
import numpy as np

from tests.api.cli.terminal import python, run_in_terminal, run_piped

URL = "http://192.168.178.123:8000/docs"
PRINTING = f"""
from api.cli.qr import print_qr_code
print_qr_code("{URL}")
"""
# Each character is two modules, one above the other.
HALVES = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
MODULE_PIXELS = 8
COLOURS = re.compile(r"\x1b\[[\d;]*m")


def test_a_phone_reads_the_address_from_a_terminal() -> None:
    shown = COLOURS.sub("", run_in_terminal(*python(PRINTING), columns=80))
    halves = np.array([[HALVES[character] for character in line] for line in shown.splitlines()])
    modules = halves.transpose(0, 2, 1).reshape(-1, halves.shape[1]).astype(np.uint8)
    picture = modules.repeat(MODULE_PIXELS, axis=0).repeat(MODULE_PIXELS, axis=1)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == URL


def test_a_pipe_and_a_narrow_terminal_get_none() -> None:
    assert run_piped(*python(PRINTING)).stdout == ""
    assert run_in_terminal(*python(PRINTING), columns=20) == ""
