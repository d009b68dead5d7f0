"""Times of files as people and programs are told them: UTC, to the second."""

from datetime import UTC, datetime


def utc_time(mtime_ns: int) -> datetime:
    """Return the time of a file, in ns since 1970, to the second; 1970 for one before the year 1 or after 9999."""
    try:
        return datetime.fromtimestamp(mtime_ns // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def format_time(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 writes it, with Z."""
    return moment.isoformat().replace("+00:00", "Z")
