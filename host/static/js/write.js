// The page that writes to a contact first: one form of the composer, without a thread around it.

import { Composer } from "./composer.js";

const section = document.querySelector("[data-write]");
new Composer(section.parentElement, { words: section.dataset });
