"""Remember which backups were made, and when."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("sync", "0010_incident_alerts")]

    operations = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("made", models.DateTimeField(db_default=Now())),
                ("size", models.BigIntegerField()),
            ],
            options={"db_table": "backups"},
        ),
    ]
