"""The initial world of a sandbox. All values are fixed, so that scripts can use them."""

from __future__ import annotations

from sandbox.world import Account, App, Customer, Page, Token, User, World

APP_ID = "1234567890123456"
APP_SECRET = "5a9db0c05a9db0c05a9db0c05a9db0c0"  # noqa: S105 - guards nothing but this stand-in
SECOND_APP_ID = "6543210987654321"
SECOND_APP_SECRET = "5a9db0c15a9db0c15a9db0c15a9db0c1"  # noqa: S105 - nor does this
OTHER_APP_ID = "263902037430900"
"""Meta's own app that may control a thread: the Page inbox."""
USER_ID = "10200000000000001"

SCOPES_F = [
    "instagram_basic",
    "instagram_manage_messages",
    "instagram_manage_comments",
    "pages_manage_metadata",
    "pages_show_list",
    "pages_read_engagement",
    "pages_messaging",
    "business_management",
]
SCOPES_I = [
    "instagram_business_basic",
    "instagram_business_manage_messages",
    "instagram_business_manage_comments",
]
HOUR = 3600.0
DAY = 24 * HOUR

_PAGES = [
    ("100000000000001", "Sample Pottery", "17841400000000001", "sample.pottery", "Pottery", APP_ID),
    ("100000000000002", "Sample Studio", "17841400000000002", "sample.studio", "Studio", APP_ID),
    ("100000000000003", "Sample Cafe", "17841400000000003", "sample.cafe", "Cafe", SECOND_APP_ID),
    ("100000000000004", "Sample Unlinked", None, None, "Unlinked", APP_ID),
]
_CUSTOMERS = [
    ("1026000000000001", "17841400000000001", "Ana Q.", "ana.sample", 1234),
    ("1026000000000002", "17841400000000001", "Kit L.", "kit.makes.sample", 86),
    ("1026000000000003", "17841400000000001", "Rosa S.", "rosa.sample", 402),
    ("1026000000000004", "17841400000000001", "Gil F.", "gil.sample", 77),
    ("1026000000000011", "17841400000000002", "Ana Q.", "ana.sample", 1234),
    ("1026000000000021", "17841400000000003", "Kit L.", "kit.makes.sample", 86),
]


def plant(world: World, now: float) -> None:
    """Fill an empty world with the default one."""
    world.apps[APP_ID] = App(APP_ID, APP_SECRET, "Sample Desk")
    world.apps[SECOND_APP_ID] = App(SECOND_APP_ID, SECOND_APP_SECRET, "Sample Other Desk")
    world.users[USER_ID] = User(USER_ID, "Sample Owner")
    for number, (page_id, name, igid, username, short, app_id) in enumerate(_PAGES, 1):
        world.pages[page_id] = Page(page_id, name, USER_ID, igid)
        if igid and username:
            world.accounts[igid] = Account(
                igid=igid,
                username=username,
                name=name,
                scoped_id=f"2700000000000000{number}",
                page_id=page_id,
                human_agent=number == 1,
                followers_count=1000 * number,
            )
        _page_tokens(world, now, world.pages[page_id], short, app_id)
    for igsid, igid, name, username, followers in _CUSTOMERS:
        world.customers[igsid] = Customer(igsid, igid, name, username, followers)
    owner = _add(world, now, "user-long", f"EAASANDBOXOwnerLong{'0' * 21}", expires=60 * DAY)
    owner.page_ids = [page_id for page_id, *_, app_id in _PAGES if app_id == APP_ID]


def _page_tokens(world: World, now: float, page: Page, short: str, app_id: str) -> None:
    word = short.lower()
    for life, expires in (("Long", 0.0), ("Short", HOUR), ("Expired", -DAY)):
        token = _add(
            world,
            now,
            f"{word}-{life.lower()}",
            f"EAASANDBOX{short}{life}{page.id}",
            expires=expires,
            app_id=app_id,
            kind="PAGE",
        )
        token.page_id, token.igid = page.id, page.igid
    if page.igid:
        token = _add(
            world,
            now,
            f"{word}-instagram",
            f"IGAASANDBOX{short}Long{page.igid}",
            expires=60 * DAY,
            app_id=app_id,
            kind="IG_USER",
        )
        token.igid = page.igid


def _add(
    world: World,
    now: float,
    token_id: str,
    value: str,
    *,
    expires: float,
    app_id: str = APP_ID,
    kind: str = "USER",
) -> Token:
    token = world.tokens[value] = Token(
        id=token_id,
        value=value,
        type=kind,
        app_id=app_id,
        user_id=USER_ID,
        scopes=list(SCOPES_I if kind == "IG_USER" else SCOPES_F),
        issued_at=now - 2 * DAY,
        expires_at=now + expires if expires else 0.0,
        data_access_expires_at=now + 90 * DAY,
    )
    return token
