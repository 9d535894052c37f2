"use strict";
try {
  const saved = localStorage.getItem("sandbox-theme");
  if (saved === "light" || saved === "dark") document.documentElement.dataset.theme = saved;
} catch {
  // Storage may be forbidden; then the system's choice holds.
}
