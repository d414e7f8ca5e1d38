"""What a handshake needs is made once: it must not be spent out of each probe's timeout."""

import pytest

from redis_connectivity.probes.codes import FailureCode
from redis_connectivity.probes.model import TlsOptions
from redis_connectivity.probes.reach import CheckFailed
from redis_connectivity.probes.secure import context_for
from redis_connectivity_lab.certificates import Authority


def test_the_same_options_have_the_same_context_and_others_another() -> None:
    authority = Authority("a CA").pem
    assert context_for(TlsOptions(ca_certificates=authority)) is context_for(TlsOptions(ca_certificates=authority))
    assert context_for(TlsOptions()) is context_for(TlsOptions())
    lenient = context_for(TlsOptions(ca_certificates=authority, verify_name=False))
    strict = context_for(TlsOptions(ca_certificates=authority))
    assert (lenient.check_hostname, strict.check_hostname) == (False, True)
    assert len(strict.get_ca_certs()) == 1


def test_what_cannot_be_read_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(CheckFailed) as told:
            context_for(TlsOptions(ca_certificates="no PEM"))
        assert told.value.code is FailureCode.CERTIFICATE_UNTRUSTED
