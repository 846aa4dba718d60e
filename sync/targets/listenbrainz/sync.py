"""A run for ListenBrainz: find the recordings, then love them and write playlists."""

from django.conf import settings

from sync.models import Connection, SyncRequest
from sync.queue.job import Job
from sync.targets import running
from sync.targets.access import channel
from sync.targets.listenbrainz import recordings
from sync.targets.listenbrainz.client import ListenBrainzClient
from sync.targets.mirroring import add_loves
from sync.targets.protocol import BadCredentials
from sync.targets.running import Songs, Summary
from sync.targets.songs import described


def run_listenbrainz(job: Job) -> None:
    """Bring ListenBrainz up to date for the job's listener; ends the request in success."""
    running.run(job, Connection.Service.LISTENBRAINZ, _round)


def _round(job: Job, connection: Connection, songs: Songs) -> Summary:
    if not connection.secret:
        raise BadCredentials("The stored token cannot be decrypted any more.")
    with channel(settings.LISTENBRAINZ_URL) as way:
        client = ListenBrainzClient(
            way, token=connection.secret, sleep=job.sleep, before_write=job.before_write
        )
        client.user_name()
        job.safe_point(stage=SyncRequest.Stage.READING)
        wanted = described(songs.all_ids)
        mbids = recordings.look_up(
            client, wanted, on_progress=lambda share: job.safe_point(progress=share * 0.6)
        )
        remote_ids = {key: mbid for key, mbid in mbids.items() if mbid}
        liked = [each for each in songs.likes if each in wanted]
        found = [remote_ids[each] for each in liked if each in remote_ids]
        summary = Summary(song_count=len(liked), found=len(found))
        running.write_playlists(
            job, connection, client, songs, remote_ids=remote_ids, summary=summary
        )
        if connection.settings.get("loves", True):
            job.safe_point(stage=SyncRequest.Stage.WRITING, progress=0.8)
            summary.loved = add_loves(
                client,
                found[::-1],
                progress=lambda share: job.safe_point(progress=0.8 + share / 5),
            )
        return summary
