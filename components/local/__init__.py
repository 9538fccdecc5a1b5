"""An Airflow on this machine: folder, settings, ports, processes, client, cascade."""
