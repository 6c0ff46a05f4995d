"""The members' page in a real Chromium: who is here, what is asked before an act, and what is said after it."""

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from livemon.texts import TEXTS, say
from tests.components.admission import CHROME_ON_ANDROID, DAY, NOW, Office, invitation, member, opened, session
from tests.components.conftest import DESKTOP, Server, Stage, staged

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADA = member("u-ada", "Ada", "admin", session("s-ada", this=True), session("s-tab", device=CHROME_ON_ANDROID), you=True)
BO = member("u-bo", "Bo", "developer", session("s-bo"))
LAST = "Ada is the last Admin. Make somebody else an Admin first."


def row(page: Page, user_id: str) -> Locator:
    return page.locator(f'[data-testid=member][data-user-id="{user_id}"]')


async def members(stage: Stage, *people: dict, **lists: list) -> Office:
    office = await opened(stage, "members", members=list(people) or [dict(ADA), dict(BO)], **lists)
    await expect(stage.page.get_by_test_id("member").first).to_be_visible()
    return office


async def test_it_says_who_is_here_how_they_sign_in_and_on_which_devices(stage: Stage) -> None:
    mo = member("u-mo", "Mo", "member", by="Company", email="mo@example.com", last_seen=None)
    await members(stage, ADA, mo)
    page = stage.page
    await expect(page.get_by_test_id("members-summary")).to_have_text("2 people · 1 signed in")
    for words in ("mo@example.com", "Signs in with Company", "never seen", "Not signed in anywhere"):
        await expect(row(page, "u-mo")).to_contain_text(words)
    await expect(row(page, "u-ada")).to_contain_text("Signs in by a link")
    await expect(row(page, "u-ada")).to_contain_text("last seen 5 minutes ago")
    first, second = (
        row(page, "u-ada").get_by_test_id("session").all,
        row(page, "u-ada").get_by_test_id("session").nth(1),
    )
    assert len(await first()) == 2
    await expect(row(page, "u-ada").locator("[data-testid=session][data-this]")).to_contain_text("Firefox on Linux")
    await expect(second).to_contain_text("Chrome on Android")
    await expect(second).to_contain_text("192.0.2.7")
    await expect(second).to_contain_text("last used 5 minutes ago")
    await expect(page.locator("[data-testid=session-end][data-this]")).to_have_count(1)


async def test_what_people_call_themselves_is_text(stage: Stage) -> None:
    name = "<img src=x onerror=alert(1)>"
    await members(
        stage, member("u-1", name, "member", session("s-1", device=name)), invitations=[invitation("i", name)]
    )
    await expect(row(stage.page, "u-1")).to_contain_text(name)
    await expect(stage.page.locator("img")).to_have_count(0)


async def test_a_role_that_a_provider_decides_cannot_be_chosen_and_says_why(stage: Stage) -> None:
    await members(stage, member("u-1", "Cleo", by="Company", role_by="Company"), member("u-2", "Dan", by="Company"))
    choice = row(stage.page, "u-1").get_by_test_id("member-role")
    await expect(choice).to_be_disabled()
    await expect(choice).to_have_accessible_description(say("member.role.by", by="Company"))
    await expect(row(stage.page, "u-2").get_by_test_id("member-role")).to_be_enabled()


async def test_who_signs_in_at_a_provider_gets_no_sign_in_link(stage: Stage) -> None:
    await members(stage, BO, member("u-2", "Dan", by="Company"))
    await expect(row(stage.page, "u-bo").get_by_test_id("member-link")).to_be_visible()
    await expect(row(stage.page, "u-2").get_by_test_id("member-link")).to_have_count(0)


async def test_a_role_is_given_once_it_is_confirmed_and_everything_is_off_until_the_outcome_is_known(
    stage: Stage,
) -> None:
    office = await members(stage)
    page, bo = stage.page, row(stage.page, "u-bo")
    office.may_answer.clear()
    await bo.get_by_test_id("member-role").select_option("member")
    assert office.acts == []
    await page.get_by_test_id("member-role-confirm").click()
    for what in ("member-role", "member-remove", "member-link", "session-end"):
        await expect(bo.get_by_test_id(what)).to_be_disabled()
    await expect(bo.get_by_test_id("member-role")).to_have_value("member")
    await expect(row(page, "u-ada").get_by_test_id("member-remove")).to_be_enabled()
    office.member("u-bo")["role"] = "member"
    office.may_answer.set()
    await expect(bo).to_have_attribute("data-role", "member")
    await expect(bo.get_by_test_id("member-role")).to_be_enabled()
    await expect(page.get_by_test_id("members-said")).to_have_text("Bo has the role Member now.")
    assert office.acts == [("/members/u-bo/role", {"role": "member"})]


