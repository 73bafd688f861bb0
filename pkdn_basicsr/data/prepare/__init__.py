"""`basicsr prepare`: raw downloads become training sets. A file per kind of download; `job.py` does what all share."""
