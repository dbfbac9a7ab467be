"""Answers with its words and the release that it runs, over the socket that systemd hands over."""

import json
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = "one"
RELEASE = os.path.basename(os.getcwd())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        well = WORDS != "ill"
        body = json.dumps({"ok": well, "release": RELEASE, "code": WORDS}).encode()
        self.send_response(200 if well else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # What was begun is finished before it ends.
    daemon_threads = False


server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
server.server_close()
