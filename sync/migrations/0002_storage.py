"""Room in each page, so that heartbeats and progress stay HOT, and vacuum before dead rows pile up."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sync", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE sync_requests SET (fillfactor = 80,"
            " autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200)",
            "ALTER TABLE sync_requests RESET (fillfactor,"
            " autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
    ]
