"""Remember how far a decision of the inbox has come, and a wish to like one's own additions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sync", "0015_growth_indexes")]

    operations = [
        migrations.AddField(
            model_name="inboxitem",
            name="delivery",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "None"),
                    ("asked", "Asked"),
                    ("sending", "Sending"),
                    ("done", "Done"),
                    ("refused", "Refused"),
                ],
                db_default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="library",
            name="likes_own_additions",
            field=models.BooleanField(db_default=False),
        ),
    ]
