"""The two ends that the HTTP tests bring together: weir-http-peer on our side; Go's net/http (http_go) and nginx on the
other."""

import atexit
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from zoo import DEADLINE, eventually

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = os.environ.get("WEIR_HTTP_PEER", "weir-http-peer")
PATTERN = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n"  # of /chunked/{n} and /sized/{n}


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


@functools.cache
def home():
    """A directory for the test process."""
    path = tempfile.mkdtemp(prefix="weir-http-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@functools.cache
def http_go():
    program = os.path.join(home(), "http_go")
    subprocess.run(["go", "build", "-o", program, "."], cwd=os.path.join(HERE, "http_go"), check=True,
                   env={**os.environ, "HOME": home(), "GO111MODULE": "off", "GOCACHE": home() + "/cache"})
    return program


class Server:
    """A program that prints its URL in its first line; a context manager."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if not words:
            self.process.kill()
            raise AssertionError(f"{command} has not begun: {self.process.communicate()}")
        self.url, self.others = words[0], words[1:]
        self.port = int(self.url.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Kills it; what it has written to stderr."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.communicate()[1]

    def counts(self):
        with urllib.request.urlopen(self.url + "/counts", timeout=DEADLINE) as response:
            return json.load(response)

    def wait_for_count(self, name, n):
        eventually(lambda: self.counts()[name] >= n, f"{name} of {self.url} is {n}")


def weir_server():
    return Server(PEER, "serve")


def go_server(*args):
    return Server(http_go(), "serve", *args)


def weir_get(*args, body=None):
    """The lines that weir-http-peer get prints: a dictionary for each response or error."""
    done = subprocess.run([PEER, "get", *args, *(["--body"] if body is not None else [])], input=body or b"",
                          capture_output=True, timeout=DEADLINE)
    assert done.returncode == 0, f"{args}: {done.returncode} {done.stderr!r}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def fields(headers):
    """What weir-http-peer tells of header fields, by name in lower case; of two, the last."""
    return {name.lower(): value for name, value in headers}


def certificate(name, host):
    """A key and a certificate that it has signed by itself, for an IP address or a name: (certificate, key)."""
    stem = os.path.join(home(), name)
    kind = "IP" if host[0].isdigit() else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}",
                    "-addext", f"subjectAltName={kind}:{host}", "-keyout", stem + ".key", "-out", stem + ".pem"],
                   check=True, capture_output=True)
    return stem + ".pem", stem + ".key"


class Nginx:
    """nginx with a configuration and a directory of its own; a context manager."""

    CONFIG = """
daemon off;
master_process off;
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  default_type text/plain;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  gzip_min_length 100;
  gzip_types text/plain;
  server {{
    listen 127.0.0.1:{port};
    root {home}/www;
    location / {{ }}
    location /zipped/ {{ alias {home}/www/; gzip on; }}
    location = /moved {{ return 301 /small.txt; }}
    location = /silent {{ return 444; }}
    location = /upload {{ client_max_body_size 1k; proxy_pass {upstream}; }}
    location = /connection {{ keepalive_requests 2; return 200 "$connection\\n"; }}
    location /kept/ {{ return 200 "$connection\\n"; }}
    location /short/ {{ keepalive_timeout 100ms; return 200 "$connection\\n"; }}
    location = /told {{ return 200 "$request_method $http_host $http_user_agent $http_accept_encoding\\n"; }}
    location /proxied/ {{ proxy_pass {upstream}/; proxy_http_version 1.1; }}
    location /proxied10/ {{ proxy_pass {upstream}/; proxy_request_buffering off; }}
    location /kept-upstream/ {{
      proxy_pass http://upstream/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off;
    }}
  }}
  upstream upstream {{ server {upstream_address}; keepalive 4; }}
}}
"""

    def __init__(self, upstream="http://127.0.0.1:9"):
        self.home = tempfile.mkdtemp(prefix="weir-nginx-")
        self.process = None
        try:
            os.mkdir(self.home + "/www")
            for name, text in (("small.txt", b"a small file\n"), ("large.txt", pattern(3_000_000))):
                with open(f"{self.home}/www/{name}", "wb") as file:
                    file.write(text)
            os.chmod(self.home, 0o755)
            eventually(lambda: self.start(upstream), "nginx listens")
        except BaseException:
            self.__exit__()
            raise

    def start(self, upstream):
        """False: somebody else has taken the port."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        config = self.home + "/nginx.conf"
        with open(config, "w") as file:
            file.write(self.CONFIG.format(home=self.home, port=port, upstream=upstream,
                                          upstream_address=upstream.removeprefix("http://")))
        # Debian keeps it where an unprivileged user's PATH does not look.
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin") or "nginx"
        self.process = subprocess.Popen([nginx, "-p", self.home, "-c", config, "-e", self.home + "/error.log"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{port}"
        # The pid is written once the port is its own.
        eventually(lambda: self.process.poll() is not None or os.path.exists(self.home + "/pid"), "nginx begins")
        if self.process.poll() is None:
            return True
        said = self.process.communicate()[1]
        assert "in use" in said, said
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
        shutil.rmtree(self.home, ignore_errors=True)
