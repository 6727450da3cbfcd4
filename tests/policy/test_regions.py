"""Only the account's own region is dialled, and a region is no calling code."""

import pytest

from tests.policy.asking import judged


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+15551234567", "US"),  # claimed by no region, with the account's calling code
        ("+15551234567", "CA"),
        ("+12125550123", "US"),
        ("+14165551234", "CA"),
        ("+14161550000", "CA"),
        ("+18005551234", "US"),
        ("+18005551234", "CA"),  # freephone belongs to the whole numbering plan
        ("+18765551234", "JM"),
        ("+442079460018", "GB"),
        ("+441481256789", "GG"),
        ("+390612345678", "IT"),
        ("+447400123456", "GB"),  # shares its calling code, and is claimed
        ("+79161234567", "RU"),
        ("+61491570156", "AU"),
        ("+353300000000", "IE"),  # in no plan, and Ireland has its calling code alone
    ],
)
def test_the_own_region_is_dialled(number: str, region: str) -> None:
    assert judged(number, region).rule == "home_region"


@pytest.mark.parametrize(
    ("number", "region", "rule"),
    [
        ("+442079460018", "US", "other_region"),
        ("+12125550123", "GB", "other_region"),
        ("+18765551234", "US", "other_region"),  # Jamaica, under +1
        ("+18761551234", "US", "other_region"),
        ("+12425551234", "US", "other_region"),  # the Bahamas
        ("+14165551234", "US", "other_region"),  # Toronto
        ("+14161550000", "US", "other_region"),  # an area code of Toronto before an exchange that nobody has
        ("+441481256789", "GB", "other_region"),  # Guernsey, under +44
        ("+77011234567", "RU", "other_region"),  # Kazakhstan, under +7
        ("+15551234567", "GB", "unknown_region"),
        # Claimed by nobody, under a calling code that several regions share:
        ("+441481000000", "GB", "unknown_region"),  # Guernsey's area code
        ("+76001234567", "RU", "unknown_region"),  # 6 and 7 are Kazakhstan's
        ("+618916210000", "AU", "unknown_region"),  # the Cocos Islands' area code
        ("+12005550100", "US", "unknown_region"),  # an area code that nobody has yet
        ("+881612345678", "US", "worldwide_service"),
        ("+88216123456", "US", "worldwide_service"),
        ("+979123456789", "US", "worldwide_service"),
        ("+80012345678", "US", "worldwide_service"),
        ("+870773111632", "US", "worldwide_service"),
    ],
)
def test_every_other_region_is_refused(number: str, region: str, rule: str) -> None:
    assert judged(number, region).rule == rule
