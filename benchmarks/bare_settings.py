"""Settings of the bare site: the real site's database, and nothing else of it."""

from survey_site.settings import DATABASES

__all__ = ["DATABASES"]

SECRET_KEY = "of the benchmark"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.bare_site"
MIDDLEWARE: list[str] = []
INSTALLED_APPS: list[str] = []
USE_TZ = True
