"""One sealed readout, many forms; none of them queries again."""
