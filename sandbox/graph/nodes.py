"""Reading the Page, the account, the token, and the subscribed apps (M3, M17, M31, M34)."""

from __future__ import annotations

from typing import Any

from sandbox import ids
from sandbox.errors import GraphError, missing_object
from sandbox.graph import comments, fields
from sandbox.graph.call import Call, token_problem
from sandbox.graph.paging import paged
from sandbox.world import INSTAGRAM_FIELDS, Account, Flavour, Json, Page, Token

PAGE_FIELDS = (
    "feed",
    "mention",
    "name",
    "picture",
    "category",
    "description",
    "conversations",
    "inbox_labels",
    "standby",
    "messages",
    "message_reactions",
    "messaging_account_linking",
    "message_echoes",
    "message_deliveries",
    "message_edits",
    "messaging_optins",
    "messaging_postbacks",
    "message_reads",
    "messaging_referrals",
    "messaging_handovers",
    "messaging_policy_enforcement",
    "leadgen",
    "live_videos",
    "ratings",
    "videos",
)


PRODUCTS = {"4381572605000001": ("Blue mug, 0.3 l", "24.00 EUR")}
"""Products of the shop's catalogue: name and price."""
LONGER_THAN_A_DAY = 24 * 3600.0


def read_product(call: Call) -> Json:
    """Return a product of the catalogue, if the token may read it."""
    call.need("catalog_management")
    name, price = PRODUCTS[call.node]
    node = {
        "id": call.node,
        "name": name,
        "price": price,
        "image_url": f"{call.box.media.base_url}/media/profile/{next(iter(call.box.world.customers))}.png",
    }
    return fields.select(node, fields.parse(call.text("fields", "name")), "ProductItem")


def page_node(call: Call, page: Page) -> Json:
    """Return all readable fields of a Page."""
    account = call.box.world.accounts.get(page.igid or "")
    if account is not None and not account.is_professional:
        account = None  # this API does not return personal accounts
    return {
        "id": page.id,
        "name": page.name,
        "category": page.category,
        "tasks": page.tasks,
        "link": f"https://www.facebook.com/{page.id}",
        "instagram_business_account": _linked(account),
        "access_token": lambda _: _page_token(call, page),
    }


def _linked(account: Account | None) -> Any:
    if account is None:
        return None
    node = account_node(account)
    return lambda item: fields.select(node, item.inner, "IGUser")


def _page_token(call: Call, page: Page) -> str | None:
    """Return the Page token for a user token: permanent for a long-lived one, else short-lived (M21, M31)."""
    user = call.token
    assert user is not None
    if user.type != "USER":
        return user.value if user.page_id == page.id else None
    lasting = user.expires_at - user.issued_at > LONGER_THAN_A_DAY
    for token in call.box.world.tokens.values():
        ours = (token.page_id, token.app_id, token.user_id) == (page.id, user.app_id, user.user_id)
        alike = token.scopes == user.scopes and (token.expires_at == 0) == lasting
        if ours and alike and token_problem(call.box, token) is None:
            return token.value
    value = ids.token_value("EAA")
    call.box.world.tokens[value] = Token(
        id=f"{user.id}-page-{page.id}",
        value=value,
        type="PAGE",
        app_id=user.app_id,
        user_id=user.user_id,
        scopes=list(user.scopes),
        page_id=page.id,
        igid=page.igid,
        issued_at=call.box.clock.now(),
        expires_at=0.0 if lasting else user.expires_at,
        data_access_expires_at=user.data_access_expires_at,
    )
    return value


def account_node(account: Account) -> Json:
    """Return all readable fields of an account on road F."""
    return {
        "id": account.igid,
        "username": account.username,
        "name": account.name,
        "followers_count": account.followers_count,
        "profile_picture_url": None,
        "account_type": account.account_type,
    }


def read_me(call: Call) -> Json:
    """``GET /me``: the Page, the user or the Instagram account behind the token."""
    token = call.token
    assert token is not None
    if call.flavour is Flavour.I:
        return _read_instagram_me(call)
    if token.type == "PAGE" and token.page_id:
        return _read_page(call, call.box.world.pages[token.page_id])
    if token.type != "USER":
        raise GraphError(
            2500, None, "An active access token must be used to query information about the current user."
        )
    user = call.box.world.users[token.user_id]
    node = {"id": user.id, "name": user.name, "accounts": lambda _: read_accounts(call)}
    return fields.select(node, fields.parse(call.text("fields", "name,id")), "User")


def _read_instagram_me(call: Call) -> Json:
    """Return ``id``, the app-scoped id, and ``user_id``, the IGID used in webhooks (M34)."""
    call.need("instagram_basic", "instagram_business_basic")
    account = call.account()
    node = account_node(account) | {
        "id": account.scoped_id,
        "user_id": account.igid,
        "follows_count": 0,
        "media_count": 0,
        **comments.mentioned(call, account),
    }
    found = fields.select(node, fields.parse(call.text("fields", "id")), "IGUser")
    return {"data": [found]} if call.box.settings.wrap_logins else found


