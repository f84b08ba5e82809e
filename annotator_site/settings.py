"""Django settings, safe for production by default; environment variables configure them.

DATABASE_URL   PostgreSQL to use; unset: the bundled one under var/
NOWAIT_VAR     the folder of all state; unset: var/ beside manage.py
SECRET_KEY     unset: created once and kept in var/secret_key
ALLOWED_HOSTS  names this site is reached by, comma-separated; unset: this machine only
DEBUG          1 for tracebacks in the browser; unset: off
STORAGE_URL    s3://bucket/prefix?region=…&endpoint=… for images and weights in object storage, with
               AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; unset: files under var/media
HTTPS          0 or 1; unset: on exactly when ALLOWED_HOSTS is set
HSTS_SUBDOMAINS   1 when every name below this site's is on HTTPS for good; unset: off
STAFF_SECOND_FACTOR  1: staff need a second factor for the administration; unset: it is optional
STAFF_IDLE_MINUTES   minutes without a request after which sessions of staff end; unset: 60
STAFF_SESSION_HOURS  hours after the log-in at which sessions of staff end in any case; unset: 12
BEHIND_PROXY   1 when a proxy in front ends TLS and sets X-Forwarded-Proto and X-Forwarded-For; the
               number of proxies if there are several in a row
SECURITY_CONTACT  where to report a vulnerability, like mailto:… or https://…, for
               /.well-known/security.txt; unset: no such page
NOWAIT_ROLE    the role of this process, set by the command that starts it: it names the process in
               logs and in pg_stat_activity; `web` gets a pool of connections
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from annotator_site import environment
from annotator_site.accounts import pauses
from annotator_site.admin_look import UNFOLD as UNFOLD
from annotator_site.images import object_addresses
from annotator_site.network import reach

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("NOWAIT_VAR") or BASE_DIR / "var").resolve()
ROLE = environment.role(os.environ, sys.argv)

environment.make_var(VAR)

DEBUG = environment.flag(os.environ, "DEBUG", default=False)
SECRET_KEY = environment.secret_key(os.environ, VAR)

# --- what runs -----------------------------------------------------------------------------------

ROOT_URLCONF = "annotator_site.urls"
ASGI_APPLICATION = "annotator_site.asgi.application"

INSTALLED_APPS = [
    # Before annotator_site.accounts, which removes allauth's tables from the administration.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "al_engine.apps.AlEngineConfig",
    "al_engine.pools.apps.PoolsConfig",
    "annotator_site.apps.AnnotatorSiteConfig",
    "annotator_site.accounts",
    "annotator_site.api",
    "annotator_site.campaigns",
    "annotator_site.exports",
    "annotator_site.importing",
    "annotator_site.labeling",
    "annotator_site.monitor",
    # unfold restyles the admin's templates, so it comes before it.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    # urls.py registers the pages, so that processes of the engine do without them.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "channels",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "annotator_site.health.HealthMiddleware",
    "annotator_site.security.refusals.SecurityMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "annotator_site.private_pages.PrivatePagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "annotator_site.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotator_site.network.large_forms.LargeFormsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "annotator_site.accounts.staff_door.StaffDoorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "annotator_site.content_security.ContentSecurityMiddleware",
    # Last, as django-axes requires: it turns a refused log-in into the lockout page.
    "axes.middleware.AxesMiddleware",
]

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

# --- state ---------------------------------------------------------------------------------------

DATABASE_URL = os.environ.get("DATABASE_URL") or None
USES_BUNDLED_POSTGRES = DATABASE_URL is None
if USES_BUNDLED_POSTGRES and os.name != "posix":
    raise ImproperlyConfigured(
        "The bundled PostgreSQL needs Linux or macOS: "
        f"set DATABASE_URL to a server of yours, like {environment.EXAMPLE_DATABASE_URL}."
    )
if USES_BUNDLED_POSTGRES:
    from annotator_site.embedded_postgres import connection_settings

    _bundled = connection_settings(VAR)
else:
    _bundled = {}

DATABASES = {
    "default": environment.database(
        DATABASE_URL, _bundled, role=ROLE, application_name=f"nowait {ROLE}"
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MEDIA_ROOT = VAR / "media"
MEDIA_URL = "media/"
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Static files are found in the source tree at start, without collectstatic, which is only needed
# for a web server in front that serves STATIC_ROOT itself.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": environment.storage(os.environ.get("STORAGE_URL"), MEDIA_ROOT),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

IMAGE_ORIGINS = object_addresses.origins(STORAGES["default"])

# Rarely used, and shared by all web processes: counts wrong codes of the second factor and marks
# right ones as used.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_attempt",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

# --- people --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# No rules on kinds of characters and no maximum length: they make passwords worse.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
] + [{"NAME": "annotator_site.accounts.passwords.SiteWordsValidator"}]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Staff create accounts and no mail is sent. allauth provides the second factor, the list of
# sessions and the change of a password.
ACCOUNT_ADAPTER = "annotator_site.accounts.log_in.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa")
MFA_ADAPTER = "annotator_site.accounts.second_factor.SecondFactorAdapter"
MFA_RECOVERY_CODES_SHOW_ONCE = True
# Phone clocks differ: the code before and the code after are accepted, each once.
MFA_TOTP_TOLERANCE = 1
STAFF_SECOND_FACTOR = environment.flag(os.environ, "STAFF_SECOND_FACTOR", default=False)
STAFF_IDLE = timedelta(minutes=environment.count(os.environ, "STAFF_IDLE_MINUTES", default=60))
STAFF_SESSION_AGE = timedelta(
    hours=environment.count(os.environ, "STAFF_SESSION_HOURS", default=12)
)

PASSWORD_HASHERS = ["annotator_site.accounts.hashing.Hasher"]

# Wrong passwords lock a name for the network that they came from, or that network, but never a
# name for everybody: nobody can lock an owner out by guessing from elsewhere. A guess during the
# pause does not extend it. `manage.py axes_reset_username NAME` ends a name's pause at once,
# `axes_reset_ip` a network's.
AXES_HANDLER = "annotator_site.accounts.attempts.Attempts"
AXES_CLIENT_IP_CALLABLE = "annotator_site.accounts.attempts.network_of_request"
AXES_USERNAME_CALLABLE = "annotator_site.accounts.attempts.name_of_attempt"
AXES_FAILURE_LIMIT = pauses.CALM.of_pair
AXES_COOLOFF_TIME = pauses.WINDOW
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "annotator_site.accounts.attempts.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- the network ---------------------------------------------------------------------------------

THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = reach.host_names(os.environ, "ALLOWED_HOSTS")
THIS_MACHINE_ONLY = not ALLOWED_HOSTS
if THIS_MACHINE_ONLY:
    ALLOWED_HOSTS = THIS_MACHINE
HTTPS = environment.flag(os.environ, "HTTPS", default=not THIS_MACHINE_ONLY)
# Only if the installation says so: without a proxy that overwrites these headers, any client could
# send them and pass for a secure connection or for another address.
BEHIND_PROXY = reach.proxies(os.environ, "BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

reach.refuse_sub_path(os.environ, sys.argv)

SECURE_SSL_REDIRECT = HTTPS
# A load balancer requests these from inside, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.flag(os.environ, "HSTS_SUBDOMAINS", default=False)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Scripts read the CSRF token from the form, not from the cookie.
CSRF_COOKIE_HTTPONLY = True
LARGE_FORMS_COOKIE_NAME = "__Host-large-forms" if HTTPS else "large-forms"
if HTTPS:
    # Browsers accept cookies with these names only from this very host and over TLS: no other host
    # of the domain can plant a session.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
# Messages for the next page, which may hold a new token, stay on the server.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURITY_CONTACT = environment.contact(os.environ, "SECURITY_CONTACT")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

if HTTPS:
    # The owner of the domain decides whether its other hosts use HTTPS (W005, HSTS_SUBDOMAINS) and
    # whether it goes on the browsers' preload lists (W021).
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
elif THIS_MACHINE_ONLY:
    # Requests do not leave this machine, and browsers treat localhost as secure: no HSTS (W004),
    # redirect (W008) or secure cookies (W012, W016) are needed.
    SILENCED_SYSTEM_CHECKS = [f"security.W{number}" for number in ("004", "008", "012", "016")]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:", *IMAGE_ORIGINS],
        # 'self' also covers WebSockets of the same origin (CSP level 3).
        "connect-src": [SELF, *IMAGE_ORIGINS],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- the API -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "annotator_site.api.authentication.ByToken",
        "annotator_site.api.authentication.BySession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["annotator_site.api.throttles.UserThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "annotator_site.api.rendering.AsItIs",
    "DEFAULT_RENDERER_CLASSES": ["annotator_site.api.rendering.Json"],
    "DEFAULT_PARSER_CLASSES": ["annotator_site.api.rendering.JsonIn"],
    "DEFAULT_SCHEMA_CLASS": "annotator_site.api.schema.Schema",
    "EXCEPTION_HANDLER": "annotator_site.api.problems.answer",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Nowait",
    "DESCRIPTION": "Label images while models learn beside: campaigns, pools, labels and models.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["annotator_site.api.schema.with_problems"],
    "PREPROCESSING_HOOKS": ["annotator_site.api.schema.only_resources"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

# --- the rest ------------------------------------------------------------------------------------

# A campaign's form with the maximum number of classes has six fields a class, and some more.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 13_000

# Languages of the annotators' pages; the administration is in English.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "__Host-language" if HTTPS else "language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "annotator_site.log_lines.LineFormatter",
            "fmt": f"{{asctime}} {{levelname}} {ROLE} {{name}}: {{message}}",
            "style": "{",
        }
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        **{
            name: {
                "class": "annotator_site.security.files.SharedFileHandler",
                "path": str(VAR / "logs" / f"{name}.log"),
            }
            for name in ("security", "strangers")
        },
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        # Django's own handlers would print each of these lines a second time.
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        "django.server": {"handlers": [], "propagate": True},
        "daphne": {"level": "WARNING"},
        "nowait.security": {"handlers": ["stderr", "security"], "propagate": False},
        # In a separate file: a flood cannot push people's events out of security.log.
        "nowait.security.strangers": {"handlers": ["stderr", "strangers"], "propagate": False},
        # axes logs no names; `accounts/attempts.py` logs who tried to log in and from where.
        "axes": {"level": "ERROR"},
        # The pools log every attempt; code that needs a connection logs the problem once.
        "psycopg.pool": {"level": "ERROR"},
    },
}
