"""The tap's command: how it ends where the SDK would print a traceback."""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import Any

from singer_sdk.exceptions import MappingError
from singer_sdk.plugin_base import SingerCommand

from sync_databases.displayed_text import escape_log_lines
from sync_processes.exit_codes import ExitCode
from sync_processes.library_warnings import keep_library_warnings_out
from sync_processes.setting_places import places_of_plugin, with_places
from sync_processes.shutdown import abandon_output, ending_in_time
from tap_legacy_orders.tap_errors import StoppedBySignal, TapConfigError, TapSyncError

GC_THRESHOLDS = (100_000, 50, 1000)
"""A page is many short-lived rows without cycles: the search after every 700 rows took a fifth of the time."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_UNREADABLE = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)


class OneLineErrors(SingerCommand):
    """The SDK's command, ending with one line and an exit code where it would print a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        gc.set_threshold(*GC_THRESHOLDS)
        gc.freeze()  # what starting has made lives to the end
        try:
            escape_log_lines(self.logger)
            keep_library_warnings_out()
            with ending_in_time(self.logger.error):
                return super().main(*args, **kwargs)
        except (TapConfigError, TapSyncError, StoppedBySignal) as error:
            places = places_of_plugin("tap-legacy-orders", "MELTANO_EXTRACTOR_NAME", sys.argv[1:], os.environ)
            self.logger.error("%s", with_places(str(error), places))  # noqa: TRY400 - the line is enough
            sys.exit(error.exit_code)
        except MappingError as error:
            self.logger.error("stream_maps: %s", error)  # noqa: TRY400
            sys.exit(ExitCode.SET_UP)
        except (ValueError, *_UNREADABLE) as error:
            # singer-sdk raises FileExistsError for a missing file too, and reads JSON by a library of its choice.
            if isinstance(error, ValueError) and type(error).__name__ != "JSONDecodeError":
                raise
            self.logger.error("--config, --catalog or --state: the file cannot be read: %s", error)  # noqa: TRY400
            sys.exit(ExitCode.SET_UP)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            abandon_output()
            self.logger.error("the output cannot be written: %s; make room, then run again", error.strerror)  # noqa: TRY400
            sys.exit(ExitCode.FAILED)
