"""Remember how many songs there are while they are read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0016_inbox_decisions")]

    operations = [
        migrations.AddField(
            model_name="syncrequest",
            name="song_total",
            field=models.IntegerField(null=True),
        ),
    ]
