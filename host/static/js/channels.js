// Settings, Channels: the cards follow what happens.

import { follow } from "./live-page.js";

const TOPICS = new Set(["account", "addons", "catch_up"]);

// The first message turns a card from Connected to Receiving; later ones change nothing worth a look.
follow("[data-channels]", (topic, page) => TOPICS.has(topic) || (topic === "message" && page.querySelector("[data-waiting]")));
