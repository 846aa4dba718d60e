"""Remember where a rotating order stands, and that a playlist is to be written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0013_targets")]

    operations = [
        migrations.AddField(
            model_name="mirror",
            name="rewrite_asked",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name="mirror",
            name="rotation",
            field=models.JSONField(null=True),
        ),
    ]
