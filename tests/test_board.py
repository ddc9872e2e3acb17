from __future__ import annotations

import threading

from cuesense.board import KEPT_LIMIT, Board


def test_a_latest_message_replaces_the_one_not_read_yet() -> None:
    board = Board()
    with board.watch() as watcher:
        for i in range(5):
            board.latest("state", {"i": i})
        board.latest("picture", b"x")
        assert watcher.take() == [{"i": 4}, b"x"]
        assert watcher.take() == []


def test_kept_messages_come_all_in_order_and_first() -> None:
    board = Board()
    with board.watch() as watcher:
        board.latest("state", {"state": 1})
        for i in range(3):
            board.keep({"i": i})
        assert watcher.take() == [{"i": 0}, {"i": 1}, {"i": 2}, {"state": 1}]


def test_watchers_do_not_share_and_leave() -> None:
    board = Board()
    with board.watch() as one:
        with board.watch() as two:
            board.keep({"a": 1})
            assert one.take() == two.take() == [{"a": 1}]
            assert len(board) == 2
        assert len(board) == 1
    board.keep({"a": 2})
    assert one.take() == []
    assert len(board) == 0


def test_a_watcher_that_never_reads_costs_bounded_memory_and_is_told() -> None:
    board = Board()
    with board.watch() as watcher:
        for i in range(KEPT_LIMIT + 10):
            board.keep({"i": i})
        assert watcher.lagged
        assert len(watcher.take()) == KEPT_LIMIT


def test_a_waiting_watcher_is_woken_from_another_thread() -> None:
    board, woken = Board(), threading.Event()
    with board.watch(woken.set) as watcher:
        sender = threading.Thread(target=board.keep, args=({"a": 1},))
        sender.start()
        assert watcher.take(timeout=10) == [{"a": 1}]
        sender.join()
        assert woken.is_set()
