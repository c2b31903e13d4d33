"""The site's addresses; those of the WebSockets are in `asgi.py`."""

from django.contrib.auth.views import LoginView
from django.urls import path

from chat import views

urlpatterns = [
    path("", views.page, name="page"),
    path("sign-in/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("sign-out/", views.SignOut.as_view(), name="logout"),
    path("api/chat/", views.chat),
    path("api/chat/stream/", views.stream),
    path("api/runs/<uuid:run_id>/stream/", views.join),
    path("sse_stream", views.sse_stream),
    path("sse_stream/", views.sse_stream),
    path("tutorials/<slug:name>/", views.tutorial),
    path(".well-known/jwks.json", views.jwks),
]
