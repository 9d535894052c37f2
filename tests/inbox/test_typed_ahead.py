"""What is typed for a conversation on its way: the machine behind it, with a clock of its own and no page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import host
from host.inbox.pages.keys import KEYS

MODULE = Path(host.__file__).parent / "static" / "js" / "typed-ahead.js"
PACE_MS = 80
WORDS = "Yes, see you at eight. Thank you so much"

PLAYED = """
const { TypedAhead, below, opening, WAIT_MS, PAUSE_MS } = await import(process.argv[2]);
const done = [];
const timers = new Set();
const clock = {
  now: 0,
  to(at) {
    for (;;) {
      const [next] = [...timers].filter((one) => one.at <= at).sort((one, two) => one.at - two.at);
      if (!next) break;
      clock.now = next.at;
      timers.delete(next);
      next.run();
    }
    clock.now = at;
  },
};
const page = {
  drafts: {}, fields: new Set(["7 reply", "7 note", "7 private", "8 reply"]), focused: false, shown: null,
  begun: (id, mode) => page.drafts[`${id} ${mode}`] ?? "",
  show(writing, why) { page.shown = why; if (why === "coming") page.focused = true; },
  hide() { page.shown = null; page.focused = false; },
  isFocused: () => page.focused,
  keep({ id, mode, begun, text }) { page.drafts[`${id} ${mode}`] = below(begun, text); },
  save({ id, mode, begun, text }) {
    page.keep({ id, mode, begun, text });
    done.push(["save", id, mode, below(begun, text)]);
  },
  place({ id, mode, begun, text }, focus) {
    if (!page.fields.has(`${id} ${mode}`)) return false;
    done.push(["place", id, mode, below(begun, text), focus]);
    return true;
  },
};
const later = (run, ms) => {
  const one = { at: clock.now + ms, run };
  timers.add(one);
  return () => timers.delete(one);
};
const typed = new TypedAhead(page, { later, now: () => clock.now });
/** Press the keys of *text*, as the page would hand them out, and return what they ran. */
function press(text, commands, arrives = Infinity) {
  const ran = [];
  let box = "";
  for (const key of text) {
    if (clock.now < arrives && clock.now + pace >= arrives) {
      clock.to(arrives);
      typed.arrived(7);
    }
    clock.to(clock.now + pace);
    if (page.focused) {
      typed.typed(box += key);
      continue;
    }
    const command = commands[key];
    if (typed.stops(key, command ?? "") || !command) continue;
    if (["reply", "note", "private"].includes(command) && typed.write(command)) continue;
    ran.push(command);
  }
  return ran;
}
const { keys, pace, words, after } = JSON.parse(process.argv[3]);
"""


def play(script: str, **given: Any) -> Any:
    """Return what *script* puts into ``result``."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    values = {"keys": COMMANDS, "pace": PACE_MS, "words": WORDS, "after": 0, **given}
    program = f"{PLAYED}\nlet result;\n{script}\nconsole.log(JSON.stringify(result));process.exit(0)"
    done = subprocess.run(
        [node, "--input-type=module", "-e", program, "-", MODULE.as_uri(), json.dumps(values)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


COMMANDS = {key.key: key.command for _, keys in KEYS for key in keys if key.key}
GOES_ON = {"next", "previous", "open", "leave", "search", "keys"}
WRITES = {"reply", "note", "private"}


@pytest.mark.parametrize(
    ("mode", "after"), [("reply", 100), ("note", 500), ("private", 2000), ("reply", 9900)]
)
def test_what_is_typed_goes_into_the_field_in_order(mode: str, after: int) -> None:
    result = play(
        f"""
        typed.expect(7);
        typed.write("{mode}");
        let text = "";
        const at = [];
        for (const letter of words) {{
          clock.to(clock.now + pace);
          if (clock.now >= after && page.focused) typed.arrived(7);
          if (!page.focused) break;
          typed.typed(text += letter);
        }}
        clock.to(after);
        typed.arrived(7);
        result = {{ done, text, name: typed.state.name, free: typed.isFree, shown: page.shown }};
        """,
        after=after,
    )
    assert result["done"] == [["place", 7, mode, result["text"], True]]
    assert WORDS.startswith(result["text"])
    assert len(result["text"]) == min(len(WORDS), (after - 1) // PACE_MS)
    assert (result["name"], result["free"], result["shown"]) == ("rest", True, None)


def test_no_key_of_the_sheet_runs_until_the_conversation_is_there() -> None:
    result = play(
        """
        result = {};
        for (const [key, command] of Object.entries(keys)) {
          const one = new TypedAhead(page, { later, now: () => clock.now });
          one.expect(7);
          result[command] = one.stops(key, command);
        }
        """
    )
    assert {command for command, stops in result.items() if not stops} == GOES_ON | WRITES


@pytest.mark.parametrize(
    ("command", "after"), [("assign", 100), ("labels", 500), ("macros", 900), ("snooze", 2000)]
)
def test_words_meant_for_a_menu_are_no_commands_once_it_is_there(command: str, after: int) -> None:
    key = next(key for key, name in COMMANDS.items() if name == command)
    result = play(
        f"""
        typed.expect(7);
        const ran = press({key!r} + "refund for uma", keys, after);
        clock.to(Math.max(clock.now, after));
        typed.arrived(7);
        clock.to(clock.now + PAUSE_MS);
        result = {{ ran, done, later: press("e", keys) }};
        """,
        after=after,
    )
    assert result == {"ran": [], "done": [], "later": ["close"]}


def test_after_ten_seconds_it_is_a_draft_that_goes_on_being_typed() -> None:
    result = play(
        """
        typed.expect(7);
        typed.write("reply");
        typed.typed("Yes,");
        clock.to(WAIT_MS - 1);
        const before = page.shown;
        clock.to(WAIT_MS);
        const then = [page.shown, page.focused, [...done]];
        typed.typed("Yes, we");
        const draft = page.drafts["7 reply"];
        typed.arrived(7);
        result = { before, then, draft, done };
        """
    )
    assert result["before"] == "coming"
    assert result["then"] == ["kept", True, [["save", 7, "reply", "Yes,"]]]
    assert result["draft"] == "Yes, we"
    assert result["done"][-1] == ["place", 7, "reply", "Yes, we", True]


def test_escape_ends_the_wait_and_closes_the_box_the_second_time() -> None:
    result = play(
        """
        typed.expect(7);
        typed.write("note");
        typed.typed("Ask Uma");
        const first = [typed.leave(), page.shown, typed.stops("e", "close")];
        page.focused = false;
        const second = [typed.leave(), page.shown, typed.stops("e", "close")];
        typed.arrived(7);
        result = { first, second, drafts: page.drafts, done: done.map(([what]) => what), free: typed.isFree };
        """
    )
    assert result["first"] == [True, "kept", True]
    assert result["second"] == [False, None, True]
    assert result["drafts"] == {"7 note": "Ask Uma"}
    assert result["done"] == ["save", "save"]
    assert result["free"]


def test_a_draft_there_was_stays_and_is_written_on_below() -> None:
    result = play(
        """
        page.drafts["7 reply"] = "Hello,";
        typed.expect(7);
        typed.write("reply");
        typed.typed("Yes");
        typed.leave();
        typed.write("reply");
        typed.typed("Yes!");
        typed.arrived(7);
        result = done;
        """
    )
    assert result[-1] == ["place", 7, "reply", "Hello,\n\nYes!", True]


def test_what_is_typed_for_one_conversation_is_never_for_another() -> None:
    result = play(
        """
        typed.expect(7);
        typed.write("reply");
        typed.typed("Yes");
        typed.expect(8);
        typed.arrived(7);
        const still = typed.isFree;
        typed.arrived(8);
        result = { still, done, free: typed.isFree };
        """
    )
    assert result == {"still": False, "done": [["save", 7, "reply", "Yes"]], "free": True}


@pytest.mark.parametrize("typed_first", [True, False])
def test_a_burst_for_one_that_does_not_come_runs_nothing_on_the_one_that_stays(typed_first: bool) -> None:
    result = play(
        f"""
        typed.expect(7);
        if ({json.dumps(typed_first)}) {{ typed.write("reply"); typed.typed("Yes"); }}
        typed.failed(7);
        const focused = page.focused;
        const ran = focused ? [] : press("rYes, see you", keys);
        clock.to(clock.now + PAUSE_MS);
        page.focused = false;
        result = {{ focused, shown: page.shown, ran, done, later: press("e", keys) }};
        """
    )
    assert result["focused"] is typed_first
    assert result["shown"] == ("failed" if typed_first else None)
    assert result["done"] == ([["save", 7, "reply", "Yes"]] if typed_first else [])
    assert result["ran"] == []
    assert result["later"] == ["close"]


def test_a_character_that_is_put_together_is_finished_first() -> None:
    result = play(
        """
        typed.expect(7);
        typed.write("reply");
        typed.composes(true);
        typed.typed("に");
        typed.arrived(7);
        const meanwhile = [done.length, page.shown, typed.state.name];
        typed.typed("日");
        typed.composes(false);
        result = { meanwhile, done, name: typed.state.name };
        """
    )
    assert result["meanwhile"] == [0, "coming", "composing"]
    assert result["done"] == [["place", 7, "reply", "日", True]]
    assert result["name"] == "rest"


def test_where_there_is_no_field_for_it_the_text_stays_to_be_copied() -> None:
    result = play(
        """
        page.fields.clear();
        typed.expect(7);
        typed.write("reply");
        typed.typed("Yes");
        typed.arrived(7);
        result = { done, shown: page.shown, free: typed.isFree };
        """
    )
    assert result == {"done": [["save", 7, "reply", "Yes"]], "shown": "nowhere", "free": True}


def test_a_field_that_somebody_left_for_another_gets_the_text_without_the_focus() -> None:
    result = play(
        """
        typed.expect(7);
        typed.write("reply");
        typed.typed("Yes");
        page.focused = false;
        typed.arrived(7);
        result = done;
        """
    )
    assert result == [["place", 7, "reply", "Yes", False]]


def test_nothing_typed_leaves_no_draft_behind() -> None:
    result = play(
        """
        for (const end of [() => typed.leave(), () => typed.over(), () => typed.failed(7)]) {
          typed.expect(7);
          typed.write("reply");
          end();
        }
        result = { done, shown: page.shown, drafts: page.drafts };
        """
    )
    assert result == {"done": [], "shown": None, "drafts": {}}


def test_nothing_is_waited_for_where_nothing_is_on_its_way() -> None:
    result = play(
        """
        const free = typed.write("reply");
        typed.expect(null);
        result = [free, typed.write("reply"), typed.state.name, done];
        """
    )
    assert result == [False, True, "coming", []]


def test_no_key_runs_while_a_dialog_is_opening() -> None:
    result = play(
        """
        let there;
        opening(new Promise((resolve) => { there = resolve; }));
        const before = typed.stops("e", "close");
        there();
        await null; await null; await null;
        const then = typed.stops("e", "close");
        let fails;
        opening(new Promise((_, reject) => { fails = reject; })).catch(() => {});
        fails();
        await null; await null; await null;
        result = [before, then, typed.stops("e", "close")];
        """
    )
    assert result == [True, False, False]


def test_letters_that_began_before_the_page_was_there_run_nothing() -> None:
    result = play(
        """
        clock.to(1000);
        const late = new TypedAhead(page, { later, now: () => clock.now, early: true });
        const burst = [];
        for (let n = 0; n < 20; n += 1) { clock.to(clock.now + pace); burst.push(late.stops("e", "close")); }
        clock.to(clock.now + PAUSE_MS);
        result = [burst.every(Boolean), late.stops("e", "close")];
        """
    )
    assert result == [True, False]
