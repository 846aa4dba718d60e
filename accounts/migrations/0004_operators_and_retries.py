import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Additive: the version before runs on this schema."""

    dependencies = [("accounts", "0003_tokens_lost")]

    operations = [
        # The column keeps its name, so these two send nothing to the database.
        migrations.AlterField(
            model_name="user",
            name="is_operator",
            field=models.BooleanField(db_column="is_operator", default=False),
        ),
        migrations.RenameField(
            model_name="user", old_name="is_operator", new_name="is_operator_by_code"
        ),
        migrations.AddField(
            model_name="user",
            name="listed_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=255), null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name="spotifyconnection",
            name="retry_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="OperatorCode",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                (
                    "made_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
                ("used_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "operator_codes",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="operator_codes_one_row"
                    )
                ],
            },
        ),
    ]
