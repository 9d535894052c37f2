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
window.SwaggerUIBundle({
  url: box.dataset.document,
  domNode: box,
  layout: "DeskLayout",
  plugins: [desk],
  deepLinking: true,
  docExpansion: "none", // the groups are what one chooses from; above 149 lines Swagger UI draws only those in view
  validatorUrl: null,
  supportedSubmitMethods: [],
  syntaxHighlight: { activated: false },
  defaultModelsExpandDepth: 1,
});
