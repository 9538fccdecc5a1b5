"""Whether a model can be trained as configured, by the judgement of the trainer.

Asked before any data is read, so that `phoenix doctor` says today what would fail tonight.
"""

from components.settings.config import Config
from components.training import auto, model_configs, trainer_settings
from components.training.log_rules import LogSize
from phoenix.train.runner import check_settings


def check(config: Config, role: str) -> None:
    """Asks the trainer whether it can do what a section says, here; reads no data.

    What is `auto` is judged as that of a small log: all its numbers are ones that a trainer can do.

    Raises:
      BadConfigurationError: If it cannot; names the settings as the file does.
    """
    config = auto.with_numbers(config, role, auto.numbers_for(config, role, LogSize()))
    with trainer_settings.in_the_words_of_the_file(role):
        model = model_configs.retrieval if role == "retrieval" else model_configs.ranker
        check_settings(
            model(config),
            trainer_settings.train_config(config, role),
            config.action_names,
            trainer_settings.compute_config(config, role),
        )
