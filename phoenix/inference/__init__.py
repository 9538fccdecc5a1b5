"""The models asked: compiled forward functions, their inputs checked, and runners."""
