"""Say of each session whose it is, so that deleting an account need not decode all of them."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_COLUMN = """
ALTER TABLE django_session ADD COLUMN IF NOT EXISTS user_id bigint NULL;
CREATE INDEX IF NOT EXISTS django_session_user ON django_session (user_id)
 WHERE user_id IS NOT NULL"""
_NO_COLUMN = "ALTER TABLE django_session DROP COLUMN user_id"


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Only the encoded content said so until now."""
    sessions = apps.get_model("accounts", "ListenerSession")._default_manager
    sessions = sessions.using(schema_editor.connection.alias)
    store = SessionStore()
    for key, content in sessions.values_list("pk", "session_data").iterator():
        if owner := store.decode(content).get(SESSION_KEY):
            sessions.filter(pk=key).update(user_id=int(owner))


class Migration(migrations.Migration):
    """Additive: the version before runs on this schema."""

    dependencies = [("accounts", "0005_growth_indexes"), ("sessions", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ListenerSession",
            fields=[
                (
                    "session_key",
                    models.CharField(
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                        verbose_name="session key",
                    ),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("user_id", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "session",
                "verbose_name_plural": "sessions",
                "abstract": False,
                "db_table": "django_session",
                "managed": False,
            },
        ),
        migrations.RunSQL(_COLUMN, _NO_COLUMN),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
