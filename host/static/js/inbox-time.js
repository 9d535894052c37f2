// Keeps times current between two answers of the desk. The words come from the page; see durations.py.

const MINUTE = 60, HOUR = 3600, DAY = 86400;
const SOON = 3 * HOUR, VERY_SOON = 30 * MINUTE; // of a reply window; as reply_window.py has them

/** Return functions that say lengths of time in the words of *words* (a dataset). */
export function lengths(words) {
  const say = (template, n) => template.replace("{n}", n);
  const short = (seconds) => {
    const length = Math.max(0, Math.floor(seconds));
    if (length >= 2 * DAY) return say(words.textDay, Math.floor(length / DAY));
    if (length >= HOUR) return say(words.textHour, Math.floor(length / HOUR));
    return say(words.textMinute, Math.floor(length / MINUTE));
  };
  const exact = (seconds) => {
    const length = Math.max(0, Math.floor(seconds));
    const days = Math.floor(length / DAY);
    const hours = Math.floor((length % DAY) / HOUR);
    const minutes = Math.floor((length % HOUR) / MINUTE);
    if (days) return `${say(words.textDay, days)} ${say(words.textHour, hours)}`;
    if (hours) return `${say(words.textHour, hours)} ${say(words.textMinute, minutes)}`;
    return say(words.textMinute, minutes);
  };
  return { short, exact };
}

/** Return *at*, a time or its milliseconds, as a time of day in the page's zone, with its date if that is another. */
export function dayTime(at) {
  const { lang, dataset } = document.documentElement, timeZone = dataset.zone; // the person's, maybe not the browser's
  const date = new Date(at), day = new Intl.DateTimeFormat("en", { dateStyle: "short", timeZone });
  const isToday = day.format(date) === day.format(new Date());
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone };
  const format = isToday ? time : { day: "numeric", month: "short", ...time };
  return new Intl.DateTimeFormat(lang, format).format(date);
}

/**
 * Keep the countdowns and ages below *root* current. *skew* is the desk's clock minus the browser's, in
 * milliseconds. Calls `onEnd(element)` once for each window whose time has run out.
 */
export function keepCurrent(root, words, skew, onEnd) {
  const { short, exact } = lengths(words);
  const ended = new WeakSet();
  const tick = () => {
    const now = Date.now() + skew;
    for (const element of root.querySelectorAll("[data-until]:not(rect)")) {
      const left = (Date.parse(element.dataset.until) - now) / 1000;
      if (left <= 0) {
        if (!ended.has(element)) onEnd(element);
        ended.add(element);
        continue;
      }
      if (element.dataset.window) {
        element.hidden = left >= SOON;
        element.classList.toggle("win-warn", left < SOON && left >= VERY_SOON);
        element.classList.toggle("win-bad", left < VERY_SOON);
        element.lastElementChild.textContent = exact(left);
      } else {
        const text = element.querySelector("[data-left]");
        if (text) text.textContent = exact(left);
      }
    }
    for (const element of root.querySelectorAll("[data-due]")) {
      const left = (Date.parse(element.dataset.due) - now) / 1000;
      element.hidden = left >= Number(element.dataset.near);
      element.classList.toggle("conv-late", left < 0);
      const text = left < 0 ? words.textLate : words.textDue;
      element.lastElementChild.textContent = text.replace("{time}", short(Math.abs(left)));
    }
    for (const bar of root.querySelectorAll("rect[data-until]")) {
      const since = Date.parse(bar.dataset.since), until = Date.parse(bar.dataset.until);
      const passed = Math.min(1, Math.max(0, (now - since) / (until - since)));
      const x = Number(bar.dataset.x), width = Number(bar.dataset.width);
      bar.setAttribute("x", x + width * passed);
      bar.setAttribute("width", width * (1 - passed));
    }
    for (const time of root.querySelectorAll("time[data-since]")) {
      const age = (now - Date.parse(time.dateTime)) / 1000;
      if (age < MINUTE) time.textContent = words.textNow;
      else if (age < DAY) time.textContent = short(age);
    }
  };
  tick();
  return setInterval(tick, 10000);
}
