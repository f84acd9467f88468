"""The bounded capture of a job's output."""

import os

import pytest

from sqsjkr_gevent.process import output as output_module
from sqsjkr_gevent.process.output import Output, OutputReader


def read_all(pieces: list[bytes], limit: int) -> Output:
    """What a reader keeps of pieces written one after the other."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    reader = OutputReader(reading, limit)
    for piece in pieces:
        os.write(writing, piece)
    os.close(writing)
    assert reader.closed.wait(10)
    return reader.output()


def test_output_within_the_limit_is_kept_whole():
    """Nothing is left out as long as all fits."""
    output = read_all([b"hello ", b"world"], 64)
    assert ("hello world", 0) == (output.text(), output.left_out)


def test_output_over_the_limit_keeps_its_first_and_last_half():
    """The head and the tail stay, and the number of bytes between them is told."""
    output = read_all([b"a" * 10, b"b" * 1000, b"c" * 10], 20)
    assert Output(b"a" * 10, b"c" * 10, 1000) == output
    assert "aaaaaaaaaa\n[... 1000 bytes left out ...]\ncccccccccc" == output.text()


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 4096])
def test_head_tail_and_rest_always_add_up(limit):
    """Whatever the limit, no byte is lost or counted twice."""
    pieces = [bytes([65 + n % 26]) * (n % 97) for n in range(200)]
    whole = b"".join(pieces)
    output = read_all(pieces, limit)
    assert len(whole) == len(output.head) + output.left_out + len(output.tail)
    assert whole.startswith(output.head)
    assert whole.endswith(output.tail)
    assert limit == len(output.head) + len(output.tail)


def test_bytes_that_are_no_utf8_are_replaced():
    """A job may print anything."""
    assert "a\ufffdb" == read_all([b"a\xffb"], 64).text()


def test_a_character_cut_by_a_piece_is_whole_in_the_text():
    """Pieces are joined before they are decoded."""
    assert "é" == read_all([b"\xc3", b"\xa9"], 64).text()


def test_closing_ends_the_reading_while_the_other_end_is_held():
    """A process that holds the pipe cannot keep a reader for ever."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    reader = OutputReader(reading, 64)
    reader.close()
    assert reader.closed.is_set()
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)


def test_a_writer_that_goes_on_and_on_does_not_keep_the_hub(monkeypatch):
    """read() takes what is there; the rest comes by the hub's own callbacks."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    reader = OutputReader(reading, 64)
    reads = []

    def never_empty(fd, size):
        reads.append(size)
        assert len(reads) < 10
        return b"x"

    monkeypatch.setattr(output_module, "_read", never_empty)
    reader.read()
    assert (2, False) == (len(reads), reader.closed.is_set())
    reader.close()
    os.close(writing)
