/** The forms of a message to send. */

import type {
  SendApprovedTemplate,
  SendAudio,
  SendButtons,
  SendContacts,
  SendContent,
  SendFile,
  SendImage,
  SendLocation,
  SendPost,
  SendProduct,
  SendSticker,
  SendTemplate,
  SendText,
  SendVideo,
} from "./generated/types.js";

/** A message of the API's own form: more kinds, quotes, and a conversation as the recipient. */
export type Sendable =
  | SendText
  | SendImage
  | SendVideo
  | SendAudio
  | SendFile
  | SendSticker
  | SendTemplate
  | SendApprovedTemplate
  | SendButtons
  | SendProduct
  | SendPost
  | SendLocation
  | SendContacts;

/** What is sent to a customer. Names in snake_case are accepted, too. */
export type Content = SendContent["content"] | SnakeCased<SendContent["content"]>;

/** A content for the customer `to` of a channel, and what every message can have: `replyTo`, `sendAt`, `cc`. */
export interface Outgoing extends Omit<SendContent, "content"> {
  /** The public id of the account: `channelId` of an account or a conversation. */
  channelId: string;
  /** The customer's id at the provider. */
  to: string;
  content: Content;
}

type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

/** A type with the names of its fields in snake_case. */
export type SnakeCased<T> = T extends readonly (infer Item)[]
  ? SnakeCased<Item>[]
  : T extends object
    ? { [Name in keyof T as Name extends string ? SnakeCase<Name> : Name]: SnakeCased<T[Name]> }
    : T;
