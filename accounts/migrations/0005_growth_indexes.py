"""Find consents by state and date without a look at every listener."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Additive: the version before runs on this schema, and while it is made."""

    atomic = False
    dependencies = [("accounts", "0004_operators_and_retries")]

    operations = [
        AddIndexConcurrently(
            model_name="spotifyconnection",
            index=models.Index(
                fields=["state", "authorized_at"], name="spotify_connections_consent"
            ),
        ),
        AddIndexConcurrently(
            model_name="spotifyconnection",
            index=models.Index(fields=["state_since"], name="spotify_connections_since"),
        ),
    ]
