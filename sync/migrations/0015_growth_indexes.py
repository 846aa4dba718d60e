"""Find a sync's first songs, dead letters, incidents and refused songs by indexes of their own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


# A request is of one listener. Unless the planner knows, it takes a sync's songs of its listener for
# next to none, and reads and sorts all of them to show the first.
_STATISTICS = """
CREATE STATISTICS IF NOT EXISTS saved_tracks_owner (dependencies)
    ON user_id, added_in_id, removed_in_id FROM saved_tracks"""


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
        AddIndexConcurrently(
            model_name="savedtrack",
            index=models.Index(fields=["added_in", "-added_at", "rank"], name="saved_tracks_added"),
        ),
        AddIndexConcurrently(
            model_name="savedtrack",
            index=models.Index(
                fields=["removed_in", "-added_at", "rank"],
                condition=Q(removed_in__isnull=False),
                name="saved_tracks_removed",
            ),
        ),
        migrations.RunSQL(_STATISTICS, "DROP STATISTICS saved_tracks_owner"),
        # The indexes of the keys alone, which the new ones begin with.
        migrations.AlterField(
            model_name="savedtrack",
            name="added_in",
            field=models.ForeignKey(
                "sync.SyncRequest",
                models.DB_SET_NULL,
                null=True,
                related_name="likes_added",
                db_index=False,
            ),
        ),
        migrations.AlterField(
            model_name="savedtrack",
            name="removed_in",
            field=models.ForeignKey(
                "sync.SyncRequest",
                models.DB_SET_NULL,
                null=True,
                related_name="likes_removed",
                db_index=False,
            ),
        ),
    ]
