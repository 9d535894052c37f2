// The page that writes to a contact first: one form of the composer, without a thread around it.

import { Composer } from "./composer.js";

const section = document.querySelector("[data-write]");
const nothing = () => {};
new Composer(section.parentElement, { words: section.dataset, onSent: nothing, onWriting: nothing, onDraft: nothing, onAway: nothing, onTaken: nothing, onSending: nothing, newest: nothing });
