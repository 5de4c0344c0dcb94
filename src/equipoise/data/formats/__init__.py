"""One file for each way in which data lie on a disk; each declares `FORMATS = {"name": DataFormat(...)}`."""
