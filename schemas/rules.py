"""The rules by which a row is put into quarantine, by name, with what each of them means."""

from collections.abc import Mapping

ERASED = "erased"
TOO_LATE = "too_late"

RULES: Mapping[str, str] = {
    "malformed_row": "The row has not the columns of its file.",
    "malformed_entry": "An entry of a list has not the parts of the others, or there is no list.",
    "missing_value": "A value that every event needs is empty.",
    "unreadable_number": "Text where a number should be, or a number that does not fit.",
    "unreadable_time": "No time from 1990 to 2099 in the unit of the source.",
    "unreadable_flag": "Neither yes nor no.",
    "unknown_author": "No post file names the author of the post.",
    "zero_id": "An id is 0, which is padding.",
    "negative_id": "An id is below 0.",
    "future_timestamp": "The row was shown after it arrived.",
    "wrong_day": "The row was shown after the day on which it arrived.",
    "bad_surface": "No configured surface: a number beyond `num_surfaces`, or an unknown word.",
    "bad_dwell": "A dwell time below 0, too long, or no number.",
    "unknown_action": "A bit of no configured action.",
    "bad_position": "A rank below 0.",
    "bad_propensity": "No probability above 0 and up to 1.",
    "bad_weight": "A weight of 0 or less, or above `max_weight`.",
    "bad_sampling_rate": "No rate above 0 and up to 1.",
    TOO_LATE: "The row arrived more than `late_days` after its day, or is from before `first_day`.",
    ERASED: "The row is of a user who is to be forgotten; nothing of it is kept but its place.",
}
