"""Files on disk: the append-only log of records, atomic writes, and locks between processes.

Reading order: ``atomic`` writes whole files and folders, ``locks`` has the two locks of a log, ``append_log`` appends,
reads and replaces its lines, ``filesystem`` detects network file systems, where locks cannot be relied on.
"""
