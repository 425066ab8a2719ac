"""What every test stands on: files in a temporary folder, static files without a build."""

from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from pytest_django import Settings

# How long an example takes depends on what else the machine does.
hypothesis_settings.register_profile("twinseed", deadline=None)
hypothesis_settings.load_profile("twinseed")


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": tmp_path / "cache"},
        # A name of its own in this process's memory, so that no test counts what another did.
        "limits": {**settings.CACHES["limits"], "LOCATION": str(tmp_path)},
    }
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    # Strong hashing is for real passwords; a test suite only waits for it.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
