"""Find dead letters, open incidents, owed alerts and refused songs by indexes of their own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Additive: the version before runs on this schema, and while it is made."""

    atomic = False
    dependencies = [("sync", "0014_rotation_and_rewriting")]

    operations = [
        AddIndexConcurrently(
            model_name="syncrequest",
            index=models.Index(
                F("completed").desc(), condition=Q(state="dead"), name="sync_requests_dead"
            ),
        ),
        AddIndexConcurrently(
            model_name="mirrortrack",
            index=models.Index(
                fields=["mirror"],
                condition=Q(refused_at__isnull=False),
                name="mirror_tracks_refused",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                fields=["-opened"], condition=Q(closed__isnull=True), name="incidents_open"
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                fields=["alert_due"], condition=Q(alert_due__isnull=False), name="incidents_owed"
            ),
        ),
    ]
