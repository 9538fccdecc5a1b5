"""A search for better settings of a training, judged on past days, which changes nothing else."""
