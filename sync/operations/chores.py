"""The work of other rooms that each turn of a scheduler does."""

from sync.library.genres import queue_lookups
from sync.library.listens import queue_listens
from sync.library.uploads import drop_old_uploads
from sync.operations.alerts import Watch
from sync.operations.backups import make_backup_if_due
from sync.operations.upgrade import finish_upgrade
from sync.queue.connected import enqueue_due_services
from sync.sharing.invitations import drop_expired

CHORES = (
    make_backup_if_due,
    Watch(),
    queue_lookups,
    queue_listens,
    drop_old_uploads,
    drop_expired,
    enqueue_due_services,
    finish_upgrade,
)
