"""Drop the checks that counts are not negative: each took time in every statement of the queue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0004_adopts_syncify2")]

    operations = [
        *(
            migrations.AlterField("syncrequest", name, models.IntegerField(db_default=0))
            for name in [
                "song_count",
                "attempt",
                "added",
                "removed",
                "moved",
                "skipped",
                "api_requests",
            ]
        ),
        *(
            migrations.AlterField("syncrequest", name, models.SmallIntegerField(db_default=0))
            for name in ["failures", "rescues"]
        ),
    ]
