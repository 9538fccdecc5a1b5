"""Feeds: retrieval, ranking, shards, quality, sinks, and reasons for every place."""
