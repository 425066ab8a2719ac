"""Settings of one installation. Defaults run on a laptop; production names its secrets in the environment.

Every variable read here stands in .env.example. A value that cannot be used stops the start with one sentence.
"""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Literal

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, *, default: bool) -> bool:
    """Read a yes/no variable; anything but 0/1/true/false/yes/no stops the start."""
    text = os.environ.get(name, "").strip().lower()
    if text in {"", "1", "true", "yes", "0", "false", "no"}:
        return default if not text else text in {"1", "true", "yes"}
    raise ImproperlyConfigured(f"{name} is {text!r}; set it to 1 or 0.")


def env_number(name: str, *, default: int, least: int = 0) -> int:
    """Read a whole number that is at least `least`."""
    text = os.environ.get(name, str(default))
    if text.isdigit() and int(text) >= least:
        return int(text)
    raise ImproperlyConfigured(f"{name} is {text!r}; set it to a whole number of at least {least}.")


def env_rate(name: str, *, default: int, period: Literal["m", "h"]) -> str | None:
    """Read how often a thing may happen in a minute or an hour, as django-ratelimit writes it; None where it is 0."""
    number = env_number(name, default=default)
    return f"{number}/{period}" if number else None


def writable_folder(path: Path) -> Path:
    """Create a folder if need be, and stop the start with a sentence where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"Cannot create {path} ({error.strerror}). "
            "Make its parent writable, or set TWINSEED_VAR to a folder of yours."
        ) from error
    if not os.access(path, os.W_OK):
        raise ImproperlyConfigured(
            f"No write permission in {path}. Change its owner, or set TWINSEED_VAR to a folder of yours."
        )
    return path


def prepared_exchanges(folder: Path, *, queues: tuple[str, ...]) -> str:
    """Write the file-system broker's exchange files whole, before the first worker does, and return their folder.

    kombu creates such a file empty and fills it a moment later; a second worker that starts in that moment reads
    nothing, and ends. Those of the queues hold their one binding, that of remote control is filled by the workers.
    """
    exchanges = {**{name: [[name, "", name]] for name in queues}, "celery.pidbox": []}
    for name, bindings in exchanges.items():
        path = folder / f"{name}.exchange"
        if path.exists():
            continue
        whole = folder / f"{name}.{os.getpid()}.new"
        whole.write_text(json.dumps(bindings))
        # A link appears with its content, and never over a file that another process was faster to make.
        with contextlib.suppress(FileExistsError):
            os.link(whole, path)
        whole.unlink()
    return str(folder)


def stored_secret(path: Path) -> str:
    """Return the secret in `path`, drawn at the first start and kept from then on."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text().strip()


def database(*, default: str) -> dj_database_url.DBConfig:
    """Read the database's address. It may hold a password, so the sentence does not repeat it."""
    try:
        return dj_database_url.config(default=default, conn_max_age=60)
    except ValueError as error:
        raise ImproperlyConfigured(
            "DATABASE_URL is no database address; set it like postgres://user:password@localhost:5432/twinseed."
        ) from error


VAR_DIR = writable_folder(Path(os.environ.get("TWINSEED_VAR", BASE_DIR / "var")))

