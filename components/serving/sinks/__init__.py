"""The sinks of feeds beside the Parquet artifact: PostgreSQL and Redis."""
