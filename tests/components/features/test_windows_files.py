from pathlib import Path

import numpy as np
import pytest

from components.errors import BadDataError
from components.features import event_log, windows_files
from components.features.windows_files import Block, FeaturesWriter, WindowsFiles
from components.tables import bucket_files, data_files
from components.tables.bucket_files import BucketFiles
from phoenix.data.hashing import HashSpec
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowRefs
from schemas.buckets import NUM_SLOTS

SPEC = HashSpec.documented()
SHAPE = {"history_length": "2", "num_candidates": "3"}


def block(user: int, windows: list[int], width: int = 0) -> Block:
    """Impressions of one user, with the window of each."""
    count = len(windows)
    numbers = np.arange(1, count + 1)
    log = Log(
        np.full(count, user),
        numbers + 10 * user,
        numbers,
        numbers * 1000,
        numbers * 1000,
        numbers.astype(np.int32),
        numbers.astype(np.uint64),
        numbers.astype(np.float32),
        numbers * 100,
        (numbers[:, None] + np.arange(width)).astype(np.float32),
        np.ones(count, np.float32),
    )
    firsts = [windows.index(window) for window in sorted({w for w in windows if w >= 0})]
    starts = log.shown_at[firsts]
    refs = WindowRefs(log.user_ids[firsts], starts, starts, log.attributes[firsts, :1] + 50)
    return Block(numbers[firsts] + 100 * user, refs, log, np.array(windows, np.int32))


def write(folder: Path, *blocks: Block) -> Path:
    width = blocks[0].log.attributes.shape[1]
    widths = {"user_width": str(min(width, 1)), "post_width": str(width)}
    with FeaturesWriter(folder, SHAPE | widths) as writer:
        for each in sorted(blocks, key=lambda each: bucket_files.slots_of(each.log.user_ids)[:1]):
            writer.write(each)
    return folder


@pytest.mark.parametrize("width", [0, 3])
def test_blocks_are_read_as_they_were_written(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "BLOCK_ROWS", 4)
    # In order of their slots.
    blocks = [block(3, [-1, 0, 0, 1], width), block(2, [-1] * 4, width), block(1, [0], width)]
    files = WindowsFiles(write(tmp_path, *blocks), spec=SPEC)
    assert files.chunk_sizes == [2, 0, 1]
    windows = files.read(0)
    assert windows.history_post_ids.tolist() == [[31, 0], [32, 33]]
    assert windows.candidate_post_ids.tolist() == [[32, 33, 0], [34, 0, 0]]
    numbers = [[[1, 2, 3], [0, 0, 0]], [[2, 3, 4], [3, 4, 5]]]
    np.testing.assert_array_equal(windows.history_attributes, np.array(numbers)[..., :width])
    users = np.array([[52], [54]])[:, :width]
    np.testing.assert_array_equal(windows.user_attributes, users)
    table = BucketFiles([tmp_path / data_files.IMPRESSIONS_FILE])
    logs = list(windows_files.read_logs(table, range(NUM_SLOTS)))
    for written, read in zip(blocks, logs, strict=True):
        for name, one, other in zip(Log._fields, written.log, read, strict=True):
            np.testing.assert_array_equal(one, other, name)


def test_all_windows_come_in_the_order_of_the_chunks(tmp_path: Path) -> None:
    write(tmp_path, block(1, [-1, 0]), block(2, [-1]), block(3, [0, 1]))
    windows = windows_files.read_windows(tmp_path, spec=SPEC)
    assert windows.user_ids.tolist() == [1, 3, 3]
    assert windows.candidate_post_ids[:, 0].tolist() == [12, 31, 32]


def test_the_windows_of_some_users_are_those_of_all_without_the_others(tmp_path: Path) -> None:
    write(tmp_path, block(1, [-1, 0]), block(2, [-1]), block(3, [0, 1]))
    files = WindowsFiles(tmp_path, spec=SPEC)
    assert files.users().tolist() == [1, 3]
    some = files.of_users(np.array([3, 9]))
    assert some.user_ids.tolist() == [3, 3]
    assert some.candidate_post_ids[:, 0].tolist() == [31, 32]
    assert files.of_users(np.empty(0, np.int64)).candidate_post_ids.shape == (0, 3)


def test_a_day_without_windows_has_none(tmp_path: Path) -> None:
    windows = windows_files.read_windows(write(tmp_path, block(1, [])), spec=SPEC)
    assert windows.history_post_hashes.shape == (0, 2, 2)
    assert windows.labels.shape == (0, 3)


def test_equal_blocks_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, block(1, [-1, 0, 0, 1]))
    for name in (data_files.WINDOWS_FILE, data_files.IMPRESSIONS_FILE):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_file_of_another_kind_is_refused_by_its_columns(tmp_path: Path) -> None:
    write(tmp_path, block(1, [0]))
    (tmp_path / data_files.IMPRESSIONS_FILE).rename(tmp_path / data_files.WINDOWS_FILE)
    with pytest.raises(BadDataError, match=r"expected a column 'window_id' .*build these features"):
        WindowsFiles(tmp_path, spec=SPEC)
    (tmp_path / data_files.WINDOWS_FILE).unlink()
    with pytest.raises(BadDataError, match=r"windows.parquet: expected the windows of a day"):
        WindowsFiles(tmp_path, spec=SPEC)


def test_a_day_without_windows_is_read_as_none(tmp_path: Path) -> None:
    for name, blocks in (("no block", []), ("only history", [block(1, [-1, -1])])):
        folder = tmp_path / name
        folder.mkdir()
        with FeaturesWriter(folder, SHAPE | {"user_width": "0", "post_width": "0"}) as writer:
            for each in blocks:
                writer.write(each)
        windows = windows_files.read_windows(folder, spec=SPEC)
        assert windows.candidate_post_ids.shape == (0, 3)
        assert windows.history_post_hashes.shape == (0, 2, 2)
