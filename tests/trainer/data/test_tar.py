import io
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError
from curation.trainer.data.tar import read_members, split_name

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def write_tar(path, members, format_=tarfile.USTAR_FORMAT):
    with tarfile.open(path, "w", format=format_) as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def expected(path):
    with tarfile.open(path) as tar:
        return [(member.name, member.offset_data, member.size) for member in tar if member.isreg()]


names = st.text("abcdé/.", min_size=1, max_size=40).map(lambda name: f"x{name.replace('/', '/y')}z")
long_names = st.integers(90, 400).map(lambda n: "d" * 20 + "/" + "n" * n + ".jpg")


@settings(max_examples=60)
@given(
    members=st.lists(
        st.tuples(names | long_names, st.binary(max_size=3) | st.just(bytes(5000))), max_size=12
    ),
    format_=st.sampled_from(FORMATS[1:]),
)
def test_same_as_tarfile(tmp_path_factory, members, format_):
    path = tmp_path_factory.mktemp("tar") / "0.tar"
    write_tar(path, members, format_)
    assert list(read_members(path)) == expected(path)


@pytest.mark.parametrize("format_", FORMATS)
def test_folders_links_and_long_names(tmp_path, format_):
    path = tmp_path / "0.tar"
    headers = {"pax_headers": {"comment": "of all"}} if format_ == tarfile.PAX_FORMAT else {}
    with tarfile.open(path, "w", format=format_, **headers) as tar:
        for name, kind in (("a", tarfile.DIRTYPE), ("b", tarfile.SYMTYPE), ("a/c", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "x" * 90
            tar.addfile(member)
        for name in ("a/" + "p" * 90 + "/" + "q" * 60 + ".jpg", "a/last.txt"):
            member = tarfile.TarInfo(name)
            member.size = 700
            tar.addfile(member, io.BytesIO(bytes(700)))
    assert list(read_members(path)) == expected(path)
    assert len(expected(path)) == 2


def test_a_long_link_names_nothing_else(tmp_path):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        link = tarfile.TarInfo("n" * 150)
        link.type, link.linkname = tarfile.SYMTYPE, "l" * 150
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("after.txt"))
    assert [member.name for member in read_members(path)] == ["after.txt"]


@pytest.mark.parametrize("format_", FORMATS[1:])
def test_a_member_larger_than_octal_digits_can_say(tmp_path, format_):
    path = tmp_path / "0.tar"
    member = tarfile.TarInfo("huge.jpg")
    member.size = 9 << 30
    with path.open("wb") as stream:  # sparse: takes no space
        start = stream.write(member.tobuf(format_))
        stream.seek(start + member.size)
        stream.write(tarfile.TarInfo("after.txt").tobuf() + bytes(1024))
    after = start + member.size + 512
    assert list(read_members(path)) == [("huge.jpg", start, 9 << 30), ("after.txt", after, 0)]


def with_checksum(header):
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_gnu_has_times_where_ustar_has_folders(tmp_path):
    path = tmp_path / "0.tar"
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf(tarfile.GNU_FORMAT))
    header[345:357] = b"14700000000\0"
    path.write_bytes(with_checksum(header) + bytes(1024))
    assert list(read_members(path)) == [("a.jpg", 512, 0)]


def test_a_size_beyond_all_files(tmp_path):
    path = tmp_path / "0.tar"
    header = bytearray(tarfile.TarInfo("a.jpg").tobuf())
    header[124:136] = b"\x80" + (1 << 80).to_bytes(11, "big")
    path.write_bytes(with_checksum(header) + bytes(1024))
    with pytest.raises(InputError, match="cut off after 1536 bytes"):
        list(read_members(path))


def test_a_tar_that_is_cut_off(tmp_path):
    whole, path = tmp_path / "whole.tar", tmp_path / "0.tar"
    write_tar(whole, [("a.jpg", bytes(1000)), ("a.txt", b"x")])
    data = whole.read_bytes()
    for length in (0, 1, 511, 512, 1000, 1511, 1536, 1600, 2048, 2049, 2500, 2560, 2561):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=rf"0\.tar is cut off after {length} bytes; .*again"):
            list(read_members(path))
    path.write_bytes(data[:3072])  # the first block that says "end" is enough
    assert len(list(read_members(path))) == 2


@pytest.mark.parametrize("at", [0, 100, 124, 148, 156, 300])
def test_a_damaged_header(tmp_path, at):
    path = tmp_path / "0.tar"
    write_tar(path, [("a.jpg", bytes(1000)), ("a.txt", b"x")])
    data = bytearray(path.read_bytes())
    data[1536 + at] ^= 0x45
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"0\.tar is damaged at byte 1536"):
        list(read_members(path))


def test_what_is_no_tar(tmp_path):
    path = tmp_path / "0.tar"
    path.write_bytes(b"\x1f\x8b" + os.urandom(2000))
    with pytest.raises(InputError, match="damaged at byte 0, or no tar"):
        list(read_members(path))


def test_kinds_without_plain_offsets_are_refused(tmp_path):
    path = tmp_path / "0.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("a.jpg")
        member.type = tarfile.GNUTYPE_SPARSE
        tar.addfile(member)
    with pytest.raises(InputError, match=r"a\.jpg is of type b'S'"):
        list(read_members(path))
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a.jpg")
        member.pax_headers = {"GNU.sparse.major": "1"}
        tar.addfile(member)
    with pytest.raises(InputError, match="sparse"):
        list(read_members(path))


def test_a_damaged_pax_header(tmp_path):
    path = tmp_path / "0.tar"
    for record in (b"x path=a\n", b"99 path=a\n", b"0 path=a\n", b"1 path=a\n"):
        member = tarfile.TarInfo("a")
        member.type, member.size = tarfile.XHDTYPE, len(record)
        path.write_bytes(
            member.tobuf() + record.ljust(512, b"\0") + tarfile.TarInfo("b").tobuf() + bytes(1024)
        )
        with pytest.raises(InputError, match="damaged pax header"):
            list(read_members(path))


@pytest.mark.parametrize(
    ("name", "key", "suffix"),
    [
        ("000001.jpg", "000001", "jpg"),
        ("./000001.JPG", "000001", "jpg"),
        ("a.b/000001.seg.png", "a.b/000001", "seg.png"),
        ("a/b", "a/b", ""),
    ],
)
def test_split_name(name, key, suffix):
    assert split_name(name) == (key, suffix)
