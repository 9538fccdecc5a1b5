"""The files in which the steps from training to release meet, by name.

Steps never import one another, and pages read the files of all, so the names live outside the
steps. The Parquet files of the data steps are in `tables.data_files`, those of feeds in
`serving.feed_files`; models are folders, see `release.models`.
"""

CURVE_FILE = "curve.json"  # of both trainings: the points of the learning curve
METRICS_FILE = "metrics.json"  # of evaluate_models: by role and recommender
DECISION_FILE = "decision.json"  # of evaluate_models; publish_release keeps a copy
RELEASE_FILE = "release.json"  # of publish_release: what the release holds and was made for
CORPUS_FOLDER = "corpus"  # of publish_release: a copy of the artifact of export_corpus
