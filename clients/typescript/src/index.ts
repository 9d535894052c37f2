/** Read and answer the conversations of a Lobby desk, and verify its webhooks. */

export { Lobby, type FullAnswer, type LobbyOptions } from "./client.js";
export type { Content, Outgoing, Sendable } from "./content.js";
export * from "./errors.js";
export {
  isErased,
  otherEvent,
  type AllEventData,
  type EventChoice,
  type EventName,
  type EventPage,
  type LobbyEvent,
  type OtherEventName,
} from "./events.js";
export type * from "./generated/calls.js";
export type { Id, NamedFile, Options, PostOptions, VersionedOptions } from "./http.js";
export type { InstagramCalls, InstagramEvent, InstagramEventData } from "./instagram.js";
export type * from "./listening.js";
export type * as types from "./generated/types.js";
export { VERSION } from "./version.js";
export * as webhooks from "./webhooks.js";
