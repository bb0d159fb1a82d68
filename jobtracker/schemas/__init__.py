"""Models at the edge, which server, client and command line share."""
