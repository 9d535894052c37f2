// A player for sound with room for its slider: a browser's own has none in a narrow thread. Without scripts the
// browser's own is shown.

const OWN = "[data-player]";

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Show where *sound* is. */
function show(sound) {
  const box = sound.closest(OWN);
  if (!box) return;
  const length = Number.isFinite(sound.duration) ? sound.duration : 0;
  const slider = box.querySelector("[data-seek]");
  slider.disabled = !length;
  slider.max = length || 1;
  slider.value = sound.currentTime;
  slider.setAttribute("aria-valuetext", `${clock(sound.currentTime)} / ${clock(length)}`);
  box.querySelector("[data-time]").textContent = clock(sound.paused && !sound.currentTime ? length : sound.currentTime);
  const button = box.querySelector("[data-play]");
  button.setAttribute("aria-pressed", String(!sound.paused));
  button.querySelector("use").setAttribute("href", sound.paused ? "#i-play" : "#i-stop");
}

/** Work the players below *root*, those that come later too. */
export function players(root) {
  root.addEventListener("click", (event) => {
    const sound = event.target.closest("[data-play]")?.closest(OWN).querySelector("audio");
    if (!sound) return;
    if (sound.paused) sound.play().catch(() => {}); // an error shows itself
    else sound.pause();
  });
  root.addEventListener("input", (event) => {
    if (!("seek" in event.target.dataset)) return;
    event.target.closest(OWN).querySelector("audio").currentTime = Number(event.target.value);
  });
  for (const happened of ["loadedmetadata", "durationchange", "timeupdate", "seeked", "play", "pause", "ended"]) {
    root.addEventListener(happened, (event) => show(event.target), true);
  }
  root.addEventListener("play", (event) => {
    for (const other of root.querySelectorAll(`${OWN} audio`)) if (other !== event.target) other.pause();
  }, true);
  for (const sound of root.querySelectorAll(`${OWN} audio`)) if (sound.readyState) show(sound);
}
