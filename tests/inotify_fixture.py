"""What the kernel saw opened in a directory, by whatever process and library: Linux's inotify, through the C library."""

import ctypes
import os
import struct
from pathlib import Path

IN_OPEN = 0x20
IN_NONBLOCK = os.O_NONBLOCK
_EVENT = struct.Struct("iIII")


class Watch:
    """Names of the files in a directory that were opened since the watch began or was last asked."""

    def __init__(self, directory: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(IN_NONBLOCK)
        if self._descriptor < 0 or self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))

    def opened(self) -> list[str]:
        """In order. The directory itself, when it is listed, is no file in it."""
        names, told = list[str](), b""
        while True:
            try:
                told += os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
        while told:
            *_, length = _EVENT.unpack_from(told)
            name = told[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
            names += [os.fsdecode(name)] if name else []
            told = told[_EVENT.size + length :]
        return names

    def close(self) -> None:
        """Stop watching."""
        os.close(self._descriptor)
