// The description of the API: Swagger UI, with what it lacks for screen readers, keyboards and the desk's themes.

const root = document.documentElement;
const box = document.getElementById("api-docs");

/** Swagger UI knows its dark theme by a class of the page. */
function followTheme() {
  root.classList.toggle("dark-mode", root.dataset.bsTheme === "dark");
}

followTheme();
new MutationObserver(followTheme).observe(root, { attributes: true, attributeFilter: ["data-bs-theme"] });

/** Swagger UI's own layout has a second main landmark and title, a list of servers and a way to sign in. */
function desk({ React }) {
  const Layout = ({ getComponent, specSelectors, errSelectors }) => {
    const make = (name, props) => React.createElement(getComponent(name, true), props);
    const done = specSelectors.specStr() && specSelectors.loadingStatus() === "success";
    if (!done) return errSelectors.lastError() ? box.dataset.failed : null;
    const about = { source: specSelectors.info().get("description") };
    const parts = [make("SvgAssets"), make("Markdown", about), make("operations"), make("Models")];
    return React.createElement("div", { className: "swagger-ui" }, ...parts);
  };
  // The path of an operation stands in its button, and a link in a button cannot be told apart.
  const components = { DeskLayout: Layout, DeepLink: ({ text }) => text, authorizeOperationBtn: () => null };
  // The tag of the webhooks has no operation of its own here, only a group that would be empty.
  const taggedOperations =
    (original) =>
    (...given) =>
      original(...given).filter((group) => group.get("operations")?.size);
  return { components, statePlugins: { spec: { wrapSelectors: { taggedOperations } } } };
}

/** Name the lists to choose from, let examples be scrolled by keyboard, and let no level of headings be left out. */
function mend() {
  for (const list of box.querySelectorAll("select:not([aria-label])")) {
    list.setAttribute("aria-label", list.classList.contains("content-type") ? box.dataset.type : box.dataset.example);
  }
  for (const code of box.querySelectorAll("pre:not([tabindex])")) code.tabIndex = 0;
  for (const heading of box.querySelectorAll(":is(h3, h4, h5):not([aria-level])")) {
    heading.setAttribute("aria-level", Number(heading.tagName[1]) - 1);
  }
}

new MutationObserver(mend).observe(box, { childList: true, subtree: true });

// The key a person tries calls with: it is held here alone, and no example that is shown has it.

const SHOWN = "YOUR_KEY";
let key = "";

function signed(request) {
  const url = new URL(request.url, location.href);
  if (!url.pathname.startsWith(`${box.dataset.base}/`)) return request;
  // Never with the cookies of the person who reads, and at the address that is open: the public one may be another.
  const headers = { ...request.headers, "Lobby-Version": box.dataset.version }; // the newest, which also lists the newest calls
  if (key) headers.Authorization = `Bearer ${key}`;
  else delete headers.Authorization;
  return { ...request, url: url.pathname + url.search, headers, credentials: "omit" };
}

// An address that names an error, such as #label_not_found, would be taken for a group of operations.
const error = location.hash.startsWith("#/") ? null : document.getElementById(location.hash.slice(1));
if (error) history.replaceState(null, "", location.pathname);

/** Scroll to the error: the operations, drawn above it, move it, until the person scrolls on. */
function showError() {
  error.closest("details").open = true;
  location.replace(`#${error.id}`);
  const follow = new ResizeObserver(() => error.scrollIntoView());
  follow.observe(box);
  for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(act, () => follow.disconnect(), { once: true, passive: true });
  }
}

const viewer = window.SwaggerUIBundle({
  url: box.dataset.document,
  domNode: box,
  layout: "DeskLayout",
  plugins: [desk],
  deepLinking: true,
  docExpansion: "none", // the groups are what one chooses from; above 149 lines Swagger UI draws only those in view
  validatorUrl: null,
  requestInterceptor: signed,
  showMutatedRequest: false, // else the key would stand in the example for curl
  syntaxHighlight: { activated: false },
  defaultModelsExpandDepth: 1,
  onComplete() {
    viewer.preauthorizeApiKey("key", SHOWN);
    list(viewer.specSelectors.specJson().toJS());
    if (error) showError();
  },
});

const form = document.querySelector("[data-key]");
form.hidden = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = form.querySelector("input"), whose = form.querySelector("[data-whose]");
  key = field.value.trim();
  const headers = { Accept: "application/json", Authorization: `Bearer ${key}` };
  const me = await fetch(form.dataset.me, { headers, credentials: "omit" })
    .then((response) => response.json()).catch(() => ({}));
  if (me.workspace) field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
  whose.textContent = me.workspace
    ? whose.dataset.text.replace("{key}", () => me.name).replace("{workspace}", () => me.workspace.name)
    : (me.error?.message ?? form.dataset.wrong);
});

// The list of operations: what is typed narrows it, and a click opens the operation

const index = document.querySelector(".api-index");
const search = index.querySelector("input");

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** List the operations of *spec*, the document, by their tags. */
function list(spec) {
  const groups = new Map(spec.tags.map((tag) => [tag.name, made("ul", {})]));
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const [method, { tags: [tag], operationId, summary }] of Object.entries(methods)) {
      const link = made("a", { href: `#/${encodeURIComponent(tag)}/${operationId}` },
        made("span", { className: `api-method api-${method}` }, method.toUpperCase()), ` ${summary} `, made("code", {}, path));
      link.dataset.words = `${operationId} ${tag}`;
      groups.get(tag).append(made("li", {}, link));
    }
  }
  const shown = [...groups].filter(([, operations]) => operations.childElementCount);
  index.querySelector("[data-groups]").replaceChildren(
    ...shown.map(([tag, operations]) => made("details", {}, made("summary", {}, tag), operations)),
  );
}

search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of index.querySelectorAll("details")) {
    let here = 0;
    for (const link of group.querySelectorAll("a")) {
      const text = `${link.textContent} ${link.dataset.words}`.toLowerCase();
      const matches = words.every((word) => text.includes(word));
      link.parentElement.hidden = !matches;
      here += matches;
    }
    group.hidden = !here;
    group.open = Boolean(words.length && here);
    found += here;
  }
  index.classList.toggle("is-searching", Boolean(words.length));
  index.querySelector("[data-none]").hidden = Boolean(found);
});

window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#/")) return; // as of "Skip to content"
  viewer.layoutActions.parseDeepLinkHash(decodeURIComponent(location.hash));
  const [tag, operation] = decodeURIComponent(location.hash).slice(2).split("/");
  // Swagger UI scrolls only to what it draws now; what is drawn already is for us.
  requestAnimationFrame(() => document.getElementById(`operations-${tag.replaceAll(" ", "_")}-${operation}`)?.scrollIntoView());
});
