"""An invitation is for one Spotify app; those that exist, for the first.

Additive: the version before runs on this schema.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sync', '0018_invitations'),
    ]

    operations = [
        migrations.AddField(
            model_name='invitation',
            name='client_id',
            field=models.CharField(blank=True, db_default='', max_length=100),
        ),
    ]
