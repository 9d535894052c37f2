// The service worker: shows pushes while no page is open, and opens what they are about.
// It is one file and caches nothing, so a page never meets a part of another version.

const ICON = "/static/icon-192.png";
const BADGE = "/static/badge-96.png";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** Return what the desk wants shown; browsers insist on something being shown for each push. */
function contentOf(event) {
  try {
    const { title, body = "", tag, url = "/", at, test = "" } = event.data.json();
    return { title: String(title), body: String(body), tag: String(tag), url: String(url), at: Number(at), test };
  } catch {
    return { title: "Lobby", body: "", tag: "lobby", url: "/notifications", at: Date.now(), test: "" };
  }
}

async function show(content) {
  const before = await self.registration.getNotifications({ tag: content.tag });
  await self.registration.showNotification(content.title, {
    body: content.body,
    tag: content.tag,
    renotify: before.length > 0, // one more message in the same conversation
    icon: ICON,
    badge: BADGE,
    timestamp: content.at || Date.now(),
    data: { url: content.url },
  });
  if (!content.test) return;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const page of pages) page.postMessage({ type: "push-arrived", test: content.test });
}

self.addEventListener("push", (event) => event.waitUntil(show(contentOf(event))));

/** Focus the page that already shows *address*, or open it. What is written in other pages stays untouched. */
async function open(address) {
  const wanted = new URL(address, self.location.origin);
  if (wanted.origin !== self.location.origin) return;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const here = pages.find((page) => new URL(page.url).pathname === wanted.pathname);
  if (here) await here.focus();
  else await self.clients.openWindow(wanted.href);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.url ?? "/"));
});
