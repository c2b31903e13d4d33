"""What Gatehouse is told of a user beside who they are."""

from django.conf import settings
from django.db import models


class Customer(models.Model):
    """A user as Gatehouse knows them: `subject` of `tenant_id`.

    `subject` never changes and is never given to somebody else; user names and e-mail addresses are.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    subject = models.CharField(max_length=255, unique=True)
    tenant_id = models.CharField(max_length=255)
    portfolio_id = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.subject} of {self.tenant_id}"
