"""Invitations by operators to guests without account."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import accounts.encryption


class Migration(migrations.Migration):
    dependencies = [
        ("sync", "0017_song_total"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("code_hash", models.CharField(max_length=64, unique=True)),
                ("email", accounts.encryption.EncryptedTextField(blank=True)),
                ("given", models.DateTimeField(null=True)),
                ("added", models.DateTimeField(null=True)),
                (
                    "created",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("expires", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DB_CASCADE,
                        related_name="invitations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "invitations",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("email", ""),
                            models.Q(("added__isnull", True), ("given__isnull", False)),
                            _connector="OR",
                        ),
                        name="invitations_email_while_needed",
                    )
                ],
            },
        ),
    ]
