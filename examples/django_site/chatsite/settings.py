"""The site's settings, from the environment. `manage.py prepare` makes the files that they name."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).parent.parent
DATA_DIR = Path(os.environ.get("SITE_DATA_DIR", BASE_DIR / "data"))
DEBUG = os.environ.get("SITE_ENVIRONMENT", "development") == "development"
SECRET_KEY_FILE = DATA_DIR / "secret-key"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or (
    SECRET_KEY_FILE.read_text() if SECRET_KEY_FILE.exists() else ""
)  # Django refuses an empty one when it is used
ALLOWED_HOSTS = os.environ.get("SITE_HOSTS", "localhost,127.0.0.1").split(",")

# Where Gatehouse is, and what the site's tokens say. Gatehouse's GATEHOUSE_ISSUER and GATEHOUSE_AUDIENCE
# are the same two words.
GATEHOUSE_URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")
GATEHOUSE_RUNNABLE = os.environ.get("GATEHOUSE_RUNNABLE", "agent")
SITE_QUESTION = os.environ.get("SITE_QUESTION", "How is my portfolio doing?")
TOKEN_ISSUER = os.environ.get("SITE_ISSUER", "http://localhost:8001")
TOKEN_AUDIENCE = os.environ.get("GATEHOUSE_AUDIENCE", "gatehouse")
TOKEN_SCOPES = ["runnable:chat", "runnable:agent"]
TOKEN_KEY_FILE = DATA_DIR / "signing-key.pem"

INSTALLED_APPS = [
    "daphne",  # first: it makes `runserver` an ASGI server
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chat",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "chatsite.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "site.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static_root"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "page"
LOGOUT_REDIRECT_URL = "login"
USE_TZ = True

# Without Redis the channel layer is in this process: tabs on another process would miss the answers.
REDIS_URL = os.environ.get("REDIS_URL")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # Longer than channels-redis waits for a message (5 s): redis-py 8 gives up after 5 s by default,
            # and every silent socket would be closed (django/channels_redis issue 422).
            "hosts": [{"address": REDIS_URL, "socket_timeout": 15}],
            "capacity": 1000,  # a full channel drops messages; these are 50 seconds of an answer
        },
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

if not DEBUG:
    if not (os.environ.get("DJANGO_SECRET_KEY") and REDIS_URL):
        raise ImproperlyConfigured("production needs DJANGO_SECRET_KEY and REDIS_URL")
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 3600
    # whether HSTS holds for subdomains, and is preloaded, is for the domain's owner to say
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
