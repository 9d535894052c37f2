// The voice note: record, cancel or stop, listen to it, and it is a file of the reply like any other.

import { clone, fill } from "./composer-parts.js";
import { cannotRecord, loudness, play, Recording, samplesIn, wav } from "./voice.js";
import { canEncode, ogg } from "./voice-ogg.js";

const BARS = 40;
const OGG_SECONDS = 15 * 60; // far from any channel's limit in bytes, but what was recorded is held in memory
const REFUSED = new Set(["NotAllowedError", "SecurityError"]);
const MISSING = new Set(["NotFoundError", "OverconstrainedError"]);

/** The recorder of *form*. Gives what was recorded to *files*. */
export class Voice {
  constructor(form, files, { signal, say, problem }) {
    Object.assign(this, { form, files, signal, say, problem });
    this.strip = form.querySelector("[data-recorder]");
    this.button = form.querySelector("[data-tool=voice]");
    this.isOgg = this.button.dataset.type === "audio/ogg";
    this.mostSamples = samplesIn(Number(this.button.dataset.most));
    for (const one of [this.button, form.querySelector("[data-records]")]) one?.addEventListener("click", () => this.start());
    this.strip.querySelector("[data-stop]").addEventListener("click", () => this.stop());
    this.strip.querySelector("[data-cancel]").addEventListener("click", () => this.cancel());
    this.strip.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.cancel();
    });
    // The composer is drawn anew, for instance because the window has closed: what was said is kept.
    signal.addEventListener("abort", () => this.stop());
    window.addEventListener("pagehide", () => this.recording?.release(), { signal });
  }

  async start() {
    if (this.recording || this.starting) return;
    const impossible = cannotRecord();
    if (impossible) {
      this.refuse(impossible);
      return;
    }
    this.starting = true;
    this.problem(null);
    this.heard = 0;
    this.levels = [];
    try {
      this.recording = await Recording.start((samples, rate) => this.hear(samples, rate));
      if (this.isOgg) {
        if (!(await canEncode(this.recording.rate))) {
          this.recording.release();
          this.recording = null;
          this.refuse("encoder");
          return;
        }
        this.mostSamples = OGG_SECONDS * this.recording.rate;
      }
    } catch (error) {
      this.refuse(REFUSED.has(error.name) ? "refused" : MISSING.has(error.name) ? "missing" : "busy");
      return;
    } finally {
      this.starting = false;
    }
    if (this.signal.aborted || this.form.hidden) {
      // Whoever asked for it has gone on to something else while the browser asked them.
      this.recording.release();
      this.recording = null;
      return;
    }
    this.strip.hidden = false;
    this.button.disabled = true;
    this.strip.querySelector("[data-stop]").focus();
    this.say(this.form.dataset.textRecording);
  }

  refuse(why) {
    const [sentence, next] = JSON.parse(this.button.dataset.problems)[why];
    this.problem(sentence, next);
  }

  hear(samples, rate) {
    this.heard += samples.length;
    this.levels.push(loudness(samples, 1)[0]);
    this.strip.querySelector("[data-time]").textContent = duration(this.heard / rate);
    draw(this.strip.querySelector("[data-wave]"), this.levels.slice(-BARS));
    if (this.heard >= this.mostSamples && !this.full) {
      this.full = true;
      this.stop();
      this.say(this.form.dataset.textFull);
    }
  }

  async stop() {
    const { recording } = this;
    if (!recording) return;
    this.close();
    const samples = (await recording.stop()).slice(0, this.mostSamples);
    this.full = false;
    if (!samples.length) return;
    const { rate } = recording;
    const length = duration(samples.length / rate);
    const { type, name } = this.button.dataset;
    let made;
    try {
      made = this.isOgg ? await ogg(samples, rate) : wav(samples, rate);
    } catch {
      this.refuse("encoder");
      return;
    }
    this.files.take([new File([made], `${name}.${this.isOgg ? "ogg" : "wav"}`, { type })], {
      player: (item) => player(this.form, item, samples, rate, length),
    });
  }

  cancel() {
    const { recording } = this;
    if (!recording) return;
    this.close();
    recording.release();
    this.say(this.form.dataset.textCancelled);
  }

  close() {
    this.recording = null;
    this.strip.hidden = true;
    this.button.disabled = false;
    this.form.querySelector("textarea").focus();
  }
}

/** Let a file of the tray be listened to. */
function player(form, item, samples, rate, length) {
  const box = clone(form, "player");
  const wave = box.querySelector("[data-wave]");
  const heights = loudness(samples, BARS);
  const button = box.querySelector("button");
  let stop = null;
  const shown = (playing) => {
    button.setAttribute("aria-pressed", String(playing));
    box.querySelector("[data-playing]").toggleAttribute("hidden", !playing);
    box.querySelector("[data-silent]").toggleAttribute("hidden", playing);
  };
  box.querySelector("[data-time]").textContent = length;
  draw(wave, heights);
  button.addEventListener("click", () => {
    if (stop) {
      stop();
      return;
    }
    shown(true);
    stop = play(samples, rate, {
      onProgress: (share) => draw(wave, heights, share),
      onEnd() {
        stop = null;
        shown(false);
        draw(wave, heights);
      },
    });
  });
  item.querySelector("[data-remove]").addEventListener("click", () => stop?.());
  item.querySelector("[data-file-thumb]").replaceWith(box);
}

/** Draw *heights* as bars, those before *share* of the length as heard. */
function draw(wave, heights, share = 0) {
  const high = 26, wide = 150 / BARS;
  const bars = heights.map((height, index) => {
    const bar = wave.children[index] ?? wave.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
    const tall = Math.max(2, height * high);
    for (const [name, value] of Object.entries({ x: index * wide, y: (high - tall) / 2, width: wide * 0.6, height: tall, rx: 1 })) {
      bar.setAttribute(name, value.toFixed(2));
    }
    bar.classList.toggle("on", index < share * heights.length);
    return bar;
  });
  while (wave.children.length > bars.length) wave.lastChild.remove();
}

/** Return a length in seconds as `0:07`. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  return fill("{minutes}:{seconds}", { minutes: Math.floor(whole / 60), seconds: String(whole % 60).padStart(2, "0") });
}