async def test_a_choice_that_is_taken_back_changes_nothing(stage: Stage) -> None:
    office = await members(stage)
    choice = row(stage.page, "u-bo").get_by_test_id("member-role")
    await choice.focus()
    await choice.select_option("admin")
    await stage.page.keyboard.press("Escape")
    await expect(stage.page.get_by_test_id("member-role-dialog")).to_be_hidden()
    await expect(choice).to_have_value("developer")
    await expect(choice).to_be_focused()
    assert office.acts == []


async def test_less_than_before_says_what_becomes_of_a_call_and_more_does_not(stage: Stage) -> None:
    await members(stage)
    page = stage.page
    dialog = page.get_by_test_id("member-role-dialog")
    await row(page, "u-bo").get_by_test_id("member-role").select_option("member")
    await expect(dialog).to_contain_text("the caller is not cut off")
    await expect(dialog).to_contain_text("every Admin is alerted")
    await page.get_by_test_id("member-role-cancel").press("Enter")  # two clicks at once are taken for one
    await row(page, "u-bo").get_by_test_id("member-role").select_option("admin")
    await expect(dialog).to_contain_text("decides who may enter")
    await expect(dialog).not_to_contain_text("caller")
    await page.get_by_test_id("member-role-cancel").press("Enter")
    await row(page, "u-ada").get_by_test_id("member-role").select_option("developer")
    await expect(dialog).to_contain_text(TEXTS["member.role.you"])


@pytest.mark.parametrize("act", ["role", "remove"])
async def test_the_last_admin_is_told_at_the_row_that_it_was_not_done_and_why(stage: Stage, act: str) -> None:
    office = await members(stage)
    office.refuse(f"/members/u-ada/{act}", "last_admin", LAST)
    ada = row(stage.page, "u-ada")
    if act == "role":
        await ada.get_by_test_id("member-role").select_option("member")
    else:
        await ada.get_by_test_id("member-remove").click()
    await stage.page.get_by_test_id(f"member-{act}-confirm").click()
    await expect(ada.get_by_test_id("member-problem")).to_contain_text(LAST)
    failed = say("member.role.failed", name="Ada", role="Admin") if act == "role" else "Ada was not removed"
    await expect(ada.get_by_test_id("member-problem")).to_contain_text(failed)
    await expect(ada.get_by_test_id("member-role")).to_have_value("admin")
    await expect(ada.get_by_test_id("member-role")).to_be_enabled()
    await expect(row(stage.page, "u-bo").get_by_test_id("member-problem")).to_have_count(0)


async def test_who_is_removed_goes_from_the_list_and_the_focus_is_not_lost(stage: Stage) -> None:
    office = await members(stage)
    page = stage.page
    await row(page, "u-bo").get_by_test_id("member-remove").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("member-remove-dialog")).to_contain_text("signed out everywhere")
    await expect(page.get_by_test_id("member-remove-cancel")).to_be_focused()
    await page.get_by_test_id("member-remove-confirm").focus()
    office.members = office.members[:1]
    await page.keyboard.press("Enter")
    await expect(row(page, "u-bo")).to_have_count(0)
    await expect(page.get_by_test_id("members-said")).to_have_text("Bo is not a member any more.")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert office.acts == [("/members/u-bo/remove", {})]


async def test_a_session_is_ended_and_one_reads_which_and_whether_it_is_ones_own(stage: Stage) -> None:
    office = await members(stage)
    page, dialog = stage.page, stage.page.get_by_test_id("session-end-dialog")
    await page.locator("[data-testid=session-end][data-this]").click()
    await expect(dialog).to_contain_text(TEXTS["session.end.this"])
    await page.get_by_test_id("session-end-cancel").click()
    await row(page, "u-ada").get_by_test_id("session-end").nth(1).click()
    await expect(dialog).to_contain_text("Chrome on Android")
    await expect(dialog).to_contain_text("Other sessions go on, and Ada may sign in again")
    await expect(dialog).to_contain_text("the caller hears nobody until somebody rescues the call")
    office.member("u-ada")["sessions"] = ADA["sessions"][:1]
    await page.get_by_test_id("session-end-confirm").click()
    await expect(row(page, "u-ada").get_by_test_id("session")).to_have_count(1)
    assert office.acts == [("/members/sessions/s-tab/end", {})]


