// Formatted forms of messages: a frame is as high as what it shows, and says so again when that changes.

const MOST = 4000;

/** Let the frames below *root* fit what they show. No script runs inside them: this one measures from here. */
export function fitForms(root) {
  const observers = new WeakMap();
  const fit = (frame) => {
    const page = frame.contentDocument?.documentElement;
    const body = frame.contentDocument?.body;
    if (!page || !body) return;
    const measure = () => {
      // A bar below a page that is too wide takes its part, too.
      const bar = page.scrollWidth > page.clientWidth ? 18 : 0;
      frame.style.blockSize = `${Math.min(MOST, Math.ceil(body.getBoundingClientRect().height) + bar)}px`;
    };
    measure();
    observers.get(frame)?.disconnect();
    const observer = new ResizeObserver(measure);
    observer.observe(body);
    observers.set(frame, observer);
  };
  // `load` does not bubble, but it can be caught on its way down.
  root.addEventListener("load", (event) => {
    if (event.target.matches?.("[data-form-frame]")) fit(event.target);
  }, true);
  root.addEventListener("click", (event) => {
    const once = event.target.closest?.("[data-form-once]");
    if (once) setTimeout(() => once.closest("[data-form-pictures]").remove());
  });
  for (const frame of root.querySelectorAll("[data-form-frame]")) fit(frame); // it may have loaded before us
}
