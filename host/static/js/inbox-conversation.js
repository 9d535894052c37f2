// What a conversation needs beside the list: the composer, and the panels of addons. A page with a conversation has it from the
// beginning; a list alone loads it after everything else.

import { Composer } from "./composer.js";
import { Foreseen } from "./inbox-foreseen.js";
import { conversation } from "./inbox-thread.js";
import "./panels.js";

conversation.Composer = Composer;
conversation.foreseen = new Foreseen();
