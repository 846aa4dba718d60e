"""Fill the tables of many mirrors from those of one mirror, and keep them in step meanwhile.

Until the containers of the release before are stopped, they write ``mirror_volumes``; a trigger
carries that over, so that no link is lost. The next release drops both.
"""

from datetime import date
from typing import Any

from django.db import migrations

from syncify.text import folded

_CHECK = """
DO $$
DECLARE odd bigint;
BEGIN
    SELECT v.id INTO odd FROM mirror_volumes AS v
     WHERE NOT EXISTS (SELECT FROM mirrors AS m WHERE m.user_id = v.mirror_id) LIMIT 1;
    IF odd IS NOT NULL THEN
        RAISE EXCEPTION 'mirror_volumes row % belongs to no mirror. Delete it or restore its '
            'mirror, then migrate again.', odd;
    END IF;
END $$;
"""

_FILL = """
INSERT INTO libraries (user_id, interval, next_due, full_read_at, song_count)
SELECT m.user_id, m.interval, m.next_due, m.full_read_at,
       (SELECT count(*) FROM saved_tracks AS s WHERE s.user_id = m.user_id AND s.removed_at IS NULL)
  FROM mirrors AS m;

INSERT INTO mirror_tracks (mirror_id, track_id, refused_at, refused_reason, times_missing)
SELECT m.id, s.track_id, s.refused_at, s.refused_reason, s.times_missing
  FROM saved_tracks AS s JOIN mirrors AS m ON m.user_id = s.user_id
 WHERE s.removed_at IS NULL
   AND (s.refused_at IS NOT NULL OR s.refused_reason <> '' OR s.times_missing > 0);

INSERT INTO sync_results (request_id, mirror_id, state, added, removed, moved, skipped, note)
SELECT r.id, m.id, CASE r.state WHEN 'succeeded' THEN 'done' ELSE 'failed' END,
       r.added, r.removed, r.moved, r.skipped, r.note
  FROM sync_requests AS r JOIN mirrors AS m ON m.user_id = r.user_id
 WHERE r.completed IS NOT NULL;

-- The guard begins again: it compares songs now, where it compared their number.
UPDATE mirrors SET confirm_after = NULL, confirm_total = NULL WHERE confirm_after IS NOT NULL;
"""

_CARRY_OVER = """
CREATE FUNCTION mirror_volumes_carry_over() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE playlist bigint;
BEGIN
    INSERT INTO playlists (mirror_id, number, spotify_id, snapshot_id, items_known, checked_at,
                           details_written_at, reminds, written_name, seen_public)
    SELECT m.id, NEW.number, NEW.spotify_id, NEW.snapshot_id, NEW.items_known, NEW.checked_at,
           NEW.details_written_at, NEW.reminds, NEW.written_name, NEW.seen_public
      FROM mirrors AS m WHERE m.user_id = NEW.mirror_id AND m.is_main
    ON CONFLICT (mirror_id, number) DO UPDATE
       SET spotify_id = excluded.spotify_id, snapshot_id = excluded.snapshot_id,
           items_known = excluded.items_known, checked_at = excluded.checked_at,
           details_written_at = excluded.details_written_at, reminds = excluded.reminds,
           written_name = excluded.written_name, seen_public = excluded.seen_public
    RETURNING id INTO playlist;
    INSERT INTO playlist_items (playlist_id, uris) VALUES (playlist, NEW.items)
    ON CONFLICT (playlist_id) DO UPDATE SET uris = excluded.uris;
    RETURN NULL;
END $$;
CREATE TRIGGER mirror_volumes_carry_over AFTER INSERT OR UPDATE ON mirror_volumes
    FOR EACH ROW EXECUTE FUNCTION mirror_volumes_carry_over();
UPDATE mirror_volumes SET number = number;
"""

_BATCH = 2000


def _first_day(release_date: str) -> date | None:
    year, *rest = release_date.split("-")
    try:
        return date(int(year), *map(int, [*rest, "1", "1"][:2]))
    except ValueError:
        return None


def fill_search(apps: Any, schema_editor: Any) -> None:
    tracks = apps.get_model("sync", "Track")._default_manager.using(schema_editor.connection.alias)
    after = ""
    while batch := list(tracks.filter(pk__gt=after).order_by("pk")[:_BATCH]):
        for track in batch:
            lines = [track.name, ", ".join(track.artists), track.album_name]
            track.search = "\n".join(map(folded, lines))
            track.released = _first_day(track.release_date)
        tracks.bulk_update(batch, ["search", "released"])
        after = batch[-1].pk


class Migration(migrations.Migration):
    dependencies = [("sync", "0007_rooms")]

    operations = [
        migrations.RunSQL(_CHECK, migrations.RunSQL.noop),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.RunSQL(_CARRY_OVER, "DROP FUNCTION mirror_volumes_carry_over CASCADE"),
        migrations.RunPython(fill_search, migrations.RunPython.noop),
    ]
