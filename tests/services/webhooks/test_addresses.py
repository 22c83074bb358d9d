import pytest

from services.webhooks.addresses import is_allowed, is_public, parse_networks

PRIVATE = parse_networks("10.0.0.0/8, fd00::/8,127.0.0.1")


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_internet_addresses_are_public(address: str) -> None:
    assert is_public(address)
    assert is_allowed(address, networks=(), encrypted=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.9",
        "0.0.0.0",  # noqa: S104  # is not listened on
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # metadata of clouds
        "100.64.0.1",  # CGNAT
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "64:ff9b::7f00:1",  # NAT64
        "64:ff9b::5db8:d822",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",  # 6to4
        "2001:0:7f00:1::",  # Teredo
        "100::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
    ],
)
def test_all_other_addresses_are_not_public_and_not_allowed(address: str) -> None:
    assert not is_public(address)
    assert not is_allowed(address, networks=(), encrypted=True)


@pytest.mark.parametrize("address", ["10.9.8.7", "fd12::1", "127.0.0.1"])
@pytest.mark.parametrize("encrypted", [True, False])
def test_configured_networks_are_allowed_with_and_without_encryption(address: str, *, encrypted: bool) -> None:
    assert is_allowed(address, networks=PRIVATE, encrypted=encrypted)


@pytest.mark.parametrize("address", ["127.0.0.2", "192.168.1.1", "::1", "::ffff:10.9.8.7", "2002:a09:807::"])
def test_private_addresses_outside_configured_networks_are_not_allowed(address: str) -> None:
    assert not is_allowed(address, networks=PRIVATE, encrypted=True)


def test_public_addresses_need_encryption_even_if_configured() -> None:
    all_networks = parse_networks("0.0.0.0/0,::/0")
    assert not is_allowed("93.184.216.34", networks=all_networks, encrypted=False)
    assert is_allowed("10.0.0.1", networks=all_networks, encrypted=False)
