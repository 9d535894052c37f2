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

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes(`lobby-zone=${zone}`)) remember("lobby-zone", zone);
})();
