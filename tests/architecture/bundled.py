"""The licences of the libraries that wheels bundle, and why some under the GPL may be shipped."""

from collections.abc import Mapping
from typing import Final

# By name, or by wheel and name: wheels name the licences of their libraries in prose or not at all.
LIBRARIES: Final[Mapping[str, str]] = {
    "libXau": "MIT",
    "libaom": "BSD-2-Clause",
    "libavcodec": "LGPL-2.1-or-later",
    "libavformat": "LGPL-2.1-or-later",
    "libavif": "BSD-2-Clause",
    "libavutil": "LGPL-2.1-or-later",
    "libbrotlicommon": "MIT",
    "libbrotlidec": "MIT",
    "libcom_err": "MIT",
    "libcrypt": "LGPL-2.1-or-later",
    "libcrypto": "Apache-2.0",
    "libde265": "LGPL-3.0-or-later",
    "libdrm": "MIT",
    "libecpg": "PostgreSQL",
    "libfreetype": "FTL OR GPL-2.0-or-later",
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgssapi_krb5": "MIT",
    "libharfbuzz": "MIT",
    "libheif": "LGPL-3.0-or-later",
    "libjpeg": "IJG AND BSD-3-Clause",
    "libk5crypto": "MIT",
    "libkeyutils": "LGPL-2.1-or-later",
    "libkrb5": "MIT",
    "libkrb5support": "MIT",
    "liblber": "OLDAP-2.8",
    "liblcms2": "MIT",
    "libldap": "OLDAP-2.8",
    "liblzma": "0BSD",
    "libopenblasp-r0": "BSD-3-Clause",
    "libopenjp2": "BSD-2-Clause",
    "libpgtypes": "PostgreSQL",
    "libpng16": "libpng-2.0",
    "libpq": "PostgreSQL",
    "libquadmath": "LGPL-2.1-or-later",
    "libsasl2": "BSD-3-Clause-Attribution",
    "libscipy_openblas64_": "BSD-3-Clause",
    "libsharpyuv": "BSD-3-Clause",
    "libssl": "Apache-2.0",
    "libswresample": "LGPL-2.1-or-later",
    "libswscale": "LGPL-2.1-or-later",
    "libtiff": "libtiff",
    "libvips": "LGPL-2.1-or-later",
    "libvpx": "BSD-3-Clause",
    "libwebp": "BSD-3-Clause",
    "libwebpdemux": "BSD-3-Clause",
    "libwebpmux": "BSD-3-Clause",
    "libx265": "GPL-2.0-or-later",
    "libxcb": "MIT",
    "libzstd": "BSD-3-Clause OR GPL-2.0-only",
    # OpenSSL 1.1.1.
    "opencv-python-headless/libcrypto": "OpenSSL",
    "opencv-python-headless/libssl": "OpenSSL",
}

# Why a wheel or a library under the GPL or AGPL may be shipped all the same.
REASONS: Final[Mapping[str, str]] = {
    "libgfortran": "The GCC runtime library exception lets any program link it.",
    "pillow-heif/libx265": (
        "An HEVC encoder that the service never uses, but an image that ships it is under the"
        " GPLv2 as a whole. `pi-heif`, the same project without it, brings an older libheif with"
        " a critical flaw; `just pi-heif` tells when it has caught up."
    ),
}
