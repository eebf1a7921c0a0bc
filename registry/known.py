#!/usr/bin/env python3
"""Turns a FileDescriptorSet into the C table of registry/known.h: known.py SET OUTPUT.c"""
import sys


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def first_fields(data):
    """Every field with number 1 of a message that has only such (a FileDescriptorSet), or the first
    (a FileDescriptorProto's name)."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        assert tag == 10, f"tag {tag}"
        length, at = varint(data, at)
        yield data[at:at + length]
        at += length


def main():
    files = list(first_fields(open(sys.argv[1], "rb").read()))
    with open(sys.argv[2], "w") as out:
        print('#include "registry/known.h"\n', file=out)
        for number, content in enumerate(files):
            print(f"static const uint8_t file_{number}[] = {{", file=out)
            for at in range(0, len(content), 24):
                print("    " + "".join(f"{byte}," for byte in content[at:at + 24]), file=out)
            print("};", file=out)
        print("const struct known_file known_files[] = {", file=out)
        for number, content in enumerate(files):
            name = next(first_fields(content)).decode()
            print(f'    {{"{name}", file_{number}, sizeof file_{number}}},', file=out)
        print(f"}};\nconst size_t known_file_count = {len(files)};", file=out)


if __name__ == "__main__":
    main()
