"""Sources of the posts from which a feed is chosen."""
