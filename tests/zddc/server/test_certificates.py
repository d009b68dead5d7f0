import ssl

from zddc.server.certificates import make_certificate


def test_a_certificate_fits_its_key_and_names_the_host(tmp_path):
    certificate, key, fingerprint = make_certificate(tmp_path, "::1")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    names = ssl._ssl._test_decode_cert(certificate)["subjectAltName"]
    assert names == (("DNS", "localhost"), ("IP Address", "0:0:0:0:0:0:0:1"))
    assert len(fingerprint) == 32 * 3 - 1
    assert key.stat().st_mode & 0o077 == 0
