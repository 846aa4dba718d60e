"""Quota by developer account, and blocks by app.

Additive: the version before uses the tables of the first app, which stay as they are.
"""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('spotify', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='AppBlock',
            fields=[
                ('until', models.DateTimeField()),
                ('because', models.CharField(choices=[('quota', 'Quota'), ('credentials', 'Credentials'), ('premium', 'Premium')], max_length=20)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('key', models.CharField(max_length=120, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'spotify_app_blocks',
            },
        ),
        migrations.CreateModel(
            name='DeveloperHour',
            fields=[
                ('pk', models.CompositePrimaryKey('developer', 'hour', blank=True, editable=False, primary_key=True, serialize=False)),
                ('developer', models.CharField(max_length=100)),
                ('hour', models.DateTimeField()),
                ('calls', models.PositiveIntegerField(default=0)),
            ],
            options={
                'db_table': 'spotify_developer_hours',
            },
        ),
    ]
