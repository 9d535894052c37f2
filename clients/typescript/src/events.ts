/** Events of the desk, in the form of its webhooks. */

import type { EventData, EventTombstone } from "./generated/types.js";
import type { InstagramEventData } from "./instagram.js";

/** The data of every event by its name: the desk's own, and those of its channels. */
export type AllEventData = EventData & {
  [Name in keyof InstagramEventData]: InstagramEventData[Name] | EventTombstone;
};

export type EventName = keyof AllEventData;

declare const other: unique symbol;

/** The name of an event that this client does not know, made by {@link otherEvent}. */
export type OtherEventName = string & { readonly [other]: true };

type Group<Name extends string> = Name extends `${infer Start}.${string}` ? `${Start}.*` : never;

/** What names events: one, all that begin alike (`message.*`), or all there are (`*`). */
export type EventChoice = EventName | Group<EventName> | "*" | OtherEventName;

/** Return the name of an event of a newer desk, or of a channel that this client does not know. */
export function otherEvent(name: string): OtherEventName {
  return name as OtherEventName;
}

/** An event. A newer desk may have names that are not in this type; pass over what you do not know. */
export type LobbyEvent = {
  [Name in EventName]: {
    /** The same in the API, in a webhook and in each of its repeats. */
    id: string;
    event: Name;
    data: AllEventData[Name];
    /** When the desk recorded it. */
    at: string;
  };
}[EventName];

/** Events in the order they happened. */
export interface EventPage {
  data: LobbyEvent[];
  /** The position after them, to be handed back unchanged as `cursor`. */
  next: string;
  /** Whether there are more at this moment. */
  more: boolean;
}

/** Return whether only ids remain of an event, because its message was unsent or its customer erased. */
export function isErased(data: object): data is EventTombstone {
  return "erased" in data && data.erased === true;
}
