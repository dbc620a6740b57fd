"""Fixtures that every test may use; the modules named here have them."""

pytest_plugins = [
    "tests.servers",
    "tests.databases",
    "tests.phone_photo",
    "tests.time_limits",
    "tests.schedule",
]
