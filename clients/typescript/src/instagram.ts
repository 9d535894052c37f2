/** Instagram: its call by name, and the events that its channel adds. */

import { Calls } from "./calls.js";
import type { IceBreaker, IceBreakersOfAccount } from "./generated/types.js";
import type { Options } from "./http.js";

/** Instagram by name; `client.accounts` does the same for every channel. */
export class InstagramCalls extends Calls {
  /** Replace the ice breakers of all languages with these: up to four of `{question, payload}`. */
  setIceBreakers(
    given: { channelId: string; iceBreakers: readonly IceBreaker[] },
    options: Options = {},
  ): Promise<IceBreakersOfAccount> {
    const body = { locales: { default: given.iceBreakers } };
    return this.http.json("PUT", "/accounts/{}/ice-breakers", [given.channelId], { body, options });
  }
}

/** What every event of Instagram has. */
export interface InstagramEvent {
  /** The public id of the account. */
  channelId: string;
  /** The customer's id at the provider. */
  from: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** The data of Instagram's events by name. What the provider did not send is omitted. */
export interface InstagramEventData {
  /** A customer mentioned the account in a story. */
  "instagram.story_mention": InstagramEvent & {
    storyId?: string;
    mediaUrl?: string;
    metadata: { username?: string; mentionText?: string };
  };
  /** A customer replied to a story of the account. */
  "instagram.story_reply": InstagramEvent & { storyId?: string; replyText?: string };
  /** A customer tapped a quick reply. */
  "instagram.quick_reply": InstagramEvent & { payload: string; text: string };
  /** A customer tapped an ice breaker, a menu item or a card button. */
  "instagram.postback": InstagramEvent & { payload?: string };
  /** A customer added or removed a reaction to a message. */
  "instagram.reaction": InstagramEvent & {
    messageId: string;
    reaction?: "love" | "laugh" | "wow" | "sad" | "angry" | "like" | "other";
    action: "react" | "unreact";
  };
  /** A customer asked about a product in the account's shop. */
  "instagram.product_share": InstagramEvent & {
    product: { id: string; name?: string; price?: string; imageUrl?: string; productUrl?: string };
  };
  /** A customer commented on a post, reel, ad or live broadcast, or mentioned the account. */
  "instagram.comment": InstagramEvent & {
    commentId?: string;
    postId?: string;
    parentId?: string;
    username?: string;
    text?: string;
    live: boolean;
    mention: boolean;
    ad?: { id?: string; title?: string };
  };
}