def _read_page(call: Call, page: Page) -> Json:
    wanted = fields.parse(call.text("fields", "name,id"))
    return fields.select(page_node(call, page), wanted, "Page")


def read_page(call: Call) -> Json:
    """``GET /{page-id}``, with the Page's token or its owner's."""
    page, token = call.box.world.pages[call.node], call.token
    assert token is not None
    if token.page_id != page.id and not (token.type == "USER" and token.user_id == page.user_id):
        raise missing_object(call.node)
    return _read_page(call, page)


def read_account(call: Call) -> Json:
    """``GET /{igid}``."""
    account, token = call.box.world.accounts[call.node], call.token
    assert token is not None
    page = call.box.world.pages.get(account.page_id or "")
    owner = token.type == "USER" and page is not None and page.user_id == token.user_id
    if token.igid != account.igid and not owner:
        raise missing_object(call.node)
    if call.flavour is Flavour.I:
        return _read_instagram_me(call)
    call.need("instagram_basic")
    wanted = fields.parse(call.text("fields", "id"))
    return fields.select(account_node(account) | comments.mentioned(call, account), wanted, "IGUser")


def read_accounts(call: Call) -> Json:
    """``GET /me/accounts``: the Pages of a user, each with its token (M34)."""
    token = call.token
    assert token is not None
    if token.type != "USER":
        raise GraphError(100, None, "Tried accessing nonexisting field (accounts)")
    call.need("pages_show_list")
    wanted = fields.parse(call.text("fields", "access_token,category,name,id,tasks"))
    mine = [
        page
        for page in call.box.world.pages.values()
        if page.user_id == token.user_id and (token.page_ids is None or page.id in token.page_ids)
    ]
    return paged(call, [fields.select(page_node(call, page), wanted, "Page") for page in mine])


def subscribed_apps(call: Call) -> Json:
    """``GET``, ``POST`` and ``DELETE /{page or account}/subscribed_apps`` (M2, M3, M37)."""
    if call.flavour is Flavour.F:
        call.need("pages_manage_metadata")
        page = call.page()
        held = page.subscriptions
        known: tuple[str, ...] = PAGE_FIELDS
    else:
        call.need("instagram_basic", "instagram_business_basic")
        held, known = call.account().subscriptions, INSTAGRAM_FIELDS
    app = call.app()
    if call.method == "GET":
        return {"data": [_subscription(call, app_id, names) for app_id, names in held.items()]}
    if call.method == "DELETE":
        held.pop(app.id, None)
        return {"success": True}
    names = call.words("subscribed_fields")
    if not names:
        raise GraphError(100, None, "The parameter subscribed_fields is required")
    for index, name in enumerate(names):
        if name not in known:
            listed = ", ".join(known)
            raise GraphError(100, None, f"Param subscribed_fields[{index}] must be one of {{{listed}}}")
    held[app.id] = sorted(set(names))
    return {"success": True}


def _subscription(call: Call, app_id: str, names: list[str]) -> Json:
    return {
        "category": "Business",
        "link": "https://www.example.com/",
        "name": call.box.world.apps[app_id].name,
        "id": app_id,
        "subscribed_fields": names,
    }


def debug_token(call: Call) -> Json:
    """``GET /debug_token``: a token's data, requested by its app or with the token itself."""
    raw, asked = call.given_token(), call.text("input_token")
    asker = call.app_token(raw)
    token = call.box.world.tokens.get(asked)
    if asker is None:
        asker = call.box.world.tokens.get(raw)
        if asker is None:
            raise GraphError(190)
        problem = token_problem(call.box, asker)
        if problem is not None and raw != asked:
            raise problem
    call.token = asker
    if token is None:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    if token.app_id != asker.app_id:
        wording = "The App_id in the input_token did not match the Viewing App"
        raise GraphError(100, None, wording)
    return {"data": _worth(call, token)}


def _worth(call: Call, token: Token) -> Json:
    problem = token_problem(call.box, token)
    data: Json = {
        "app_id": token.app_id,
        "type": "USER" if token.type == "IG_USER" else token.type,
        "application": call.box.world.apps[token.app_id].name,
        "data_access_expires_at": int(token.data_access_expires_at),
        "expires_at": int(token.expires_at),
        "is_valid": problem is None,
        "issued_at": int(token.issued_at),
        "scopes": token.scopes,
        "user_id": token.igid if token.type == "IG_USER" else token.user_id,
    }
    if token.page_id:
        data["profile_id"] = token.page_id
    if token.waba_ids is not None:
        data["granular_scopes"] = [{"scope": name, "target_ids": token.waba_ids} for name in token.scopes]
    if problem is not None:
        data["error"] = {"code": 190, "message": problem.wording()}
        if problem.subcode is not None:
            data["error"]["subcode"] = problem.subcode
    return data
