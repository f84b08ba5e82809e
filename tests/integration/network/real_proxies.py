"""nginx and Caddy as docs/operators.md has them: on free ports, in front of a site.

Nothing of what is printed there is changed but the names of the site, of the files and the ports.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from documents import page, section

OFFICE = "127.0.0.8"
"""Where the documents have an office that is spared."""
START_S = 20.0
NGINX_MAIN = """
daemon off;
user {user};
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {documented}
    server {{
        listen 127.0.0.1:{below_a_path};
        location /labels/ {{
            proxy_pass http://127.0.0.1:{site}/;
            proxy_set_header Host localhost;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto https;
        }}
        location / {{ return 404; }}
    }}
}}
"""
CADDY_MAIN = """
{{
    admin off
    http_port {http}
    https_port {caddy_https}
    servers {{
        protocols h1 h2
    }}
}}
{documented}
"""


@dataclass(frozen=True)
class Front:
    """A proxy that runs; `certificate` is what its visitors must trust."""

    name: str
    http: int
    https: int
    below_a_path: int
    certificate: Path

    @property
    def origin(self) -> str:
        """The site as its visitors write it."""
        return f"https://localhost:{self.https}"


def program(name: str) -> str:
    """Where nginx or caddy is; skips the test where it cannot be had."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        pytest.fail(f"{name} is missing: make proxies installs it")
    if found is None:
        pytest.skip(f"{name} is not here, and only root can install it")
    return found


@cache
def blocks() -> dict[str, str]:
    """The configurations of the documents by how they begin, without their indentation."""
    text = section(page("operators.md"), "## On a network, behind a proxy")
    found = re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {block.split(maxsplit=1)[0]: block for block in found}


def _filled_in(text: str, values: Mapping[str, str | int]) -> str:
    """A configuration with other names and ports; each must be there."""
    for printed, value in values.items():
        assert printed in text, printed
        text = re.sub(rf"(?<![\w.]){re.escape(printed)}(?![\w.])", str(value), text)
    return text


def nginx_configuration(ports: Mapping[str, int], folder: Path, *, limits: bool) -> str:
    """All of nginx.conf; with `limits`, what the documents have for visitors' addresses, too."""
    documented = blocks()["map"]
    if limits:
        inside = blocks()["limit_conn"]
        assert documented.count("    location / {") == 1
        documented = documented.replace("    location / {", f"{inside}\n    location / {{")
        documented = blocks()["geo"] + documented
    values: dict[str, str | int] = {
        "labels.example.org": "localhost",
        "/etc/ssl/labels.pem": str(folder / "labels.pem"),
        "/etc/ssl/labels.key": str(folder / "labels.key"),
        "443": ports["https"],
        "80": ports["http"],
        "8000": ports["site"],
    }
    if limits:
        values["198.51.100.0/24"] = f"{OFFICE}/32"
    filled = _filled_in(documented, values)
    # It is this user who may enter the folder.
    user = pwd.getpwuid(os.geteuid()).pw_name
    return NGINX_MAIN.format(user=user, folder=folder, documented=filled, **ports)


def caddy_configuration(ports: Mapping[str, int], folder: Path) -> str:
    """All of the Caddyfile."""
    documented = _filled_in(
        blocks()["https://labels.example.org:443"],
        {
            "labels.example.org": "localhost",
            "/etc/ssl/labels.pem": str(folder / "labels.pem"),
            "/etc/ssl/labels.key": str(folder / "labels.key"),
            "443": ports["https"],
            "8000": ports["site"],
        },
    )
    return CADDY_MAIN.format(documented=documented, **ports)


@contextmanager
def in_front(name: str, site: int, folder: Path, *, limits: bool = False) -> Iterator[Front]:
    """nginx or Caddy in front of the site at that port, while the context lasts."""
    executable = program(name)
    ports = dict(zip(("http", "https", "below_a_path", "caddy_https"), _free_ports(4), strict=True))
    ports["site"] = site
    write_certificate(folder)
    if name == "nginx":
        file = folder / "nginx.conf"
        file.write_text(nginx_configuration(ports, folder, limits=limits))
        argv = [executable, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)]
    else:
        file = folder / "Caddyfile"
        file.write_text(caddy_configuration(ports, folder))
        argv = [executable, "run", "--config", str(file), "--adapter", "caddyfile"]
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env={**os.environ, **homes}, stdout=output, stderr=output)
    try:
        for port in (ports["http"], ports["https"]):
            _await(port, process, log)
        yield Front(
            name, ports["http"], ports["https"], ports["below_a_path"], folder / "labels.pem"
        )
    finally:
        process.terminate()
        process.wait(START_S)


def write_certificate(folder: Path) -> None:
    """A key, and a certificate that it signed itself, for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names.append(x509.IPAddress(ip_address("127.0.0.1")))
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "labels.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "labels.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _free_ports(count: int) -> list[int]:
    """So many different ports; all are held until all are chosen."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1.0)):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the proxy does not answer:\n{log.read_text()[-3000:]}")
        time.sleep(0.02)
