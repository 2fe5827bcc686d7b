#!/usr/bin/python3
"""Logs in at the payroll server by telnet, lists its people, leaves.   telnet.py PORT   tries until the system is up, five minutes."""
import socket, sys, time

def talk(steps):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as s:
        seen = b""
        for wanted, answer in steps:
            while wanted not in seen:
                data = s.recv(4096)
                if not data:
                    raise OSError("closed")
                seen += data
            print("saw", wanted.decode(), flush=True)
            seen = b""
            s.sendall(answer)

for _ in range(150):
    try:
        talk([(b"login:", b"payroll\r\n"), (b"Choice:", b"l\r\n"), (b"Ada Brown", b"\r\n")])
        sys.exit(0)
    except OSError:
        time.sleep(2)
sys.exit(1)
