"""Reading a source: layouts, damaged rows and files, days, posts, attributes."""