async def test_no_answer_is_not_taken_for_a_no(stage: Stage) -> None:
    """The list is what says then whether it was done."""
    office = await members(stage)
    page = stage.page
    office.away = True
    await row(page, "u-bo").get_by_test_id("member-remove").click()
    await page.get_by_test_id("member-remove-confirm").click()
    await expect(row(page, "u-bo").get_by_test_id("member-problem")).to_contain_text(TEXTS["act.unknown"])
    await expect(page.get_by_test_id("members-error")).to_contain_text(TEXTS["members.unreachable"])
    await expect(page.get_by_test_id("members-error")).to_contain_text("What you see is from")
    office.away, office.members = False, office.members[:1]
    await page.get_by_test_id("members-reload").click()
    await expect(page.get_by_test_id("members-error")).to_have_count(0)
    await expect(row(page, "u-bo")).to_have_count(0)
    await expect(page.get_by_test_id("members-problem")).to_contain_text(TEXTS["act.unknown"])


async def test_the_list_that_cannot_be_read_at_all_says_so(stage: Stage) -> None:
    office = Office(stage.page)
    office.away = True
    await office.open()
    await stage.mount("members")
    await expect(stage.page.get_by_test_id("members-error")).to_contain_text(TEXTS["members.failed"])
    await expect(stage.page.get_by_test_id("members-error")).not_to_contain_text("from")
    office.away, office.members = False, [ADA]
    await stage.page.get_by_test_id("members-reload").click()
    await expect(row(stage.page, "u-ada")).to_be_visible()


async def test_a_sign_in_link_is_shown_this_once_and_copied(stage: Stage) -> None:
    office = await members(stage)
    page = stage.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link = {"url": "https://here.example/sign-in#token=abc", "expires_at": NOW}
    office.answers["/members/u-bo/link"] = (200, link)
    await row(page, "u-bo").get_by_test_id("member-link").click()
    await expect(page.get_by_test_id("member-link-shown")).to_have_text(link["url"])
    await expect(page.get_by_test_id("member-link-shown-dialog")).to_contain_text("will not be shown again")
    await page.get_by_test_id("member-link-shown-copy").click()
    await expect(page.get_by_test_id("member-link-shown-copy")).to_have_text(TEXTS["copied"])
    assert await page.evaluate("navigator.clipboard.readText()") == link["url"]
    await page.get_by_test_id("member-link-shown-submit").click()
    await expect(page.get_by_test_id("member-link-shown")).to_have_count(0)
    await expect(row(page, "u-bo").get_by_test_id("member-link")).to_be_focused()


async def test_without_a_clipboard_it_is_selected_to_be_copied_by_hand(stage: Stage) -> None:
    office = await members(stage)
    page = stage.page
    await page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    office.answers["/members/u-bo/link"] = (200, {"url": "https://here.example/sign-in#token=abc", "expires_at": NOW})
    await row(page, "u-bo").get_by_test_id("member-link").click()
    await page.get_by_test_id("member-link-shown-copy").click()
    await expect(page.get_by_test_id("member-link-shown-dialog")).to_contain_text(TEXTS["secret.by_hand"])
    assert await page.evaluate("getSelection().toString()") == "https://here.example/sign-in#token=abc"


async def test_an_invitation_gives_a_link_once_and_is_then_open(stage: Stage) -> None:
    office = await members(stage)
    page = stage.page
    office.answers["/invitations"] = (200, {"id": "i", "url": "https://here.example/join#token=abc", "expires_at": NOW})
    await page.get_by_test_id("invite").click()
    await expect(page.get_by_test_id("invite-name")).to_be_focused()
    await page.get_by_test_id("invite-submit").click()
    assert office.acts == [], "nobody is invited without a name"
    await page.get_by_test_id("invite-name").fill("  Sam ")
    await page.get_by_test_id("invite-role").select_option("member")
    await expect(page.get_by_test_id("invite-dialog")).to_contain_text(TEXTS["member.role.member"])
    office.invitations = [invitation("i", "Sam", "member")]
    office.may_answer.clear()
    await page.get_by_test_id("invite-submit").click()
    await expect(page.get_by_test_id("invite-submit")).to_be_disabled()
    for _ in range(2):  # a browser closes a dialog at the second one, whatever the page says
        await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("invite-dialog")).to_be_visible()
    office.may_answer.set()
    await expect(page.get_by_test_id("invite-link")).to_have_text("https://here.example/join#token=abc")
    await expect(page.get_by_test_id("invite-dialog")).to_be_hidden()
    assert office.acts == [("/invitations", {"name": "Sam", "role": "member"})]
    await page.get_by_test_id("invite-link-submit").click()
    await expect(page.get_by_test_id("invitation")).to_contain_text("Member · invited by Ada · expires in 6 days")
    await page.get_by_test_id("invite").click()
    await expect(page.get_by_test_id("invite-name")).to_have_value("")


