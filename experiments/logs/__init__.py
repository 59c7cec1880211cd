"""A team's files as the log contracts: sources, their SQL, the watermark, the manifest of a look."""
