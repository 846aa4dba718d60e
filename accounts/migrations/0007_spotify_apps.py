"""Several apps at Spotify. Connections that exist belong to the first one.

Additive: the version before runs on this schema.
"""

import accounts.encryption
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_owners_of_sessions'),
    ]

    operations = [
        migrations.AddField(
            model_name='spotifyconnection',
            name='client_id',
            field=models.CharField(blank=True, db_default='', max_length=100),
        ),
        migrations.AddField(
            model_name='spotifyconnection',
            name='move_to',
            field=models.CharField(blank=True, db_default='', max_length=100),
        ),
        migrations.AlterField(
            model_name='spotifyconnection',
            name='state_reason',
            field=models.CharField(blank=True, choices=[('consent_ended', 'Consent Ended'), ('tokens_lost', 'Tokens Lost'), ('app_gone', 'App Gone'), ('not_registered', 'Not Registered'), ('scope_missing', 'Scope Missing'), ('forbidden', 'Forbidden')], max_length=20),
        ),
        migrations.CreateModel(
            name='SpotifyApp',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('label', models.CharField(max_length=60)),
                ('client_id', models.CharField(max_length=100, unique=True)),
                ('secret', accounts.encryption.EncryptedTextField()),
                ('developer', models.CharField(blank=True, db_default='', max_length=60)),
                ('is_resting', models.BooleanField(db_default=False)),
                ('created', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.DB_SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'spotify_apps',
            },
        ),
    ]
