"""The work of the operations room that each turn of a scheduler does."""

from sync.operations.alerts import check_incidents
from sync.operations.backups import make_backup_if_due

CHORES = (make_backup_if_due, check_incidents)
