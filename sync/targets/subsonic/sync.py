"""A run for a music server: find the songs there, then write playlists and stars."""

from collections.abc import Mapping

from sync.models import Connection, SyncRequest, TargetCatalogue, TrackLink
from sync.queue.job import Job
from sync.targets import running
from sync.targets.access import channel
from sync.targets.matching import Catalogue, Found, Verdict, match
from sync.targets.mirroring import add_loves
from sync.targets.protocol import BadCredentials, Refused
from sync.targets.running import Songs, Summary, fenced
from sync.targets.songs import described
from sync.targets.subsonic import catalogue
from sync.targets.subsonic.client import SubsonicClient

_BATCH = 1_000


def run_subsonic(job: Job) -> None:
    """Bring the music server of the job's listener up to date; ends the request in success."""
    running.run(job, Connection.Service.SUBSONIC, _round)


def _round(job: Job, connection: Connection, songs: Songs) -> Summary:
    if not connection.secret:
        raise BadCredentials("The stored password cannot be decrypted any more.")
    with channel(connection.address) as way:
        client = SubsonicClient(
            way,
            username=connection.username,
            password=connection.secret,
            sign_in=connection.settings.get("sign_in", ""),
            before_write=job.before_write,
        )
        try:
            return _bring(job, connection, songs, client)
        except Refused:
            # A song may have been deleted since its album was read.
            with fenced(job):
                catalogue.forget(connection)
            raise
        finally:
            running.remember(connection, sign_in=client.sign_in)


def _bring(job: Job, connection: Connection, songs: Songs, client: SubsonicClient) -> Summary:
    job.safe_point(stage=SyncRequest.Stage.READING)
    verdicts = find(job, connection, songs, client)
    remote_ids = {key: each.remote_id for key, each in verdicts.items() if isinstance(each, Found)}
    liked = [each for each in songs.likes if each in verdicts]
    summary = Summary(song_count=len(liked), found=sum(1 for each in liked if each in remote_ids))
    running.write_playlists(job, connection, client, songs, remote_ids=remote_ids, summary=summary)
    if connection.settings.get("stars"):
        # The oldest first, so that lists by date begin with the newest like.
        wanted = [remote_ids[each] for each in reversed(liked) if each in remote_ids]
        summary.loved = add_loves(
            client, wanted, progress=lambda share: job.safe_point(progress=0.8 + share / 5)
        )
    return summary


def find(
    job: Job, connection: Connection, songs: Songs, client: SubsonicClient
) -> dict[str, Verdict]:
    """Match every song and store the links; choices by hand are not changed."""
    there = Catalogue(
        catalogue.read(
            client,
            connection,
            now=job.now(),
            on_progress=lambda share: job.safe_point(progress=share * 0.6),
            save=lambda row: _save_catalogue(job, row),
        )
    )
    job.safe_point(stage=SyncRequest.Stage.COMPARING, progress=0.6)
    wanted = described(songs.all_ids)
    links = {link.track_id: link for link in TrackLink.objects.filter(connection=connection)}
    by_hand = {key: link.remote_id for key, link in links.items() if link.by_hand}
    present = {key: link.remote_id for key, link in links.items() if not link.by_hand}
    chosen = {each for key, each in by_hand.items() if each and key in wanted}
    gone = client.unknown([each for each in chosen if each not in there])
    verdicts = match(wanted.values(), there, by_hand=by_hand, present=present, gone=gone)
    _store(job, connection, verdicts, links)
    return verdicts


def _store(
    job: Job,
    connection: Connection,
    verdicts: Mapping[str, Verdict],
    links: Mapping[str, TrackLink],
) -> None:
    """Store changed links, and delete those of songs that are no longer wanted."""
    fresh = {key: _link(connection, key, verdict) for key, verdict in verdicts.items()}
    new = [row for key, row in fresh.items() if key not in links]
    stale = [key for key, row in fresh.items() if key in links and not _same(links[key], row)]
    with fenced(job):
        mine = TrackLink.objects.filter(connection=connection)
        mine.filter(by_hand=False).exclude(track__in=list(verdicts)).delete()
        TrackLink.objects.bulk_create(new, batch_size=_BATCH, ignore_conflicts=True)
        changed = []
        for link in mine.select_for_update().filter(track__in=stale):
            if link.by_hand != links[link.track_id].by_hand:
                continue  # the listener made a choice during this run
            row = fresh[link.track_id]
            link.how, link.instead = row.how, row.instead
            if not link.by_hand:
                link.remote_id = row.remote_id
            changed.append(link)
        TrackLink.objects.bulk_update(changed, ["remote_id", "how", "instead"], batch_size=_BATCH)


def _same(link: TrackLink, row: TrackLink) -> bool:
    is_same = (link.how, link.instead) == (row.how, row.instead)
    return is_same and (link.by_hand or link.remote_id == row.remote_id)


def _link(connection: Connection, track_id: str, verdict: Verdict) -> TrackLink:
    if isinstance(verdict, Found):
        return TrackLink(
            connection=connection,
            track_id=track_id,
            remote_id=verdict.remote_id,
            how=verdict.how,
            instead="",
        )
    return TrackLink(
        connection=connection, track_id=track_id, how=verdict.why, instead=verdict.instead
    )


def _save_catalogue(job: Job, row: TargetCatalogue) -> None:
    with fenced(job):
        TargetCatalogue.objects.update_or_create(
            connection=row.connection, defaults={"packed": row.packed, "read_at": row.read_at}
        )