async def test_an_invitation_made_just_now_says_its_seven_days(stage: Stage) -> None:
    made = [invitation("i1", "Sam", expires_at=NOW + 7 * DAY - 900), invitation("i2", "Jo", expires_at=NOW + 90_000)]
    await members(stage, invitations=made)
    await expect(stage.page.get_by_test_id("invitation").first).to_contain_text("expires in 7 days")
    await expect(stage.page.get_by_test_id("invitation").last).to_contain_text("expires in 2 minutes")


async def test_an_invitation_that_was_refused_keeps_what_was_filled_in_and_says_why(stage: Stage) -> None:
    office = await members(stage)
    page = stage.page
    office.refuse("/invitations", "not_recorded", "The audit log takes no entry, so nobody was invited.", 503)
    await page.get_by_test_id("invite").click()
    await page.get_by_test_id("invite-name").fill("Sam")
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("invite-problem")).to_contain_text("There is no invitation for Sam")
    await expect(page.get_by_test_id("invite-problem")).to_contain_text("The audit log takes no entry")
    await expect(page.get_by_test_id("invite-name")).to_have_value("Sam")
    await expect(page.get_by_test_id("invite-submit")).to_be_enabled()
    await page.get_by_test_id("invite-cancel").click()
    await page.get_by_test_id("invite").click()
    await expect(page.get_by_test_id("invite-problem")).to_have_count(0)


async def test_an_open_invitation_is_revoked(stage: Stage) -> None:
    office = await members(stage, ADA, invitations=[invitation("i1", "Sam"), invitation("i2", "")])
    page = stage.page
    one = page.locator("[data-invitation-id=i1]")
    office.refuse("/invitations/i1/revoke", "store_away", "The database does not answer.", 503)
    await one.get_by_test_id("invitation-revoke").click()
    await page.get_by_test_id("invitation-revoke-confirm").click()
    await expect(one.get_by_test_id("invitation-problem")).to_contain_text("The database does not answer.")
    office.answers.clear()
    office.invitations = office.invitations[1:]
    await one.get_by_test_id("invitation-revoke").click()
    await page.get_by_test_id("invitation-revoke-confirm").click()
    await expect(page.get_by_test_id("invitation")).to_have_count(1)
    assert [path for path, _ in office.acts] == ["/invitations/i1/revoke"] * 2


async def test_it_is_read_anew_every_ten_seconds_while_one_looks_at_it(
    drawer_server: Server, drawer_browser: Browser
) -> None:
    context = await drawer_browser.new_context(**DESKTOP)  # its clock is this test's own
    async with staged(drawer_server, context) as stage:
        page = stage.page
        await page.clock.install()
        office = await members(stage)
        office.members.append(member("u-new", "New"))
        await page.clock.fast_forward(10_000)
        await expect(row(page, "u-new")).to_be_visible()
        read = office.read
        await look_away(page, away=True)
        await page.clock.fast_forward(60_000)
        office.members.pop()
        await look_away(page, away=False)
        await expect(row(page, "u-new")).to_have_count(0)
        assert office.read == read + 1
    await context.close()


async def look_away(page: Page, *, away: bool) -> None:
    state = "hidden" if away else "visible"
    await page.evaluate(
        """(state) => {
          Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


async def test_an_answer_from_before_a_change_does_not_bring_back_what_was_before(stage: Stage) -> None:
    """What is asked for after the change overtakes it, however late it comes."""
    await stage.page.evaluate(
        """async () => {
          const { Watched } = await import("/assets/watched.js");
          const answers = [];
          window.fetch = () => new Promise((answer) => answers.push((now) => answer(new Response(JSON.stringify({ now })))));
          window.book = new Watched("/members/all");
          window.book.open();
          window.done = window.book.load();
          answers[1](2);
          await window.done;
          answers[0](1);
          await new Promise((later) => setTimeout(later));
          window.book.close();
        }"""
    )
    assert await stage.page.evaluate("window.book.data.now") == 2
