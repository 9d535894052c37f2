// Runs before the page is painted, so that nobody is flashed with the wrong theme.
(() => {
  const root = document.documentElement;
  root.classList.add("has-scripts"); // what needs a script stays hidden without one
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const secure = location.protocol === "https:" ? "; Secure" : "";
  const remember = (name, value) => {
    document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  };
  const apply = () => {
    const choice = root.dataset.theme;
    const isDark = choice === "dark" || (choice === "auto" && dark.matches);
    root.setAttribute("data-bs-theme", isDark ? "dark" : "light");
  };
  apply();
  dark.addEventListener("change", apply);
  new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  window.lobbyRemember = remember;

  // Letters that were pressed on the page before, while this one was on its way, or here before the modules ran: what follows
  // at once is no command either (typed-ahead.js).
  const LEFT = "lobby-key-left", LEFT_MS = 60000; // no page takes longer
  const types = (event) => event.key?.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
    && !event.target.closest?.("input, textarea, select, [contenteditable]");
  window.lobbyTyped = false;
  window.lobbyTypesOn = (event) => {
    try {
      if (types(event)) sessionStorage.setItem(LEFT, Date.now());
    } catch {
      // Storage is full or forbidden.
    }
  };
  try {
    window.lobbyTyped = Date.now() - Number(sessionStorage.getItem(LEFT)) < LEFT_MS;
    sessionStorage.removeItem(LEFT);
  } catch {
    // Storage is forbidden.
  }
  const early = (event) => { window.lobbyTyped ||= types(event); };
  window.addEventListener("keydown", early, true);
  document.addEventListener("DOMContentLoaded", () => window.removeEventListener("keydown", early, true));

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes(`lobby-zone=${zone}`)) remember("lobby-zone", zone);
})();
