#!/usr/bin/env python
"""Run Django's commands and Syncify's own."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError

from syncify.env import collect_problems

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncify.settings")
    if sys.argv[1:2] == ["doctor"]:
        collect_problems()  # it tells them, and looks at the rest
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        sys.exit(str(problem))
    except OperationalError as error:
        first_line = str(error).strip().partition("\n")[0]
        sys.exit(f"The database does not answer: {first_line}")
    except KeyboardInterrupt:
        sys.exit(130)