DEBUG = env_flag("DJANGO_DEBUG", default=False)
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or stored_secret(VAR_DIR / "secret_key")
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("DJANGO_TRUSTED_ORIGINS", "").split(",") if origin]
SECURE_COOKIES = env_flag("DJANGO_SECURE_COOKIES", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SECURE_REFERRER_POLICY = "same-origin"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "analysis.apps.AnalysisConfig",
    "generation.apps.GenerationConfig",
    "survey_site.apps.SurveyConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "survey_site.entrance.rater_headers.RaterHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # Above the one that refuses forms, so that it refuses them in the rater's language.
    "survey_site.entrance.languages.RaterLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "survey_site.urls"
WSGI_APPLICATION = "survey_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database: SQLite unless DATABASE_URL names another ---
DATABASES = {"default": database(default=f"sqlite:///{VAR_DIR / 'twinseed.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # FULL: an acknowledged vote survives a power cut.
        # IMMEDIATE: a writer waits at the start, never deadlocks midway.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # What a vote asks is planned once a connection and not every time: a tenth more votes a second.
    DATABASES["default"]["OPTIONS"] = {
        **DATABASES["default"].get("OPTIONS", {}),
        "server_side_binding": True,
        # Behind a pooler that hands a connection on after each transaction, set it to 0: nothing is prepared then.
        "prepare_threshold": env_number("TWINSEED_PREPARE_AFTER", default=5) or None,
    }

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "studies"
LOGOUT_REDIRECT_URL = "home"

LANGUAGE_CODE = "en"
# Of raters' pages; a study can fix one.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "twinseed-language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = SECURE_COOKIES
TIME_ZONE = "UTC"
USE_TZ = True

# --- cache: reports and their charts, for all web processes; anything in it can be made again ---
CACHE_URL = os.environ.get("TWINSEED_CACHE_URL", "")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
        "TIMEOUT": 24 * 3600,
        "OPTIONS": {"MAX_ENTRIES": 500},
    },
    # What raters' limits count. Each web process counts for itself, which costs microseconds; with n processes up to n
    # times the limit gets through. Redis counts once for all processes and machines.
    "limits": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        # A vote does not wait for a cache that is down.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "limits",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

# --- limits: how often one rater or one address may do a thing; 0 for as often as they like ---
RATELIMIT_USE_CACHE = "limits"
# A count that a full cache threw away between two steps is no reason to turn somebody down.
RATELIMIT_FAIL_OPEN = True
# Proxies in front of the site that write X-Forwarded-For; without them anybody could write any address there.
TRUSTED_PROXIES = env_number("TWINSEED_TRUSTED_PROXIES", default=0)
# A lab's raters, or a class, share one address.
LIMITS = {
    "enter": {"address": env_rate("TWINSEED_ENTRIES_PER_HOUR", default=120, period="h")},
    "vote": {
        "address": env_rate("TWINSEED_ADDRESS_VOTES_PER_MINUTE", default=6000, period="m"),
        "rater": env_rate("TWINSEED_VOTES_PER_MINUTE", default=240, period="m"),
    },
    "image": {
        "address": env_rate("TWINSEED_ADDRESS_IMAGES_PER_MINUTE", default=20_000, period="m"),
        "rater": env_rate("TWINSEED_IMAGES_PER_MINUTE", default=1200, period="m"),
    },
    "guess": {"address": env_rate("TWINSEED_GUESSES_PER_MINUTE", default=30, period="m")},
}

# --- files: static ones from the package, stimuli and checkpoints under var/ ---
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "media"
# What researchers may register from the browser lies here; it may be a folder that only others can write to.
CHECKPOINT_DIR = Path(os.environ.get("TWINSEED_CHECKPOINTS") or VAR_DIR / "checkpoints")
STORAGES = {
    # An image made again replaces its own file.
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"allow_overwrite": True}},
    "staticfiles": {"BACKEND": "survey_site.static_files.HashedFiles"},
}
FILE_UPLOAD_TEMP_DIR = writable_folder(VAR_DIR / "uploads")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}

# --- Prolific: for the commands that ask it for submissions or set up its messages ---
PROLIFIC_TOKEN = os.environ.get("TWINSEED_PROLIFIC_TOKEN", "")
PROLIFIC_URL = os.environ.get("TWINSEED_PROLIFIC_URL", "https://api.prolific.com/api/v1/")

# A queue and, in the Procfile, a worker each: no batch waits behind a training, no sweep behind the chunks of a batch.
QUEUES = ("celery", "laboratory", "upkeep")

# --- Celery: the file-system broker unless TWINSEED_BROKER names Redis or RabbitMQ ---
# kombu wants a host name even where there is no host.
CELERY_BROKER_URL = os.environ.get("TWINSEED_BROKER", "filesystem://localhost/")
if CELERY_BROKER_URL.startswith("filesystem://"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(writable_folder(VAR_DIR / "broker" / "queue")),
        "data_folder_out": str(VAR_DIR / "broker" / "queue"),
        "control_folder": prepared_exchanges(writable_folder(VAR_DIR / "broker" / "control"), queues=QUEUES),
    }
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_ROUTES = {"generation.tasks.do_work": {"queue": "laboratory"}}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")

# A chunk whose worker has been silent for this long is taken by another one.
CHUNK_LEASE_SECONDS = env_number("TWINSEED_CHUNK_LEASE", default=60, least=1)
# The same for other long work, parts of which are silent for minutes; a worker that is stopped gives it back at once.
WORK_LEASE_SECONDS = env_number("TWINSEED_WORK_LEASE", default=900, least=1)
# How often lost chunks are looked for, and studies that wait for their images.
SWEEP_SECONDS = env_number("TWINSEED_SWEEP", default=5, least=1)
# A round that a busy worker did not get to is dropped: the next one does the same.
UPKEEP = {"schedule": SWEEP_SECONDS, "options": {"queue": "upkeep", "expires": SWEEP_SECONDS}}
CELERY_BEAT_SCHEDULE = {
    "sweep-chunks": {"task": "generation.tasks.sweep_chunks", **UPKEEP},
    "open-ready-studies": {"task": "survey_site.tasks.open_ready_studies", **UPKEEP},
    "sweep-leases": {
        "task": "survey_site.tasks.sweep_leases",
        "schedule": 60,
        "options": {"queue": "upkeep", "expires": 60},
    },
}
# Absent: torch decides. Part of what makes two runs byte-equal, so it is recorded with every batch.
TORCH_THREADS = env_number("TWINSEED_TORCH_THREADS", default=0) or None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("TWINSEED_LOG_LEVEL", "INFO")},
}
