#!/usr/bin/python3
"""The host's side of the network tests: PORT gives SIZE megabytes of noise to who connects, PORT + 1 takes bytes until they end (or
SIZE megabytes) and answers with their SHA-256.   peer.py PORT SIZE [ADDRESS]   prints the noise's SHA-256 and serves until it
is ended."""
import hashlib, os, socket, sys, threading

port, size = int(sys.argv[1]), int(sys.argv[2]) << 20
address = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
noise = os.urandom(1 << 20) * (size >> 20)

def give(c):
    c.sendall(noise)
    c.shutdown(socket.SHUT_WR)
    while c.recv(4096):
        pass

def take(c):
    got, sum = 0, hashlib.sha256()
    while got < size:
        data = c.recv(1 << 16)
        if not data:
            break
        got += len(data)
        sum.update(data)
    c.sendall(sum.hexdigest().encode())

def serve(port, answer):
    def run(c):
        with c:
            try:
                answer(c)
            except OSError:
                pass
    with socket.create_server((address, port)) as s:
        while True:
            threading.Thread(target=run, args=(s.accept()[0],), daemon=True).start()

print(hashlib.sha256(noise).hexdigest(), flush=True)
threading.Thread(target=serve, args=(port, give), daemon=True).start()
serve(port + 1, take)
