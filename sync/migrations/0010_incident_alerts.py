"""Keep what became of an incident's alert; of incidents from before, nothing is left to send."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0009_alive_until")]

    operations = [
        migrations.AddField("incident", "alert_due", models.DateTimeField(null=True)),
        migrations.AddField(
            "incident", "alert_tries", models.PositiveIntegerField(default=0, db_default=0)
        ),
        migrations.AddField("incident", "alerted", models.JSONField(default=list, db_default=[])),
        migrations.AddField("incident", "alerted_at", models.DateTimeField(null=True)),
    ]
