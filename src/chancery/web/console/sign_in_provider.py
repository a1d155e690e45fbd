"""Signing in through an OpenID provider: the way there, and the way back.

Both are GET: a provider sends browsers back by a link, and under our policy a
form may not lead to another site.  What protects them is the flow on record,
which only the browser that began it can finish (``services.identity.providers``).
"""

from urllib.parse import quote

from starlette.responses import Response

from chancery.domain.directory import Purpose
from chancery.domain.errors import BadRequest, CAError
from chancery.domain.identity import Permission
from chancery.domain.web_session import Proof
from chancery.services.identity.providers import FLOW_S, Finished
from chancery.services.identity.sessions import Opened
from chancery.web import cookies
from chancery.web.pages import Pages
from chancery.web.visit import Visit, is_local, next_of

pages = Pages("/console/sign-in/provider", section="sign-in")


@pages.get("/{name}", Permission.PUBLIC)
def there(visit: Visit) -> Response:
    """Send the browser to the provider; ``for`` says why, ``next`` where to go on afterwards."""
    purpose = _purpose(visit)
    onward = next_of(visit.query)
    signed_in = visit.session is not None and visit.session.open
    if purpose is Purpose.SIGN_IN and signed_in:
        return visit.redirect(onward)
    if purpose is not Purpose.SIGN_IN and not signed_in:
        return visit.redirect(f"/console/sign-in?next={quote(onward, safe='')}")
    begun = visit.services.identity.providers.begin(visit.path["name"], onward, purpose)
    visit.set_cookies.append(cookies.header(cookies.FLOW, begun.handle, lasts_s=FLOW_S))
    return visit.leave(begun.url)


@pages.get("/{name}/return", Permission.PUBLIC)
def back(visit: Visit) -> Response:
    """Take the provider's answer; no code and no state stay in the address."""
    handle = visit.cookie(cookies.FLOW)
    visit.set_cookies.append(cookies.header(cookies.FLOW, "", lasts_s=0))
    try:
        finished = visit.services.identity.providers.finish(
            visit.path["name"], handle, _parameters(visit), visit.origin
        )
        opened = _opened(visit, finished)
    except CAError as error:
        return visit.redirect("/console/sign-in", f"{str(error).capitalize()}.", "danger")
    visit.keep_session(opened.cookie)
    return visit.redirect(finished.return_to if is_local(finished.return_to) else "/console")


@pages.get("/{name}/end", Permission.PUBLIC)
def end(visit: Visit) -> Response:
    """Sign out at the provider as well; it asks whether that is meant."""
    url = visit.services.identity.providers.end_session_url(visit.path["name"])
    return visit.leave(url) if url else visit.redirect("/console/sign-in")


def _opened(visit: Visit, finished: Finished) -> Opened:
    sessions, account = visit.services.identity.sessions, finished.account
    match finished.purpose:
        case Purpose.SIGN_IN:
            return sessions.by_provider(account, visit.origin, visit.agent)
        case Purpose.STEP_UP:
            return sessions.step_up_proven(visit.session_cookie, Proof.PROVIDER, account)
        case Purpose.JOIN:
            return sessions.join_proven(visit.session_cookie, account, Proof.PROVIDER, visit.origin)


def _parameters(visit: Visit) -> dict[str, str]:
    """Each parameter once (RFC 6749 §3.1)."""
    pairs = visit.query.pairs()
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest("the provider's answer says something twice", field="query")
    return found


def _purpose(visit: Visit) -> Purpose:
    try:
        return Purpose(visit.query.text("for") or Purpose.SIGN_IN)
    except ValueError:
        raise BadRequest("there is no such reason to go there", field="for") from None
