"""Nothing is shipped under the GPL or AGPL without a reason, and the check for that sees them."""

import pytest

from tests.architecture import pi_heif
from tests.architecture.bundled import REASONS
from tests.architecture.licences import Wheel, copyleft, is_copyleft, wheels

A_WHEEL = Wheel(name="some-codec", needed_by="service", licence="MIT", libraries={}, crates={})


def test_nothing_is_under_the_gpl_without_a_reason() -> None:
    shipped = {what for wheel in wheels() for what in copyleft(wheel)}
    assert shipped == set(REASONS)


def test_every_licence_is_known() -> None:
    for wheel in wheels():
        assert wheel.licence, wheel.name
        for library, licence in wheel.libraries.items():
            assert licence, (
                f"{wheel.name} bundles {library}: add it to tests/architecture/bundled.py"
            )


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-2.0-or-later",
        "AGPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "GPLv3",
        "GNU General Public License v2 (GPLv2)",
        "GNU Affero General Public License v3",
        "GPL-2.0-only OR AGPL-3.0-only",
    ],
)
def test_the_gpl_is_seen_in_every_form(licence: str) -> None:
    assert is_copyleft(licence)


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "LGPL-3.0-only",
        "GNU Lesser General Public License v3 or later (LGPLv3+)",
        "BSD-3-Clause OR GPL-2.0-only",
    ],
)
def test_weaker_terms_and_a_choice_of_others_are_not_the_gpl(licence: str) -> None:
    assert not is_copyleft(licence)


def test_the_gpl_is_seen_in_a_wheel_its_libraries_and_its_crates() -> None:
    parts = {"libsomething": "GPL-3.0-only", "libother": "MIT"}
    crates = {"crate": "AGPL-3.0-only"}
    wheel = Wheel(
        name="codec", needed_by="service", licence="GPLv2", libraries=parts, crates=crates
    )
    assert list(copyleft(A_WHEEL)) == []
    assert list(copyleft(wheel)) == ["codec", "codec/libsomething", "codec/crate"]


def test_the_libheif_that_is_shipped_is_safe() -> None:
    assert pi_heif.is_safe(pi_heif.shipped_libheif())


@pytest.mark.parametrize(
    ("libheif", "is_safe"), [("1.23.0", False), ("1.23.4", True), ("1.23.10", True), ("2.0", True)]
)
def test_pi_heif_has_caught_up_when_its_libheif_is_safe(libheif: str, *, is_safe: bool) -> None:
    assert pi_heif.is_safe(libheif) == is_safe
    assert ("Replace" in pi_heif.verdict("9.9", libheif)) == is_safe
