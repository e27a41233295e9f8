# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for the tests of TLS, made by openssl."""

import subprocess

import grpc

SERVER = "subjectAltName=DNS:relay,IP:10.0.0.1,IP:127.0.0.1"


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Pki:
    """Two authorities, and who they vouch for; files NAME.pem and NAME.key that user frr can read."""

    def __init__(self, directory):
        self.dir = directory
        directory.mkdir()
        directory.chmod(0o755)
        for ca in ("ca", "foreign"):
            openssl("req", "-x509", *self.new(ca), "-out", self.pem(ca), "-days", 2)
        self.leaf("server", "ca", extra=SERVER)
        self.leaf("noc", "ca")
        self.leaf("odd", "ca", name="n\u00f6c \"x\"\t@192.0.2.1:1")
        self.leaf("expired", "ca", days=0)
        self.leaf("stranger", "foreign", name="noc")
        openssl("req", "-x509", *self.new("self"), "-out", self.pem("self"), "-days", 2)
        for file in directory.iterdir():
            file.chmod(0o644)

    def pem(self, name):
        return self.dir / f"{name}.pem"

    def key(self, name):
        return self.dir / f"{name}.key"

    def new(self, name, subject=None):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key(name),
                "-utf8", "-subj", f"/CN={subject or name}")

    def leaf(self, file, ca, name=None, days=2, extra=None):
        request, extensions = self.dir / "request", self.dir / "extensions"
        openssl("req", *self.new(file, name), "-out", request)
        extensions.write_text(extra or "")
        openssl("x509", "-req", "-in", request, "-CA", self.pem(ca), "-CAkey", self.key(ca), "-days", days,
                "-set_serial", 1 + len(list(self.dir.iterdir())), "-extfile", extensions, "-out", self.pem(file))

    def options(self, cert="server", key="server", ca="ca"):
        """relayd's."""
        return ("--grpc-cert", self.pem(cert), "--grpc-key", self.key(key), "--grpc-client-ca", self.pem(ca))

    def credentials(self, name):
        """A client's; None: it has no certificate."""
        own = (self.key(name).read_bytes(), self.pem(name).read_bytes()) if name else (None, None)
        return grpc.ssl_channel_credentials(self.pem("ca").read_bytes(), *own)
