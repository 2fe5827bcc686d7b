#!/usr/bin/python3
"""The kept inputs of a fuzz target between a file of hexadecimal lines and a folder.   unpack.py FILE.hex FOLDER, unpack.py FOLDER FILE.hex"""
import os, sys

source, to = sys.argv[1:]
if os.path.isdir(source):
    inputs = {open(os.path.join(source, name), "rb").read() for name in os.listdir(source)}
    with open(to, "w") as f:
        f.writelines(i.hex() + "\n" for i in sorted(inputs, key=lambda i: (len(i), i)) if i)
else:
    os.makedirs(to, exist_ok=True)
    for n, line in enumerate(open(source)):
        with open(os.path.join(to, "%04d" % n), "wb") as f:
            f.write(bytes.fromhex(line))
