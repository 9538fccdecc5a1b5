"""Cells, columns, Parquet files and the engines that evaluate expressions over them."""
