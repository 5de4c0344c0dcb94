"""The run pages: a local server that shows run folders as they grow. Needs the extra `view`."""
