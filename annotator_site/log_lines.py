"""Log records as single lines, in UTC, so that a log can be read, cut and searched by line."""

import logging
import time


class LineFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,123Z LEVEL role logger: message`; only a traceback adds more lines."""

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s,%03dZ"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        """The record's line; line breaks inside the message (a visitor's input) are escaped."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)
