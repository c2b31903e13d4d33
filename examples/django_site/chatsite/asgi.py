"""What daphne serves: pages and API by Django, WebSockets by Channels."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
pages = get_asgi_application()

from chat.consumers import ChatConsumer, EveryTabConsumer  # noqa: E402  # models, which need the line above

sockets = URLRouter(
    [
        path("ws/chat/", ChatConsumer.as_asgi()),
        path("ws/openai/", EveryTabConsumer.as_asgi()),
    ]
)
application = ProtocolTypeRouter(
    {
        "http": ASGIStaticFilesHandler(pages) if settings.DEBUG else pages,
        # The browser's own word on where a page came from: CORS and CSRF tokens do not hold for WebSockets.
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(sockets)),
    }
)
