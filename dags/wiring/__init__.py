"""The code that all DAG files share: a step of the contract becomes a task, a form, an asset."""
