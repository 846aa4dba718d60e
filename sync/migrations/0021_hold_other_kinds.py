"""Hold requests of other kinds while containers of the release before run.

Those containers queue a sync with ``ON CONFLICT (user_id) WHERE completed IS NULL``, which needs
the unique index on the listener alone, and their workers run every request as a sync with Spotify.
While that index exists, a trigger stores each request of another kind as cancelled, with the code
"upgrade". ``sync/operations/upgrade.py`` drops index and trigger, and queues these requests. A
database without listeners has no such containers, so it drops the index here.
"""

from django.db import migrations

_HOLD = """
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM users) THEN
        DROP INDEX IF EXISTS sync_requests_one_open_per_user;
    ELSIF to_regclass('sync_requests_one_open_per_user') IS NOT NULL THEN
        CREATE OR REPLACE FUNCTION sync_requests_hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.state := 'cancelled';
            NEW.completed := statement_timestamp();
            NEW.error_code := 'upgrade';
            NEW.error_message := 'Starts when the upgrade of Syncify is complete.';
            RETURN NEW;
        END $$;
        CREATE TRIGGER sync_requests_hold BEFORE INSERT ON sync_requests
            FOR EACH ROW WHEN (NEW.kind <> 'spotify') EXECUTE FUNCTION sync_requests_hold();
    END IF;
END $do$;
"""

_UNDO = """
DROP FUNCTION IF EXISTS sync_requests_hold CASCADE;
CREATE UNIQUE INDEX IF NOT EXISTS sync_requests_one_open_per_user
    ON sync_requests (user_id) WHERE completed IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("sync", "0020_households")]

    operations = [migrations.RunSQL(_HOLD, _UNDO)]
