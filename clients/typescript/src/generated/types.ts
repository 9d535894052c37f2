// Made by tools/generate.py: do not edit.

import type { EventChoice, EventName } from "../events.js";

/** An account of a channel that the workspace connected. */
export interface Account {
  id: number;
  /** The public id of an account, a string; the last part of its webhook address. */
  channelId: string;
  channel: string;
  channelName: string;
  /** The provider's id, always a string. */
  externalId: string;
  name: string;
  handle: string;
  state: "connected" | "disconnected" | "needs_reconnect";
  /** Whether the addon that brings the channel is active. */
  active: boolean;
  /** Null while the channel is not active. */
  capabilities: Capabilities | null;
  /** Addresses its messages can be sent from, if there are several; its own first. */
  ownAddresses: string[];
  connectedAt: string;
  disconnectedAt: string | null;
  lastEventAt: string | null;
  /** Response time in minutes; null: none. */
  replyTarget: number | null;
}

/** The automation settings of an account. */
export interface AccountAutomation {
  greeting: Greeting;
  away: Away;
  routing: Routing;
  /** Increases with each change. */
  version: number;
}

/** The accounts of the workspace, by channel and name. */
export interface Accounts {
  data: Account[];
}

/** The side a reaction is from. */
export type Actor = "customer" | "team";

/** The figures of a range of days. */
export interface Analytics {
  total: Numbers;
  /** Figures of the preceding days, as many; null: counting began later. */
  before: Numbers | null;
  /** Reply windows that ended, missed or not. */
  windows: number;
  /** Each day or hour, earliest first. */
  series: Step[];
  /** Null: nothing counted yet. */
  countingSince: string | null;
}

/** Recipients to choose for a reply. */
export type AnswerChoice = "everyone" | "list" | "person";

/** The person who approved a tool call. */
export interface ApproveToolCall {
  /** The id of the person who decided. They must be able to reply in the conversation. */
  memberId: number;
}

/** A button. It opens `url` or calls `phone`; with neither, a tap sends its title. */
export interface ApprovedButton {
  title: string;
  url: string;
  phone: string;
}

/** The part above the text: a text, or one file of another `kind`. */
export interface ApprovedHeader {
  /** `text`, `image`, `video` or `file`. More can be added. */
  kind: string;
  text: string;
}

/** A parameter to fill in. The template's texts contain it as `{{key}}`. */
export interface ApprovedParameter {
  key: string;
  /** Its name for people. */
  label: string;
  example: string;
  /** Maximum characters of its value. */
  maxLength: number;
}

/** A template at the provider, in one language. */
export interface ApprovedTemplate {
  /** The provider's id, `templateId` of a message. */
  id: string;
  name: string;
  /** BCP 47 tag, such as `pt-BR`. */
  language: string;
  state: "approved" | "disabled" | "paused" | "pending" | "rejected";
  /** Why it can't be sent; empty if it can. */
  reason: string;
  /** The provider's category; empty: unknown. */
  category: string;
  /** What a message costs, for people; empty: unknown. */
  price: string;
  /** Whether it advertises something. */
  promotional: boolean;
  header: ApprovedHeader | null;
  body: string;
  footer: string;
  buttons: ApprovedButton[];
  parameters: ApprovedParameter[];
}

/** A page of templates, in the provider's order. */
export interface ApprovedTemplates {
  data: ApprovedTemplate[];
  /** Cursor for the next page; null on the last. */
  next: string | null;
}

/** A contact detail a quick reply may ask for; the customer shares it with one tap, as the payload. */
export type Ask = "email" | "phone";

/** An assistant that answers customers from its knowledge. */
export interface Assistant {
  id: number;
  /** At most 40 characters. */
  name: string;
  /** Increases with each change of `body`. */
  version: number;
  changedAt: string;
  /** Null: it is not stopped. */
  stoppedAt: string | null;
  /** Null: it uses no model and offers topics. */
  modelId: number | null;
  /** Null: created by a newer version of Lobby. */
  body: AssistantBody | null;
  /** The accounts where it is not off. */
  accounts: AssistantPlace[];
}

/** The content of one version of an assistant. */
export interface AssistantBody {
  /** Instructions for writing. */
  prompt: string;
  /** Whether its first answer says that it is automatic. */
  announces: boolean;
  /** The announcement. Empty: the default. */
  announcement: string;
  /** Whether customers are told when it hands off. */
  tellsHandoff: boolean;
  /** The message at a handoff. Empty: the default. */
  handoff: string;
  /** Phrases allowed without a source. */
  phrases: string[];
  /** Seconds to wait after the customer's last message. */
  pause: number;
  limits: AssistantLimits;
  /** Built-in tools it can use, and those of addons. */
  tools: string[];
}

/** The content to save as a version. Omitted fields get their defaults. */
export interface AssistantBodyInput {
  /** Instructions for writing, at most 4,000 characters. */
  prompt?: string;
  /** Whether its first answer says that it is automatic. */
  announces?: boolean;
  /** The announcement. Empty: the default. */
  announcement?: string;
  /** Whether customers are told when it hands off. */
  tellsHandoff?: boolean;
  /** The message at a handoff. Empty: the default. */
  handoff?: string;
  /** Phrases allowed without a source: at most 30 of 200 characters. */
  phrases?: string[];
  /** Seconds to wait after the customer's last message, 1 to 30. */
  pause?: number;
  /** Omitted: the defaults. */
  limits?: AssistantLimitsInput;
  /**
   * Built-in tools it can use (`contact`, `label`, `hand_over` and `close`), and those of addons by
   * name.
   */
  tools?: string[];
}

/** Limits for a conversation, a day or a month. */
export interface AssistantCap {
  /** 0: no limit. */
  turns?: number;
  /** 0: no limit. */
  tokens?: number;
  /** In millionths of the model's currency; 0: no limit. */
  money?: number;
}

/** A question with a description of a good answer. */
export interface AssistantCase {
  id: number;
  question: string;
  /** Whether a person should answer it. Words are then ignored. */
  handsOver: boolean;
  /** Words that a good answer contains, all of them. */
  says: string[];
  /** Words that it never contains. */
  neverSays: string[];
  /** Null: not run yet. */
  passed: boolean | null;
  /** The version of the assistant it was run with; null: none. */
  triedVersion: number | null;
  /** The answer of that version; empty: none. */
  answer: string;
  /** Where it was asked. It is erased with that conversation. */
  conversationId: number | null;
}

/** Cases of an assistant, oldest first; at most 200. */
export interface AssistantCases {
  data: AssistantCase[];
  /** Cursor for more; null: there are none. */
  next: string | null;
}

/** Number of turns by outcome. */
export interface AssistantCounts {
  /** Shown to people. */
  suggested: number;
  /** Sent unchanged by people. */
  taken: number;
  edited: number;
  /** A person wrote something else. */
  written: number;
  dismissed: number;
  /** Sent unchanged by programs. */
  used: number;
  /** Sent automatically. */
  answered: number;
  /** In shadow mode. */
  shadow: number;
  handedOver: number;
  failed: number;
  /** Rated right by a person. */
  right: number;
  wrong: number;
  tokens: number;
  /** In millionths of the model's currency. */
  cost: number;
}

/** A day, in the workspace's time zone. */
export interface AssistantDay {
  day: string;
  counts: AssistantCounts;
}

/** Figures of an assistant, and the usage of the whole workspace. */
export interface AssistantFigures {
  /** Oldest first; today is last. */
  days: AssistantDay[];
  /** Of all assistants of the workspace. */
  today: AssistantSpent;
  /** Of all assistants of the workspace. */
  month: AssistantSpent;
}

/** Usage limits of an assistant. Days and months follow the workspace's time zone. */
export interface AssistantLimits {
  /** Until a conversation is closed. */
  conversation: AssistantCap;
  /** Of all assistants of the workspace. */
  day: AssistantCap;
  /** Of all assistants of the workspace. */
  month: AssistantCap;
  /** Time limit for one answer in seconds, 5 to 60. */
  seconds: number;
  /** Maximum tool calls for one answer, 0 to 10. */
  calls: number;
}

/** Usage limits of an assistant. Omitted fields get their defaults. */
export interface AssistantLimitsInput {
  /** Default: 6 answers. */
  conversation?: AssistantCap;
  /** Default: 1,000 answers. */
  day?: AssistantCap;
  /** Default: no limit. */
  month?: AssistantCap;
  /** Time limit for one answer in seconds, 5 to 60. */
  seconds?: number;
  /** Maximum tool calls for one answer, 0 to 10. */
  calls?: number;
}

/** The mode to set on an account. */
export interface AssistantMode {
  /**
   * `shadow`: its answers are hidden and compared with people's answers. `suggest`: people see them.
   * `answer`: it answers automatically.
   */
  mode: "answer" | "off" | "shadow" | "suggest";
  /** Omitted: unchanged; initially message, story_reply and tap. */
  answersOn?: ("mention" | "message" | "story_reply" | "tap")[];
  /** 10 to 1,000. Omitted: unchanged; initially 50. */
  needed?: number;
  /**
   * For `answer` before enough suggestions were accepted: the name of the account, to confirm. The audit
   * log records the key.
   */
  typedName?: string | null;
}

/** The mode of an assistant on an account. */
export interface AssistantPlace {
  accountId: number;
  channel: string;
  /** The account's name, as it must be typed. */
  name: string;
  /**
   * `shadow`: its answers are hidden and compared with people's answers. `suggest`: people see them.
   * `answer`: it answers automatically.
   */
  mode: "answer" | "off" | "shadow" | "suggest";
  /** Message types it answers. */
  answersOn: ("mention" | "message" | "story_reply" | "tap")[];
  /** Suggestions that must be accepted before it can answer. */
  needed: number;
  /** Suggestions accepted unchanged or rated right. Those sent by programs don't count. */
  earned: number;
  /** Who allowed it to answer before enough suggestions were accepted; null: nobody. */
  openedBy: string | null;
  changedAt: string;
}

/** A source of an answer. */
export interface AssistantSource {
  title: string;
  /** `entry`, `hours`, `tool` or `contact`. */
  kind: string;
  /** Its place in the entry; empty: not specific. */
  place: string;
  /** Null: not a knowledge entry. */
  entryId: number | null;
  /** Its time, in ISO 8601; null: current at that moment. */
  at: string | null;
  /** The places in `text` that cite it, as offsets in code points. Empty: the model cited none. */
  citations: number[];
}

/** Usage counted against limits. */
export interface AssistantSpent {
  turns: number;
  tokens: number;
  /** In millionths of the model's currency. */
  money: number;
}

/** Another program that an assistant can call. Its secret is never shown. */
export interface AssistantTool {
  id: number;
  /** The name the model uses. */
  name: string;
  title: string;
  /** When the assistant should use it. */
  about: string;
  url: string;
  parameters: Record<string, unknown>;
  /** The header that carries its secret. */
  header: string;
  hasSecret: boolean;
  /**
   * `reads`: it looks something up. `reversible`: a person can undo it easily. `asks`: everything else;
   * a person approves each use.
   */
  effect: "asks" | "reads" | "reversible";
  /** Number of calls in 30 days. */
  uses: number;
  /** Number of those calls that failed. */
  failed: number;
  createdAt: string;
}

/** The use of a tool by an assistant. */
export interface AssistantToolCall {
  id: number;
  turnId: number;
  /** Its name, as in the assistant's `tools`, or a built-in one. */
  tool: string;
  /** What it is called with. */
  arguments: Record<string, unknown>;
  /**
   * `asked`: it waits for a person's decision; `begun` without a later state: it isn't known whether it
   * was done.
   */
  state: "allowed" | "asked" | "begun" | "done" | "failed" | "refused";
  /** What the tool answered, or why it failed; empty before. */
  result: string;
  at: string;
}

/** The tool calls of a conversation, newest first; at most 100. */
export interface AssistantToolCalls {
  data: AssistantToolCall[];
}

/** An assistant's tools that are other programs, in the order they were added; at most 20. */
export interface AssistantTools {
  data: AssistantTool[];
}

/** Everything a customer wrote since the last answer, and the assistant's answer. */
export interface AssistantTurn {
  id: number;
  at: string;
  assistantId: number;
  /** The version of the assistant. */
  version: number;
  accountId: number;
  conversationId: number;
  /** The customer's newest message in this turn. */
  messageId: number;
  mode: "answer" | "shadow" | "suggest";
  /** `ready`: it can be accepted or dismissed; in `shadow`, it waits for a person's answer. */
  state: "discarded" | "dismissed" | "failed" | "handed_over" | "ready" | "sent" | "thinking" | "waiting";
  /**
   * What happened to the suggestion. `taken`: a person sent it unchanged; `used`: a program did. Null:
   * nobody has decided.
   */
  outcome: "dismissed" | "edited" | "taken" | "used" | "written" | null;
  /** Why there is no answer, as a stable word such as `no_source`. */
  reason: string | null;
  /** The answer, or what it would have been. */
  text: string;
  /** The sources of the answer. */
  sources: AssistantSource[];
  /** A person's rating; null: not rated. */
  right: boolean | null;
  /** The first message sent from it. */
  sentMessageId: number | null;
  /** The first message a person wrote instead; in `shadow`, for comparison. */
  answeredMessageId: number | null;
  model: string | null;
  tokens: number;
  /** In millionths of the model's currency. */
  cost: number;
  tookMs: number;
}

/** Turns, newest first. */
export interface AssistantTurns {
  data: AssistantTurn[];
  /** Cursor for older runs; null: there are none. */
  next: string | null;
}

/** A current or earlier version of an assistant. */
export interface AssistantVersion {
  version: number;
  /** A member, or the name of an API key. */
  author: string;
  at: string;
  /** Null: created by a newer version of Lobby. */
  body: AssistantBody | null;
}

/** Versions of an assistant, newest first; the last 50. */
export interface AssistantVersions {
  data: AssistantVersion[];
}

/** The assistants of the workspace, oldest first. */
export interface Assistants {
  data: Assistant[];
}

/** A file of a message. */
export interface Attachment {
  id: number;
  kind: string;
  name: string;
  /** Detected from its bytes; empty if not known yet. */
  contentType: string;
  /** In bytes, if known. */
  size: number | null;
  /** In pixels, for a picture. */
  width: number | null;
  height: number | null;
  /** URL to download it with the same key. */
  url: string;
}

/** An attribute of the workspace's contacts. */
export interface Attribute {
  id: number;
  name: string;
  /** The type of its values. It can't be changed. */
  kind: "choice" | "date" | "number" | "text" | "yes_no";
  /** Null: not a choice. */
  choices: string[] | null;
}

/** A contact's value of an attribute of the workspace. */
export interface AttributeValue {
  /** The id of the attribute. */
  id: number;
  name: string;
  /** As text: dates as `2026-11-20`, yes or no as `yes` and `no`. */
  value: string;
}

/** The attributes of the workspace, in the order they were created. */
export interface Attributes {
  data: Attribute[];
}

/** An audio file. */
export interface AudioContent {
  type: "audio";
  audio: FileRef;
}

/** The message sent once per absence, outside working hours. */
export interface Away {
  /** The text is kept while it is off. */
  on: boolean;
  /** Variables in double braces, each with a fallback. */
  text?: string;
}

/** A contact that was blocked or unblocked, and the providers that failed to do so. */
export interface Blocked {
  contact: Contact;
  /** Why a provider failed. The change applies in Lobby anyway. */
  problems: string[];
}

/** The progress of a bulk action. */
export interface BulkAction {
  id: number;
  action:
    | "assign"
    | "close"
    | "label"
    | "open"
    | "read"
    | "snooze"
    | "spam"
    | "team"
    | "unlabel"
    | "unspam"
    | "wake";
  /** It runs in the background: poll while it is `running` or `undoing`. */
  state: "done" | "running" | "stopped" | "undoing" | "undone";
  /** Number of conversations to change. */
  total: number;
  /** Number of conversations processed. */
  done: number;
  /** Number of conversations changed. */
  changed: number;
  /** Number of conversations that could not be changed. */
  skipped: number;
  /** Number of conversations restored by the undo. */
  restored: number;
  /** Number of conversations not restored because they changed since. */
  kept: number;
  createdAt: string;
  undoUntil: string;
}

/** The working hours of a workspace or a team. */
export interface BusinessHours {
  /** Null: no hours of its own. A team then uses the workspace's hours; a workspace is always open. */
  week: Week | null;
  exceptions: HoursException[];
  /** An IANA time zone. */
  timezone: string;
  /** Increases with each change. */
  version: number;
  /** Whether it is open now, according to the hours in effect. */
  open: boolean;
  /** When that changes; null: not within 400 days. */
  until: string | null;
}

/** A button of a card: it opens `url`, or sends `payload`. */
export interface Button {
  title: string;
  url?: string | null;
  payload?: string | null;
}

/** A text with buttons. Lengths are in characters. */
export interface ButtonsLimits {
  textLength: number;
  buttons: number;
  titleLength: number;
  payloadLength: number;
  /** Whether titles and payloads of answers must differ. */
  unique: boolean;
}

/** A page of the people of a campaign, the most recent comment first. */
export interface CampaignPeople {
  data: CampaignPerson[];
  /** Cursor for earlier people; null: there are none. */
  next: string | null;
}

/** A person who commented with a campaign's keyword. Listed once, even if they did so several times. */
export interface CampaignPerson {
  contactId: number;
  /** Null: not known. */
  name: string | null;
  username: string | null;
  /** The conversation of their last comment with the keyword. */
  conversationId: number;
  /** Their last comment with the keyword. */
  messageId: number;
  /** Number of their comments with the keyword. */
  messages: number;
  /** When they last wrote it. */
  at: string;
  /**
   * `had`: already sent for an earlier comment. `waits`: the private reply is not sent yet. `refused`:
   * it was not sent because of `reason` or `problem`.
   */
  got: "got" | "had" | "refused" | "waits";
  /** Why nothing was sent, or no public answer, as a stable word. Null: everything was sent. */
  reason: string | null;
  /** Why the private reply failed, or what it is waiting for, as a sentence. */
  problem: string | null;
  /** The private reply; null: none. */
  privateMessageId: number | null;
  /** Number of the public answer, from 1; null: none. */
  publicAnswer: number | null;
  /** When they answered the private reply; null: not yet. */
  answeredAt: string | null;
}

/** A file of a canned reply. */
export interface CannedFile {
  id: number;
  kind: MessageKind;
  name: string;
  contentType: string;
  size: number;
}

/** Shared and team replies, most used first. */
export interface CannedReplies {
  data: CannedReply[];
}

/** A saved reply. */
export interface CannedReply {
  id: number;
  /** Up to 32 letters, digits, dots and hyphens. */
  shortcut: string;
  title: string;
  /**
   * By language; `default` is used for all others. Variables such as `{{contact.name}}` are filled in
   * when it is used; a person fills in the rest.
   */
  texts: Record<string, string>;
  /** The id of its team; null: shared with everyone. */
  team: number | null;
  files: CannedFile[];
  /** Number of replies sent with it. */
  uses: number;
  usedAt: string | null;
  changedAt: string;
}

/** The kinds of messages that can be sent, and their limits. */
export interface Capabilities {
  /** Values of `kind` for messages to send. */
  kinds: string[];
  /** Per message, in `textLimitUnit`. */
  textLimitBytes: number | null;
  /** `bytes` of UTF-8, `characters` of Unicode, or code units of `utf16`. */
  textLimitUnit: TextUnit;
  /** By kind. */
  files: Record<string, FileLimits>;
  imagesPerMessage: number;
  /** Whether a text and its files are one message. */
  textWithFiles: boolean;
  /** The text of a message with a file, as its caption; null: it is sent after it. */
  captions: CaptionLimits | null;
  /** Total size of the files of one message. */
  filesBytes: number | null;
  /** Whether `**bold**`, `*italic*`, lists, links and quotes are formatted. */
  formatting: boolean;
  /** Whether the team can write to a contact first. */
  canStart: boolean;
  /** Maximum number of `cc` and `bcc` recipients together; null: not supported. */
  copies: number | null;
  /** Whether accounts of this channel can forward messages. */
  forwards: boolean;
  quickReplies: QuickReplyLimits | null;
  template: TemplateLimits | null;
  buttons: ButtonsLimits | null;
  mostProducts: number | null;
  /** Whether a file can be sent by its provider id. */
  providerFiles: boolean;
  /** Whether a message can quote an earlier one. */
  replyQuote: boolean;
  /** Emoji to react with; empty: any; null: not supported. */
  reactions: string[] | null;
  /** Whether a typing indicator is supported. */
  typing: boolean;
  /** Whether read receipts are supported. */
  markSeen: boolean;
  iceBreakers: IceBreakerLimits | null;
  menu: MenuLimits | null;
  /** Whether a conversation can be taken from another app, and passed to one. */
  threadControl: boolean;
  /** Whether a conversation can be released, so that the provider chooses who answers. */
  threadRelease: boolean;
  /** Whether the provider can be asked to block a customer. */
  blocks: boolean;
  /** Whether messages are public, each as a reply to one message. */
  public: boolean;
  /** Kinds of post whose comments can't be answered publicly. */
  privateOnly: string[];
  /** Limits of the one private reply to a message; null: not supported. */
  privateReplies: PrivateReplyLimits | null;
  /** Supported actions on a customer's message: `hide`, `delete`. */
  moderation: string[];
  /** Kinds that are only shown in the provider's mobile app. */
  mobileOnly: string[];
  /** Kinds of messages that only this channel has. */
  customKinds: CustomKind[];
}

/** A text below a file, in one message with it. */
export interface CaptionLimits {
  /** In `textLimitUnit`. */
  length: number;
  /** Kinds of files that can have one. */
  kinds: string[];
}

/** A card. It needs more than its title. */
export interface Card {
  title: string;
  subtitle?: string | null;
  image?: FileRef | null;
  url?: string | null;
  buttons?: Button[];
}

/** A channel whose accounts can be connected with credentials. */
export interface Channel {
  /** Its key, as in `channel` of an account. */
  key: string;
  name: string;
  fields: ChannelField[];
}

/** A field to fill in to connect an account. */
export interface ChannelField {
  /** Its name in `values`. */
  name: string;
  label: string;
  help: string;
  /** `lines`: several lines; `checkbox`: `1` or empty; `select`: see `choices`. */
  kind: "checkbox" | "lines" | "number" | "select" | "text";
  required: boolean;
  /** Whether it is a credential, which is never returned. */
  secret: boolean;
  maxLength: number;
  choices: ChannelFieldChoice[];
}

/** An option of a field. */
export interface ChannelFieldChoice {
  value: string;
  label: string;
}

/** The channels whose accounts can be connected with credentials. */
export interface Channels {
  data: Channel[];
}

/** A channel, and the values of its fields. */
export interface ConnectAccount {
  /** The key of a channel of `GET /channels`. */
  channel: string;
  /** The values by the name of the field. */
  values: Record<string, string>;
}

/** The account that was connected, or why it isn't yet. */
export interface ConnectedAccount {
  account: Account | null;
  /** The person who has to approve it first, and what happens then. */
  asked: string | null;
}

/** A person who writes to the workspace. */
export interface Contact {
  id: number;
  name: string | null;
  email: string | null;
  createdAt: string;
  /** When they opted out of automated messages; null: they did not. */
  optedOutAt: string | null;
  /** How that is known; if they wrote it themselves, the word, such as `STOP`. */
  optedOutSource: string | null;
  /** When they were blocked, so that their messages go to spam; null: not blocked. */
  blockedAt: string | null;
  /** Attributes that have a value. */
  attributes: AttributeValue[];
  /** Labels of their conversations, by name. */
  labels: LabelRef[];
  identities: Identity[];
}

/** A contact card, with at least one phone number or email address. */
export interface ContactCard {
  name: string;
  phones?: string[];
  emails?: string[];
  company?: string;
}

/** A note of the team about a contact. */
export interface ContactNote {
  id: number;
  text: string;
  /** A member, or the name of an API key. */
  author: string | null;
  at: string;
}

/** The notes about a contact, newest first; at most 200. */
export interface ContactNotes {
  data: ContactNote[];
}

/** The contact of a conversation. */
export interface ContactRef {
  id: number;
  name: string | null;
  username: string | null;
  /** The provider's id, always a string. */
  externalId: string;
  /** The channel's name for that id. */
  externalIdName: string;
}

/** A page of contacts. */
export interface Contacts {
  data: Contact[];
  /** Cursor of the next page; null: this is the last page. */
  next: string | null;
}

/** A conversation between one contact and the team on one account. */
export interface Conversation {
  id: number;
  status: "closed" | "open";
  channel: string;
  accountId: number;
  /** The public id of an account, a string; the last part of its webhook address. */
  channelId: string;
  contact: ContactRef;
  subject: string | null;
  /** The post, on a comment channel; null: none. */
  post: Post | null;
  assignee: Person | null;
  /** The team it is assigned to, in addition to the assignee. */
  team: TeamRef | null;
  /**
   * `person`: no automated messages are sent; `automation`: automation answered; `nobody`: neither,
   * since it started or was closed.
   */
  handledBy: "automation" | "nobody" | "person";
  /** Messages that nobody on the team has read. */
  unreadCount: number;
  /** Messages from the team that failed. */
  failedCount: number;
  lastMessage: Last;
  /** The provider's time of the last message that opens a reply window. */
  lastInboundAt: string | null;
  replyWindow: Window;
  /** By name. */
  labels: LabelRef[];
  /** Null: it is not snoozed. */
  snooze: Snooze | null;
  /** Whether the team marked it as spam. */
  spam: boolean;
  /** Since when the customer has been waiting for a reply; null: they are not. */
  waitingSince: string | null;
  /** When the response is due; null: the customer is not waiting, or there is no response time. */
  dueAt: string | null;
  /** When the first scheduled reply is sent; null: none. */
  scheduledAt: string | null;
  /** The conversation it continues, on another account; null: none. */
  previousId: number | null;
  /** The conversation that continues it, on another account; null: none. */
  nextId: number | null;
  createdAt: string;
  closedAt: string | null;
}

/** Filters for a list of conversations. */
export interface ConversationQuery {
  /** Omitted: both. */
  status?: "closed" | "open" | null;
  channel?: string | null;
  /** The id of an account. */
  account?: number | null;
  assignee?: string | null;
  team?: string | null;
  /** Omitted: all. */
  handledBy?: "automation" | "nobody" | "person" | null;
  contact?: string | null;
  /** Has at least one of these labels. */
  labels?: string | null;
  /** Has all of these labels. */
  allLabels?: string | null;
  /** Has none of these labels. */
  noLabels?: string | null;
  /** Omitted: both. */
  snoozed?: boolean | null;
  /** True: only spam; otherwise no spam. */
  spam?: boolean;
  /** Whether the last message is from the customer. */
  needsReply?: boolean | null;
  /** Whether a message from the team failed. */
  failed?: boolean | null;
  /** The id of a person mentioned in one of its notes. */
  mentioned?: number | null;
  /** Whether the customer has waited longer than the account's response time. */
  late?: boolean | null;
  /** Whether a reply is scheduled. */
  scheduled?: boolean | null;
  /** The id of the post that it is about. */
  post?: number | null;
  /** The maximum number of results. */
  limit?: number;
  /** `next` of the previous page. */
  cursor?: string | null;
}

/** A page of conversations, ordered by the latest message or the latest end of a snooze, newest first. */
export interface Conversations {
  data: Conversation[];
  /** Cursor of the next page; null: this is the last page. */
  next: string | null;
}

/** An assistant to create. */
export interface CreateAssistant {
  /** At most 40 characters. */
  name: string;
}

/** A case to create. */
export interface CreateAssistantCase {
  /** Can be empty with `turnId`, which provides the question. */
  question?: string;
  /** Whether a person should answer it. Words are then ignored. */
  handsOver?: boolean;
  /** Words that a good answer contains, all of them. */
  says?: string[];
  /** Words that it never contains. */
  neverSays?: string[];
  /** A wrong turn of the assistant. The case is erased with it. */
  turnId?: number | null;
}

/** A tool to create. */
export interface CreateAssistantTool {
  /** Lowercase letters, digits and underscores, at most 40. */
  name: string;
  /** What it does, in at most 64 characters. */
  title: string;
  /** When to use it, in at most 1,000 characters. */
  about: string;
  /** An https URL on port 443. */
  url: string;
  /**
   * `reads`: it looks something up. `reversible`: a person can undo it easily. `asks`: everything else;
   * a person approves each use.
   */
  effect?: "asks" | "reads" | "reversible";
  /** The JSON schema of the object a model fills in, of at most 16 KB. */
  parameters?: Record<string, unknown>;
  /** The header that carries its secret. */
  header?: string;
  /** Omitted: unchanged, unless the URL has another host. Null: none. */
  secret?: string | null;
}

/** An attribute to create. */
export interface CreateAttribute {
  /** A unique name of at most 40 characters. */
  name: string;
  /** The type of its values. It can't be changed. */
  kind?: "choice" | "date" | "number" | "text" | "yes_no";
  /** The options of a choice. */
  choices?: string[];
}

/** An action, and the conversations to apply it to. */
export interface CreateBulkAction {
  action:
    | "assign"
    | "close"
    | "label"
    | "open"
    | "read"
    | "snooze"
    | "spam"
    | "team"
    | "unlabel"
    | "unspam"
    | "wake";
  conversationIds?: number[] | null;
  /** All conversations that match now; takes the parameters of the list of conversations. */
  filter?: ConversationQuery | null;
  /** Must be true for a filter that matches everything, such as `{}`. */
  all?: boolean;
  /** With `assign`; null: nobody. */
  assignee?: number | null;
  /** With `team`; null: none. */
  team?: number | null;
  /** With `label` and `unlabel`. */
  label?: number | null;
  /** With `snooze`. */
  snooze?: Snooze | null;
}

/** A canned reply to create. */
export interface CreateCannedReply {
  /** Up to 32 letters, digits, dots and hyphens. */
  shortcut: string;
  title: string;
  /**
   * By language; `default` is used for all others. Variables such as `{{contact.name}}` are filled in
   * when it is used; a person fills in the rest.
   */
  texts?: Record<string, string>;
  /** The id of its team; null: shared with everyone. */
  team?: number | null;
  /** Ids of uploaded files to send with it; each id can be used once. */
  uploads?: string[];
}

/** A note about a contact. */
export interface CreateContactNote {
  text: string;
}

/** The account to start from, and the first message. */
export interface CreateConversation {
  /** An account whose channel has `canStart`. */
  accountId: number;
  /** Omitted with `template`. */
  text?: string | null;
  /**
   * An approved template, instead of `text` and `files`: all that can be sent where the reply window is
   * closed until they write.
   */
  template?: FirstTemplate | null;
  to?: string | null;
  /**
   * The conversation it continues, with the same contact. It is closed; its assignee, team and labels
   * are carried over. Each can be continued once.
   */
  previousId?: number | null;
  subject?: string | null;
  files?: FileRef[];
  cc?: string[];
  bcc?: string[];
  ownAddress?: string | null;
}

/** An endpoint to create. */
export interface CreateEndpoint {
  /** An https URL on port 443. */
  url: string;
  /** Names of events; `message.*` matches all that begin with it, `*` all events. */
  events: EventChoice[];
  /** Only events of these accounts; empty: of all. */
  accounts?: number[];
  /** Only conversations with one of these labels; empty: all. */
  labels?: number[];
  /**
   * Whether to also send the general event along with a channel-specific one, such as `message.received`
   * with a channel's event for a tapped button.
   */
  both?: boolean;
  /** Whether an event waits until earlier events of its conversation are delivered. */
  ordered?: boolean;
}

/** The messages to forward, and the recipients. */
export interface CreateForward {
  /** Addresses, also as `Ana Lima <ana@example.org>`. Neither the customer's nor that it goes from. */
  to: string[];
  /** Null: the whole conversation, up to the newest 200 messages. */
  messageId?: number | null;
  /** The account to send from, whose channel must have `forwards`. Null: the first. */
  accountId?: number | null;
  /** Text above the messages. */
  note?: string;
  /** Whether to attach the files of the messages. */
  files?: boolean;
}

/** An entry to add. */
export interface CreateKnowledge {
  /** Its title, at most 200 characters. */
  title?: string;
  /** Its text, which may be Markdown. */
  text?: string;
  /** Example questions: at most 20 of 300 characters. */
  questions?: string[];
  /** URL of a page instead of a text. It is loaded shortly and then weekly. */
  url?: string;
}

/** A label to create. */
export interface CreateLabel {
  /** A unique name of at most 40 characters. */
  name: string;
  /** Name of its color. */
  tone?: "amber" | "blue" | "green" | "grey" | "orange" | "pink" | "red" | "teal" | "violet";
}

/** A note to add. */
export interface CreateNote {
  text: string;
  /** Ids of people to notify. Each must have access to the conversation's account. */
  mentions?: number[];
  /**
   * Ids of teams whose members are notified, if they have access to the conversation's account. At least
   * one member must.
   */
  teams?: number[];
}

/** The team's new reaction. */
export interface CreateReaction {
  /** One emoji. */
  emoji: string;
}

/** A rule to create. */
export interface CreateRule {
  /** At most 40 characters. */
  name: string;
  /**
   * `when` names an event, all `conditions` must match, and `actions` run in order. The guide lists the
   * possible values.
   */
  body: RuleBody;
  /** `shadow`: it logs what it would have done, but does nothing. `draft` and `off`: it does not run. */
  state?: "draft" | "live" | "off" | "shadow";
}

/** A sequence to create. */
export interface CreateSequence {
  /** At most 40 characters. */
  name: string;
  /**
   * `starts` names the messages that start it, and `steps` follow each other. The guide lists the
   * possible values.
   */
  body: SequenceBody;
}

/** A team to create. */
export interface CreateTeam {
  /** A unique name of at most 40 characters. */
  name: string;
  /** The complete list: anyone not in it is removed from the team. */
  members?: TeamMemberInput[];
  /** The ids of all accounts it handles, in this workspace. */
  accounts?: number[];
}

/** A view to save. */
export interface CreateView {
  name: string;
  /** The parameters of the list of conversations; no `cursor`. */
  filter?: ConversationQuery;
  /** A search, instead of a filter. */
  search?: string;
}

/** A kind of message that only one channel has. */
export interface CustomKind {
  /** Value of `content.custom.kind`. */
  name: string;
  label: string;
  /** JSON Schema of `content.custom.data`. */
  dataSchema: Record<string, unknown>;
}

/** A page of the log, newest first. */
export interface Deliveries {
  data: Delivery[];
  /**
   * Use `next`.
   * @deprecated
   */
  before: number | null;
  /** Cursor of the next page; null: this is the last page. */
  next?: string | null;
}

/** One event for one endpoint. */
export interface Delivery {
  id: number;
  /** The header `webhook-id`, the same in every attempt. */
  eventId: string;
  event: EventName;
  state: "delivered" | "given_up" | "waiting";
  /** Attempts since it was last queued, at most eight. */
  attempts: number;
  /** When it is retried. */
  nextAt: string | null;
  status: number | null;
  /** The beginning of the last response, or why there was none. */
  words: string;
  /** The latest attempts, oldest first. */
  tries: Try[];
  /** Whether its message was unsent or erased. */
  erased: boolean;
  createdAt: string;
}

/** A delivery and its body. */
export interface DeliveryWithBody {
  delivery: Delivery;
  /** `{event, data}`, as it would be sent now. */
  body: Record<string, unknown>;
}

/** The results of all checks of an account. */
export interface Diagnosis {
  accountId: number;
  at: string;
  data: DiagnosisFinding[];
}

/** The result of a check. */
export interface DiagnosisFinding {
  /** A stable name of the check. */
  name: string;
  /** What was checked, in the language of `Accept-Language`. */
  title: string;
  /** `warn`: it blocks nothing yet; `unknown`: the check could not tell. */
  verdict: "fail" | "pass" | "unknown" | "warn";
  /** What was observed; never a credential. */
  evidence: string;
  /** What to do; empty if it passed. */
  fix: string;
  /** When that was observed; null: while the check ran. */
  seenAt: string | null;
  /** Whether that is too long ago to rely on. */
  old: boolean;
}

/** A disconnected account. */
export interface DisconnectedAccount {
  account: Account;
  /** False: the provider could not be notified. Remove Lobby's access there, too. */
  providerNotified: boolean;
}

/** The answer to dismiss. */
export interface DismissPastAnswer {
  /** Its text, as it was listed. */
  text: string;
}

/** A dismissed answer. */
export interface DismissedPastAnswer {
  /** The id of the dismissal, to restore the answer. */
  id: number;
  at: string;
}

/** A card. It needs more than its title. */
export interface Element {
  title: string;
  subtitle?: string | null;
  imageUrl?: string | null;
  buttons?: (LinkButton | PostbackButton)[];
}

/** An address that receives events. */
export interface Endpoint {
  id: number;
  url: string;
  events: EventChoice[];
  accounts: number[];
  labels: number[];
  /**
   * Whether to also send the general event along with a channel-specific one, such as `message.received`
   * with a channel's event for a tapped button.
   */
  both: boolean;
  /** Whether an event waits until earlier events of its conversation are delivered. */
  ordered: boolean;
  state: "active" | "off" | "paused";
  /** Why it is off: it returned 410, or every delivery failed for five days. */
  reason: "failing" | "gone" | null;
  /** Null: the last delivery succeeded. */
  failingSince: string | null;
  /** Until when requests are also signed with the previous secret. */
  oldSecretUntil: string | null;
  createdAt: string;
}

/** The endpoints of the workspace, in order of creation. */
export interface Endpoints {
  data: Endpoint[];
}

/** An error. */
export interface Error {
  /** Stable code, for programs. */
  code: string;
  /** What happened, in a sentence for the program's author, in their language. */
  message: string;
  /** Identifies this request in Lobby's log. */
  requestId: string;
  /** What the program can do; omitted: nothing. */
  next?: string;
  field?: string | null;
  limit?: number | null;
}

/** Shape of every error. */
export interface ErrorAnswer {
  error: Error;
}

/** One event, as webhook endpoints get it. */
export interface Event {
  /** The same as the header `webhook-id`. */
  id: string;
  event: EventName;
  data: Record<string, unknown>;
  /** When Lobby recorded it. */
  at: string;
}

/** An account of a channel. */
export interface EventAccount {
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  name: string;
  handle: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** An assistant. */
export interface EventAssistant {
  id: string;
  /** Empty: it has been deleted. */
  name?: string;
}

/** The new mode of an assistant on an account. */
export interface EventAssistantMode {
  assistant: EventAssistant;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  mode: "answer" | "off" | "shadow" | "suggest";
  before: "answer" | "off" | "shadow" | "suggest";
  /** Omitted: a program did it. */
  by?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** An assistant that was stopped or resumed. */
export interface EventAssistantState {
  assistant: EventAssistant;
  /** Omitted: a program did it. */
  by?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** An assistant's response to a customer, without the words. Get the turn from the API. */
export interface EventAssistantTurn {
  assistant: EventAssistant;
  /** The id of the turn in the API. */
  turnId: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  conversationId: string;
  /** The customer's newest message in this turn. */
  messageId?: string;
  /** The reason, as a stable word such as `no_source` or `model_timeout`. Omitted: none. */
  reason?: string;
  /** For `assistant.taken`: whether a person edited it first. */
  edited?: boolean;
  /** Omitted: no person did it. */
  by?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** One of several files, or a file of a kind without its own key. */
export interface EventAttachment {
  type: string;
  url: string;
  name?: string;
}

/** A contact who opted out of automated messages, or opted in again. */
export interface EventContactAgreed {
  /** The contact's id. */
  id: string;
  /** What the customer wrote; omitted if a person or a program recorded it. */
  word?: string;
  /** The id of the message with this word. */
  messageId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A contact that changed. Get its details from the API. */
export interface EventContactChanged {
  /** The contact's id. */
  id: string;
  /** The detail that changed. */
  field?: "attribute" | "email" | "name" | "note";
  /** The id of the attribute, if one changed. */
  attributeId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** An erased contact. */
export interface EventContactErased {
  /** The contact's id. Remove what you have of them. */
  id: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A further id of a contact on an account of a channel. Get all of their ids from the API. */
export interface EventContactIdentityAdded {
  /** The contact's id. */
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The further id; omitted if it is no longer stored. */
  externalId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** Two contacts that were merged, or whose merge was undone. */
export interface EventContactMerged {
  /** The remaining contact. */
  id: string;
  /** The contact that was merged into it, or split from it. */
  other: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** The content of a message. ``type`` is its kind; a file is under the key of that name. */
export interface EventContent {
  /** New kinds may be added. */
  type: string;
  text?: string;
  image?: EventMedia;
  video?: EventMedia;
  audio?: EventMedia;
  file?: EventMedia;
  sticker?: EventMedia;
  /** For a tapped button or quick reply. */
  payload?: string;
  quickReplies?: Record<string, unknown>[];
  template?: Record<string, unknown>;
  /** All files, if there are several or one of another kind. */
  attachments?: EventAttachment[];
}

/** A conversation as it was when the event was sent. */
export interface EventConversation {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  status: "closed" | "open";
  /** Omitted: nobody. */
  assignee?: EventPerson;
  /** Omitted: none. */
  team?: EventTeam;
  /** `person`: no automated messages are sent. */
  handledBy: "automation" | "nobody" | "person";
  /** The member who did it. */
  by?: EventPerson;
  labels?: EventLabel[];
  /** The label that was added or removed. */
  label?: EventLabel;
  snooze?: EventSnooze;
  /** Why the snooze ended. */
  because?: "message" | "team" | "time";
  /** When the response is due, or when the reply window closes. */
  until?: string;
  /** The conversation that a new one continues. */
  previousId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A label. */
export interface EventLabel {
  id: string;
  /** Empty: it has been deleted. */
  name?: string;
}

/** A deleted label. */
export interface EventLabelDeleted {
  id: string;
  /** The label that replaces it; omitted: none. */
  into?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A file. */
export interface EventMedia {
  /** URL to download it with an API key of the workspace. */
  url?: string;
  /** For a sticker that the provider identifies by name. */
  id?: string;
}

/** A message that was delivered to the customer. */
export interface EventMessageDelivered {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  to: string;
  conversationId: string;
  contactId: string;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** An edited message, with its new text. */
export interface EventMessageEdited {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  direction: "inbound" | "outbound";
  /** For an inbound message. */
  from?: string;
  /** For an outbound message. */
  to?: string;
  conversationId: string;
  contactId: string;
  content: EventContent;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** A customer's message that the team hid, unhid or deleted at the provider. */
export interface EventMessageModerated {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  conversationId: string;
  contactId: string;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** A customer's reaction. */
export interface EventMessageReacted {
  messageId: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  conversationId: string;
  contactId: string;
  /** The provider's word for it. */
  reaction?: string;
  emoji?: string;
  action: "react" | "unreact";
  /** In UTC, to the second. */
  timestamp: string;
}

/** A message that the customer has seen, with all before it. */
export interface EventMessageRead {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  to: string;
  conversationId: string;
  contactId: string;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** A customer's message. */
export interface EventMessageReceived {
  id: string;
  /** The account of the channel. */
  channelId: string;
  /** The channel. */
  channelType: string;
  direction: "inbound";
  /** The customer's id at the provider. */
  from: string;
  conversationId: string;
  contactId: string;
  content: EventContent;
  /** For a tap on an addon's quick reply that nobody else has to answer: the addon. */
  claimedBy?: string;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** An unsent message, without its content. */
export interface EventMessageUnsent {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  direction: "inbound" | "outbound";
  conversationId: string;
  contactId: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** Additional information. */
export interface EventMetadata {
  /** The provider's id of the message. */
  mid?: string;
  /** The customer's username at the provider. */
  username?: string;
}

/** An internal note, visible only to the team. */
export interface EventNoteAdded {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  conversationId: string;
  text: string;
  author?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A deleted internal note, without its text. */
export interface EventNoteDeleted {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  conversationId: string;
  author?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** An edited internal note, with its new text. */
export interface EventNoteEdited {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  conversationId: string;
  text: string;
  author?: EventPerson;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A message of the team, and its delivery state. */
export interface EventOurMessage {
  id: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  direction: "outbound";
  /** The customer's id at the provider. */
  to: string;
  conversationId: string;
  contactId: string;
  /** Who made it: `agent`, `api`, `system` or `provider`. */
  origin: string;
  author?: EventPerson;
  content: EventContent;
  error?: EventProblem;
  /** In UTC, to the second. */
  timestamp: string;
  metadata: EventMetadata;
}

/** Somebody of the team. */
export interface EventPerson {
  id: string;
  name: string;
}

/** The reason why a message was not sent. */
export interface EventProblem {
  code: string;
  message: string;
}

/** A rule. */
export interface EventRule {
  id: string;
  /** Empty: it has been deleted. */
  name?: string;
}

/** A rule's call of one webhook endpoint. Get the conversation and the message from the API. */
export interface EventRuleCalled {
  rule: EventRule;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  conversationId: string;
  /** The message that triggered the rule; omitted: none. */
  messageId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A rule's notification about a conversation, to a member or a team. */
export interface EventRuleTold {
  rule: EventRule;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  conversationId: string;
  /** The message that triggered the rule; omitted: none. */
  messageId?: string;
  /** Omitted: a team is notified. */
  person?: EventPerson;
  /** Omitted: a member is notified. */
  team?: EventTeam;
  /** In UTC, to the second. */
  timestamp: string;
}

/** The end of a run of a sequence. */
export interface EventSequenceEnded {
  sequence: EventSequenceRef;
  /** The id of the run in the API. */
  runId: string;
  version: number;
  /** The step it ended at. Omitted: it ended before its first one. */
  step?: string;
  /** `people`: it was handed to people. `stopped`: it could not go on. */
  outcome: "done" | "failed" | "people" | "stopped";
  /** The reason, as a stable word such as `asked` or `window_closed`. Omitted: none. */
  reason?: string;
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  conversationId: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** A sequence. */
export interface EventSequenceRef {
  id: string;
  /** Empty: it has been deleted. */
  name?: string;
}

/** The start of a run of a sequence with a customer. */
export interface EventSequenceStarted {
  sequence: EventSequenceRef;
  /** The id of the run in the API. */
  runId: string;
  /** The version of the sequence. The run ends on it. */
  version: number;
  /** What started it: a message of the customer, a rule, a campaign or the API. */
  startedBy: "api" | "campaign" | "first" | "ref" | "rule" | "story" | "tap" | "words";
  /** The account of the channel. */
  channelId: string;
  channelType: string;
  /** The customer's id at the provider. */
  from: string;
  contactId: string;
  conversationId: string;
  /** The customer's last message; omitted: none. */
  messageId?: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** The snooze of a conversation. */
export interface EventSnooze {
  /** `until` a time or a message, `reply` a message, `fixed` a time whatever comes. */
  kind: "fixed" | "reply" | "until";
  /** In UTC, to the second. */
  until?: string;
}

/** A team. */
export interface EventTeam {
  id: string;
  /** Empty: it has been deleted. */
  name?: string;
}

/** A deleted team. */
export interface EventTeamDeleted {
  id: string;
  /** In UTC, to the second. */
  timestamp: string;
}

/** The remains of an event whose message was unsent or whose customer was erased: its ids. */
export interface EventTombstone {
  id?: string;
  messageId?: string;
  conversationId?: string;
  contactId?: string;
  channelId?: string;
  channelType?: string;
  erased: true;
}

/** Events, in the order they happened. */
export interface Events {
  data: Event[];
  /** Cursor for later events; also set if there are none. */
  next: string;
  /** Whether there are more now. */
  more: boolean;
}

/** Any other file. */
export interface FileContent {
  type: "file";
  file: FileRef;
}

/** Files of one kind. */
export interface FileLimits {
  /** Empty: any type. */
  contentTypes: string[];
  maxBytes: number;
}

/** A file to send: an address to fetch it from, an upload, or a file the provider already has. */
export interface FileRef {
  url?: string | null;
  upload?: string | null;
  providerId?: string | null;
}

/** A text that the provider approved in advance, with which a conversation begins. */
export interface FirstTemplate {
  /** Its `id`, from `GET /accounts/{account_id}/templates`. */
  templateId: string;
  parameters?: Record<string, string> | null;
  /** For a template whose header is a file. */
  file?: FileRef | null;
}

/** A contact that was found, with its most recently active conversation. */
export interface FoundContact {
  contactId: number;
  conversationId: number;
  name: string;
  handle: string | null;
  channel: string;
  lastMessageAt: string;
}

/** Cards side by side. */
export interface GenericTemplate {
  elements: Element[];
  type?: "generic";
}

/** The message sent once to new customers, and to those who were silent for long. */
export interface Greeting {
  /** The text is kept while it is off. */
  on: boolean;
  /** Variables in double braces, each with a fallback. */
  text?: string;
  /** Days without a message after which customers are greeted again. */
  silenceDays?: number;
  /** Message types that trigger it. Empty: all except a mention without text. */
  after?: ("mention" | "message" | "story_reply" | "tap")[];
}

/** The target of a handoff. */
export interface HandingOver {
  /** The reason, as a private note for the next person. */
  note?: string;
  /** The id of a person; omitted: unchanged. */
  assignee?: number | null;
  /** The id of a team; omitted: unchanged. */
  team?: number | null;
}

/** Days with hours that differ from the week. */
export interface HoursException {
  first: string;
  /** The same day, or up to a year later. */
  last: string;
  /** At most six, without overlaps; empty: closed. */
  hours: OpenHours[];
  /** The reason, in at most 80 characters. */
  name?: string;
  /** Repeats each year, unless another exception covers the day. */
  yearly?: boolean;
}

/** A question. A tap on it arrives as a message of the kind `postback`, with its payload. */
export interface IceBreaker {
  question: string;
  /** What a tap sends. Default: the question. */
  payload?: string;
}

/** Questions offered to customers who have not written yet, per locale. Lengths are in characters. */
export interface IceBreakerLimits {
  most: number;
  questionLength: number;
  payloadLength: number;
}

/** The questions per locale. `default` is shown for locales without their own. */
export interface IceBreakersOfAccount {
  /** By locale, as `de_DE`, or `default`. */
  locales: Record<string, IceBreaker[]>;
}

/** An id of a contact on one account of a channel. There may be several on the same account. */
export interface Identity {
  accountId: number;
  channel: string;
  /** The provider's id, always a string. */
  externalId: string;
  /** The channel's name for that id. */
  externalIdName: string;
  /**
   * Whether messages to them on this account go to this id. Their name, profile and block are with this
   * one.
   */
  primary: boolean;
  /**
   * `lasting`: never means anybody else; `passing`: may become somebody else's, such as a phone number;
   * `former`: another of their ids replaced it, or somebody else has it; null: the provider did not say.
   */
  kind: "former" | "lasting" | "passing" | null;
  /** Since when it is known to be theirs; null: a `former` one. */
  since: string | null;
  /** Until when a `former` one was theirs. */
  until: string | null;
  name: string | null;
  username: string | null;
  /** Other data from the provider; depends on the channel. */
  profile: Record<string, unknown>;
  /** When they were blocked at the provider; null: not blocked. */
  blockedAt: string | null;
}

/** A picture. */
export interface ImageContent {
  type: "image";
  image: FileRef;
}

/** A person's rating of a turn. */
export interface Judgement {
  /** False: wrong. */
  right: boolean;
}

/** The entries of an assistant's knowledge, oldest first. */
export interface Knowledge {
  data: KnowledgeEntry[];
  /** Cursor for more; null: there are none. */
  next: string | null;
}

/** An entry of an assistant's knowledge. */
export interface KnowledgeEntry {
  id: number;
  /** The source of its text. `past`: the team's past answers. */
  kind: "file" | "page" | "past" | "pasted";
  title: string;
  questions: string[];
  /** The URL of its page, the name of its file, or its author. */
  origin: string;
  /** `waiting`: not loaded yet. Entries that failed or were deleted are not used. */
  state: "failed" | "gone" | "ready" | "waiting";
  /** Why it is not used, as a stable word. */
  problem: string | null;
  /** Its age counts from then. */
  checkedAt: string;
  /** Null in lists. */
  text?: string | null;
}

/** A label of a conversation. */
export interface LabelRef {
  id: number;
  name: string;
  /** Name of its color. */
  tone: "amber" | "blue" | "green" | "grey" | "orange" | "pink" | "red" | "teal" | "violet";
}

/** The labels of the workspace, by name. */
export interface Labels {
  data: LabelRef[];
}

/** A language model that assistants can use. Its address and key are only on the desk's pages. */
export interface LanguageModel {
  id: number;
  name: string;
  /** The provider's name for it. */
  model: string;
  currency: string;
}

/** The language models of the workspace, oldest first. */
export interface LanguageModels {
  data: LanguageModel[];
}

/** A summary of the last message of a conversation. */
export interface Last {
  at: string;
  direction: string;
  kind: string;
  preview: string;
}

/** The private conversation that a private reply to a comment started, on the main account. */
export interface LedTo {
  conversationId: number;
  /** The same message there. */
  messageId: number;
  /** Whether the customer has seen it. */
  read: boolean;
  /** Whether the customer has written there since. */
  answered: boolean;
}

/** A button that opens an address. */
export interface LinkButton {
  type: "web_url";
  title: string;
  url: string;
}

/** A sequence, without its definition. */
export interface ListedSequence {
  id: number;
  /** At most 40 characters. */
  name: string;
  /** `draft`: never published. `off`: it does not start, but runs can go on. */
  state: "draft" | "live" | "off";
  /** The newest version. It is a draft unless it is published. */
  version: number;
  /** The published version; null: none. */
  liveVersion: number | null;
  /** The author of the newest version: a member, or the name of an API key. */
  author: string;
  /** When the newest version was saved. */
  changedAt: string;
  /** Number of customers in it now. */
  customers: number;
}

/** A version of a sequence, without its definition. */
export interface ListedSequenceVersion {
  /** The number of a version, from 1. */
  number: number;
  /** A member, or the name of an API key. */
  author: string;
  /** When it was saved. */
  at: string;
  /** When it was first published; null: it wasn't. */
  publishedAt: string | null;
}

/** A shared macro: several actions at once. */
export interface Macro {
  id: number;
  name: string;
  /** Its steps, in order: `do` and its argument. */
  steps: Record<string, unknown>[];
  uses: number;
  usedAt: string | null;
}

/** The shared macros, most used first. */
export interface Macros {
  data: Macro[];
}

/** The reader of a conversation, and the last message read. */
export interface MarkingRead {
  /** The id of the last message read; later ones stay unread. Omitted: all of them. */
  until?: number | null;
  /**
   * The person who read it, for whom it isn't shown as unread any more. Omitted: no person, which only
   * lowers the team's `unreadCount`.
   */
  memberId?: number | null;
}

/** The person for whom a conversation is marked as unread. */
export interface MarkingUnread {
  /** The person for whom it is shown as unread. */
  memberId: number;
}

/** The key of the request. */
export interface Me {
  name: string;
  workspace: MyWorkspace;
  /** What it can do, such as `messages:write`. */
  scopes: string[];
  /** Whether the key is older than scopes: it can still do everything it could then. */
  beforeScopes: boolean;
  /** The accounts it is limited to, with those of its teams; null: all. */
  accounts: number[] | null;
  /** The teams whose accounts it is limited to; null: it isn't limited to teams. */
  teams: number[] | null;
  /** Whether its messages count as automated. */
  automatic: boolean;
  /** When it stops working; null: never. */
  expiresAt: string | null;
  /** Whether the workspace is archived, so nothing can change. */
  readOnly: boolean;
  rateLimit: RateLimit;
  /** The version of Lobby. */
  version: string;
}

/** A person conversations can be assigned to. */
export interface Member {
  id: number;
  name: string;
  role: Role;
  /** Null: the key is read-only. */
  email?: string | null;
  /** Since when they are on duty, so that conversations go to them; null: they aren't. */
  onDutySince?: string | null;
}

/** The people of the workspace, by name. */
export interface Members {
  data: Member[];
}

/** A menu item: it opens `url`, or a tap arrives as a message of the kind `postback`. */
export interface MenuItem {
  title: string;
  /** What a tap sends. Default: the title. */
  payload?: string;
  /** An https URL, instead of a payload. */
  url?: string;
}

/** The menu next to the customer's composer, per locale. Lengths are in characters. */
export interface MenuLimits {
  most: number;
  titleLength: number;
  payloadLength: number;
}

/** The menu items per locale. `default` is shown for locales without their own. */
export interface MenuOfAccount {
  /** By locale, as `de_DE`, or `default`. */
  locales: Record<string, MenuItem[]>;
}

/** The contact to merge into this one. */
export interface MergeContact {
  /** The contact to merge into this one. */
  other: number;
  /**
   * Details to take from the other contact: `name`, `email`, `attribute:5`. Missing details are always
   * taken.
   */
  take?: string[];
}

/** The label to merge into. */
export interface MergeLabel {
  /** The id of the label that stays. */
  into: number;
}

/** Two merged contacts. */
export interface Merged {
  /** The id of the merge, to undo it. */
  id: number;
  contact: Contact;
  /** The merged contact. */
  other: number;
}

/** A message as the provider knows it, a note, or a line about activity. */
export interface Message {
  id: number;
  conversationId: number;
  accountId: number;
  externalId: string | null;
  /** `internal`: visible only to the team, a note or a line about activity. */
  direction: "inbound" | "internal" | "outbound";
  /**
   * Who made it: `customer`, `agent`, `api`, `system`, or `provider` for what was written in the
   * provider's own app.
   */
  origin: string;
  /** The kind of message. New kinds may be added. */
  kind: string;
  text: string;
  /** Data of the kind other than its text. `imported` is true for messages from the provider's history. */
  content: Record<string, unknown>;
  attachments: Attachment[];
  reactions: Reaction[];
  /** The message it quotes, or replies to below a post. */
  replyTo: Quote | null;
  /** Whether it is the one private reply to `replyTo`, a comment on a post. */
  private: boolean;
  /** Null: the team has not hidden or deleted it at the provider. */
  moderation: Moderation | null;
  /** For a private reply, the private conversation. Null: not known yet. */
  ledTo: LedTo | null;
  /** The member who wrote it. */
  author: Person | null;
  /**
   * Of an outbound message. `unknown`: the provider neither confirmed nor refused it. `cancelled`: it
   * was taken back before it left.
   */
  state: "cancelled" | "delivered" | "failed" | "queued" | "read" | "sending" | "sent" | "unknown" | null;
  error: Problem | null;
  waiting: Waiting | null;
  /** When its text was last changed. */
  editedAt: string | null;
  editCount: number;
  /** When it was unsent, or its contact was erased. Its content is deleted. */
  unsentAt: string | null;
  /** Earliest time it is sent, while it is queued: its scheduled time, or the end of the time to undo it. */
  sendAt: string | null;
  /**
   * The provider's time, by which a thread is sorted. Of ours, when they were handed to the provider;
   * null until it accepts one.
   */
  sentAt: string | null;
  /** When it was written or received. */
  createdAt: string;
}

/** Kind of a message. A kind the inbox has no bubble for is shown as a neutral row, never dropped. */
export type MessageKind =
    | "approved_template"
    | "audio"
    | "call"
    | "contacts"
    | "custom"
    | "disappearing"
    | "edit"
    | "feedback"
    | "file"
    | "image"
    | "invitation"
    | "location"
    | "opt_in"
    | "order"
    | "postback"
    | "quick_reply"
    | "reaction"
    | "referral"
    | "share"
    | "sticker"
    | "story_mention"
    | "story_reply"
    | "template"
    | "text"
    | "unsend"
    | "unsupported"
    | "video";

/** A page of messages of all conversations. */
export interface MessagePage {
  data: Message[];
  /** Cursor of the next page; null: this is the last page. */
  next: string | null;
}

/** The messages that `POST /messages` would send. */
export interface MessagePreview {
  conversationId: number;
  /** The messages, in the order they would go out. */
  data: PreviewedMessage[];
}

/** A page of a conversation, oldest first. */
export interface Messages {
  data: Message[];
  /** Cursor for earlier messages; null for an empty page. */
  before: string | null;
  /** Cursor for later messages; null for an empty page. */
  after: string | null;
  /** Whether there are earlier messages. */
  hasBefore: boolean;
  /** Whether there are later messages. */
  hasAfter: boolean;
  /** Cursor of the next page, with earlier messages; null: there are none. */
  next?: string | null;
}

/** The messages that a change could lead to. */
export interface MessagesAfter {
  /** `close`, `open`, `assign`, `team`, `label`, `unlabel`, `snooze`, `wake`, `spam` or `unspam`. */
  change: string;
  /** The rules and addons that could send one message each, by their names. */
  senders: string[];
}

/** The changes of a conversation that could lead to messages. */
export interface MessagesAfterChanges {
  data: MessagesAfter[];
}

/** The state of a customer's message at the provider, as set by the team. */
export interface Moderation {
  /** The state that the provider confirmed. */
  state: "deleted" | "hidden" | "shown";
  /** The state that the team requested. */
  wanted: "deleted" | "hidden" | "shown";
  /** The outcome of the last request. */
  delivery: "failed" | "queued" | "sent";
  /** A member, a rule or an API key. */
  author: string | null;
  at: string;
  error: Problem | null;
}

/** The workspace of the key. */
export interface MyWorkspace {
  id: number;
  name: string;
}

/** The figures of one period. Figures of what customers do are null for one person. */
export interface Numbers {
  /** Messages of customers. */
  received: number | null;
  /** Messages of the team that the provider accepted. */
  sent: number;
  /** Conversations started. */
  created: number | null;
  /** Conversations reopened. */
  reopened: number;
  /** Conversations closed. */
  closed: number;
  /** Time until the team's first response. */
  firstResponse: Took;
  /** Time until each later response. */
  nextResponses: Took;
  /** Time from start or reopening until closed. */
  resolution: Took;
  /** Reply windows that ended without a response. */
  windowsMissed: number;
  /** Responses on accounts that had a response time when the customer wrote. */
  answersWithTarget: number;
  /** Number of these that were on time. */
  answersInTime: number;
  /** Number of `sent` that automation sent, without campaigns. */
  sentAutomatically: number;
  /** Number of `sent` that campaigns sent. */
  sentByCampaigns: number;
  /** Number of `closed` that automation and campaigns closed. */
  closedAutomatically: number;
}

/** An answer offered below a text. */
export interface OfferedReply {
  /**
   * Other than `text`: it has no title, and a tap sends the customer's own. Refused with
   * `quick_reply_ask` and the reason where the channel's `quickReplies.asks` does not name it.
   */
  contentType?: "text" | "user_email" | "user_phone_number";
  title?: string | null;
  /** The payload returned by a tap. Default: the title. */
  payload?: string;
}

/** An opening of a day, from one time to another. */
export interface OpenHours {
  /** Local time. */
  starts: string;
  /** `24:00`: to the end of the day. */
  ends: string;
}

/** How it is known that a contact opted out of automated messages. */
export interface OptOut {
  source?: string;
}

/** The app a conversation is passed to. */
export interface Passing {
  /** The provider's id of that app. */
  to: string;
  /** A note for that app. */
  note?: string;
}

/** An answer that people of the team gave several times, as a suggested entry. */
export interface PastAnswer {
  title: string;
  /** May contain personal data of a customer: see `personal`. */
  text: string;
  /** Parts of the text that may be a customer's name, address, phone or order number. */
  personal: string[];
  /** Questions it answered. */
  questions: string[];
  /** How often it was given. */
  times: number;
  /** The names of the people who gave it. */
  authors: string[];
  lastAt: string;
  /** The id of its dismissal, to restore it; null: it wasn't dismissed. */
  dismissedId: number | null;
}

/** The past answers of the last 90 days, most frequent first, dismissed ones last. */
export interface PastAnswers {
  data: PastAnswer[];
}

/** Somebody of the team. */
export interface Person {
  id: number;
  name: string;
}

/** A question from a customer. */
export interface Play {
  /** Only the first 1,000 characters are used. */
  question: string;
  /** Earlier messages, oldest first. */
  before?: PlayedLine[];
  /** The account to test on, with the buttons and tools of its channel; null: none. */
  accountId?: number | null;
}

/** The answer an assistant would give. */
export interface PlayedAnswer {
  /** `hands_over`: it would hand off to the team. `failed`: something went wrong. */
  outcome: "answers" | "failed" | "hands_over";
  /** Why there is no answer, as a stable word such as `no_source`. */
  reason: string | null;
  /** The model's reason, for the team. */
  because: string;
  /** The answer; empty: none. */
  text: string;
  /** The sources of the answer. */
  sources: AssistantSource[];
  /** Number of sources considered. */
  weighed: number;
  /** Topics it would offer as buttons. */
  offers: string[];
  /** Its tool calls. */
  tools: PlayedUse[];
  /** Null: no model was used. */
  model: string | null;
  tokens: number;
  /** In millionths of `currency`. */
  cost: number;
  /** Null: it has no model. */
  currency: string | null;
  tookMs: number;
  /** Null: no account was given. */
  there: PlayedThere | null;
}

/** An earlier message of the conversation. */
export interface PlayedLine {
  by: "assistant" | "customer";
  /** Only the first 1,000 characters are used. */
  text: string;
}

/** Restrictions of the account. */
export interface PlayedThere {
  account: string;
  /** Whether *Talk to a person* would be added. */
  personButton: boolean;
  /** Whether a program could reply if the customer wrote now. */
  writes: boolean;
  /** When that would end; null: never. */
  until: string | null;
}

/** A tool call. Tools that do more than read are not run. */
export interface PlayedUse {
  tool: string;
  arguments: Record<string, unknown>;
  /** The result the model received. */
  told: string;
  tookMs: number;
}

/** Something published at the provider that customers comment on. */
export interface Post {
  id: number;
  accountId: number;
  /** The provider's id, always a string. */
  externalId: string;
  /** `live`: a broadcast, whose comments can be answered privately while it is live. */
  kind: "ad" | "live" | "other" | "post" | "reel" | "story";
  /** Its caption; empty if it has none, or if it is not known yet. */
  text: string;
  /** URL of its page, for people; may be empty. */
  url: string;
  /** The owner's handle; empty: the account. */
  owner: string;
  publishedAt: string | null;
  /** When the broadcast ended. */
  endedAt: string | null;
  /** When the provider first reported that it no longer exists. */
  goneAt: string | null;
}

/** A button that sends a payload. */
export interface PostbackButton {
  type: "postback";
  title: string;
  payload: string;
}

/** A page of posts, the most recently active first. */
export interface Posts {
  data: Post[];
  /** Cursor of the next page; null: this is the last page. */
  next: string | null;
}

/** One of the messages that would be sent. */
export interface PreviewedMessage {
  /** Its kind, as in `GET /messages/{message_id}`. */
  kind: string;
  /** Its text, cut to what fits in one message of the channel. */
  text: string;
  /** The size of the text, of which the channel allows so many. */
  bytes: number;
  /** The ids of the uploads that are its files, in order. */
  files: string[];
  /**
   * How the channel lays it out, as in an email with earlier messages quoted below. A picture in the
   * text has the address `cid:` with its place in `files`. Null: the channel sends the text as it is.
   */
  html: string | null;
}

/** The one message that may go to the author of a public message alone. */
export interface PrivateReplyLimits {
  textLimitBytes: number;
  quickReplies: QuickReplyLimits | null;
  /** Limit of the provider; null: not known. */
  perHour: number | null;
}

/** The reason why a message was not sent. */
export interface Problem {
  code: string;
  sentence: string;
  /** The most likely cause; may be empty. */
  cause: string;
  nextStep: string;
  /** The provider's error message. */
  raw: string;
}

/** An error as problem details (RFC 9457), for `Accept: application/problem+json`. */
export interface ProblemDetails {
  /** Identifies the kind of the problem, and leads to the docs. */
  type: string;
  /** The kind of the problem, in English. */
  title: string;
  /** The status of the answer. */
  status: number;
  /** What happened: `message` of an error. */
  detail: string;
  /** The path of the request. */
  instance: string;
  /** Stable code, for programs. */
  code: string;
  /** Identifies this request in Lobby's log. */
  requestId: string;
  /** What the program can do; omitted: nothing. */
  next?: string;
  field?: string | null;
  limit?: number | null;
}

/** A quick reply offered below a text: a title, or with `ask` a contact detail the provider knows. */
export interface QuickReply {
  title?: string | null;
  /** The payload returned by a tap. Default: the title. */
  payload?: string;
  /**
   * Instead of a title. A tap sends the customer's own number or address. Refused with `quick_reply_ask`
   * and the reason where the channel's `quickReplies.asks` does not name it.
   */
  ask?: Ask | null;
}

/** Answers offered below a text. Lengths are in characters. */
export interface QuickReplyLimits {
  most: number;
  titleLength: number;
  payloadLength: number;
  /** Values of `ask`. */
  asks: string[];
  /** Whether titles and payloads must differ. */
  unique: boolean;
}

/** The message another one quotes. */
export interface Quote {
  /** The provider's id, always a string. */
  externalId: string;
  /** Null if Lobby does not have it. */
  messageId: number | null;
}

/** The requests of the key in the current window, as in the headers `RateLimit-*`. */
export interface RateLimit {
  limit: number;
  remaining: number;
  /** Seconds until the window ends. */
  reset: number;
}

/** A reaction of one side to a message. Each side has at most one. */
export interface Reaction {
  actor: Actor;
  emoji: string;
  /** The provider's name for it. */
  name: string;
  /** The member who reacted. */
  author: string | null;
  /** For a reaction of the team. */
  state: "failed" | "queued" | "sending" | "sent" | "unknown" | null;
}

/** Options for releasing a conversation. */
export interface Releasing {
  /** A note for the app that gets it. */
  note?: string;
}

/** The complete content of an assistant. */
export interface ReplaceAssistant {
  /** At most 40 characters. */
  name: string;
  body: AssistantBodyInput;
  /** The version you read. If the assistant has changed since, nothing is saved. */
  version?: number | null;
}

/** A complete case. Saving it makes it due to be tried again. */
export interface ReplaceAssistantCase {
  /** The customer's question, at most 4,000 characters. */
  question: string;
  /** Whether a person should answer it. Words are then ignored. */
  handsOver?: boolean;
  /** Words that a good answer contains, all of them. */
  says?: string[];
  /** Words that it never contains. */
  neverSays?: string[];
}

/** A complete tool, in place of the one before. */
export interface ReplaceAssistantTool {
  /** Lowercase letters, digits and underscores, at most 40. */
  name: string;
  /** What it does, in at most 64 characters. */
  title: string;
  /** When to use it, in at most 1,000 characters. */
  about: string;
  /** An https URL on port 443. */
  url: string;
  /**
   * `reads`: it looks something up. `reversible`: a person can undo it easily. `asks`: everything else;
   * a person approves each use.
   */
  effect?: "asks" | "reads" | "reversible";
  /** The JSON schema of the object a model fills in, of at most 16 KB. */
  parameters?: Record<string, unknown>;
  /** The header that carries its secret. */
  header?: string;
  /** Omitted: unchanged, unless the URL has another host. Null: none. */
  secret?: string | null;
}

/** A complete entry. */
export interface ReplaceKnowledge {
  /** Its title, at most 200 characters. */
  title: string;
  /** Ignored for a file or a page. */
  text?: string;
  /** Example questions: at most 20 of 300 characters. */
  questions?: string[];
}

/** A rule that replaces an existing one. */
export interface ReplaceRule {
  /** At most 40 characters. */
  name: string;
  /**
   * `when` names an event, all `conditions` must match, and `actions` run in order. The guide lists the
   * possible values.
   */
  body: RuleBody;
  /** Omitted: unchanged. */
  state?: "draft" | "live" | "off" | "shadow";
  /** The version you read. If the rule has changed since, nothing is saved. */
  version?: number | null;
}

/** A definition that replaces the newest version. */
export interface ReplaceSequence {
  /** At most 40 characters. */
  name: string;
  /**
   * `starts` names the messages that start it, and `steps` follow each other. The guide lists the
   * possible values.
   */
  body: SequenceBody;
  /** The `changedAt` you read. If someone saved since, nothing is saved. */
  changedAt?: string | null;
}

/** The deliveries to send again: exactly one of these fields. */
export interface Replay {
  /** These. */
  deliveries?: number[];
  /** All failed deliveries. */
  failed?: true;
  /** All its events since then, at most 30 days ago, including those already delivered. */
  since?: string;
}

/** The number of deliveries sent again. */
export interface Replayed {
  count: number;
  /** If there is more, repeat the request with this as `since`. */
  next?: string | null;
}

/** How to send a message again. */
export interface RetryMessage {
  /**
   * Also send a message that is `unknown`, although the customer may have it already and would then get
   * it twice.
   */
  mayRepeat?: boolean;
  ownAddress?: string | null;
}

/**
 * The role of a member in a workspace; :mod:`host.users.roles` has the permissions.
 *
 *     Admin of the desk is not a role but a property of a user.
 */
export type Role = "agent" | "auditor" | "lead" | "owner";

/** The assignment of new conversations. */
export interface Routing {
  on: boolean;
  /** The id of the team, whose hours apply to the account. */
  team?: number | null;
  /** Assign it to the team member on duty who has waited longest. Otherwise it waits with the team. */
  toPerson?: boolean;
  /** Assign returning customers to the person who wrote with them last, if on duty. */
  toLast?: boolean;
}

/** A rule: when an event happens, if the conditions are met, then run the actions. */
export interface Rule {
  id: number;
  /** At most 40 characters. */
  name: string;
  /** `shadow`: it logs what it would have done, but does nothing. `draft` and `off`: it does not run. */
  state: "draft" | "live" | "off" | "shadow";
  /** Since when it is in this state. */
  stateAt: string;
  /** Increases with each change of `body`. */
  version: number;
  /** The author of that version: a member, or the name of an API key. */
  author: string;
  changedAt: string;
  /** Null: created by a newer version of Lobby; it does not run here. */
  body: RuleBody | null;
  /** The path of a reference to something deleted, such as `body.actions[0]`. Null: none. */
  gone: string | null;
  counts: RuleCounts;
}

/** Result of one action of a run. Actions are listed in order. */
export interface RuleAction {
  /** The action, as in `do` of the rule. */
  action: string;
  /** Why it was refused, as a stable word; null: it was done, or would have been. */
  reason: string | null;
}

/** The actor is a `customer`, a `user` of the desk, a program with a `key`, or the `system`. */
export interface RuleActorCondition {
  if: "by";
  actor: "customer" | "key" | "system" | "user";
}

export interface RuleAddLabel {
  do: "label";
  label: number;
}

export interface RuleAddNote {
  do: "note";
  text: string;
}

/** Run an action of an addon. */
export interface RuleAddonDoes {
  do: "addon";
  name: string;
}

/** At least one of these conditions is met. */
export interface RuleAnyOf {
  if: "any";
  of: (RuleWords | RulePattern | RuleSent | RuleFilterCondition | RuleOpen | RuleWindow | RuleWroteBefore | RuleContact | RuleConcerns | RuleActorCondition | RuleOnPost | RuleOfAddon)[];
}

export interface RuleAssignNobody {
  do: "assignNobody";
}

export interface RuleAssignTo {
  do: "assign";
  person: number;
}

/** The definition of a rule. */
export interface RuleBody {
  when:
    | "conversation.assigned"
    | "conversation.closed"
    | "conversation.created"
    | "conversation.forwarded"
    | "conversation.handler_changed"
    | "conversation.labelled"
    | "conversation.marked_spam"
    | "conversation.reopened"
    | "conversation.reply_due"
    | "conversation.snoozed"
    | "conversation.team_assigned"
    | "conversation.unanswered"
    | "conversation.unlabelled"
    | "conversation.unmarked_spam"
    | "conversation.window_closing"
    | "conversation.woken"
    | "message.edited"
    | "message.failed"
    | "message.reacted"
    | "message.read"
    | "message.received"
    | "message.sent"
    | "message.unconfirmed"
    | "message.unsent"
    | "note.added";
  hours?: number;
  minutes?: number;
  working?: boolean;
  conditions?: (RuleWords | RulePattern | RuleSent | RuleFilterCondition | RuleOpen | RuleWindow | RuleWroteBefore | RuleContact | RuleConcerns | RuleActorCondition | RuleOnPost | RuleOfAddon | RuleAnyOf)[];
  actions?: (RuleAddLabel | RuleRemoveLabel | RuleAssignTo | RuleAssignNobody | RuleGiveToTeam | RuleSnoozeUntil | RuleClose | RuleMarkSpam | RuleSendReply | RuleAddNote | RuleSay | RuleReplyPublicly | RuleReplyPrivately | RuleGiveOut | RuleNotifyPeople | RuleCall | RuleStartSequence | RuleAddonDoes)[];
  stops?: boolean;
  once?: "" | "contact" | "conversation";
  campaign?: RuleCampaign | null;
}

/** Notify another program, by one of the workspace's webhook endpoints. */
export interface RuleCall {
  do: "webhook";
  endpoint: number;
}

/** Settings that make a rule a campaign: each person who comments with a keyword gets one private reply. */
export interface RuleCampaign {
  team?: number;
  label?: number;
  sequence?: number;
  people?: number;
  until?: string | null;
}

export interface RuleClose {
  do: "close";
}

/** The event is about a label that was added or removed, or a team or member that was assigned. */
export interface RuleConcerns {
  if: "concerns";
  label?: number;
  team?: number;
  person?: number;
}

/** Result of one condition of a run. Conditions are listed in order. */
export interface RuleCondition {
  /** Null: not checked, because an earlier condition did not match. */
  holds: boolean | null;
  /** What it checked, a word or an id such as `label:3`. Never a customer's text. */
  saw: string;
  /** In a group (`any`), the position of the condition that decided, from 0; null: not a group. */
  which: number | null;
}

/** An attribute of the contact has this value; if the value is empty, any value. */
export interface RuleContact {
  if: "contact";
  attribute: number;
  value?: string;
  negated?: boolean;
}

/** Counts of a rule's runs in the last 24 hours, by outcome. */
export interface RuleCounts {
  /** Runs in which all actions were done. */
  did: number;
  /** Runs in which an action was refused. */
  refused: number;
  /** Runs in shadow mode that would have done something. */
  shadow: number;
  /** Runs in which the first condition matched but another did not. */
  missed: number;
}

/** The conversation matches a filter. *filter* is stored as in saved views. */
export interface RuleFilterCondition {
  if: "conversation";
  filter: Record<string, unknown>;
}

/** Assign to a team, and to the member on duty who has waited longest for a conversation. */
export interface RuleGiveOut {
  do: "giveOut";
  team: number;
}

export interface RuleGiveToTeam {
  do: "team";
  team: number;
}

export interface RuleMarkSpam {
  do: "spam";
}

/** A move of a rule up or down the order. */
export interface RuleMove {
  /** Negative: up, so that it runs earlier. Limited to the ends of the list. */
  places: number;
}

/** Notify a member, or all members of a team. */
export interface RuleNotifyPeople {
  do: "tell";
  person?: number;
  team?: number;
}

/** A condition of an addon, with the chosen value. */
export interface RuleOfAddon {
  if: "addon";
  name: string;
  value?: string;
}

/** The conversation is about any post, or about one whose caption contains one of the words. */
export interface RuleOnPost {
  if: "post";
  words?: string[];
}

/** The time is inside, or outside, the working hours of the conversation's team. */
export interface RuleOpen {
  if: "hours";
  open?: boolean;
}

/** The text matches a regular expression, in any case. */
export interface RulePattern {
  if: "pattern";
  pattern: string;
}

export interface RuleRemoveLabel {
  do: "unlabel";
  label: number;
}

/** Answer the public message of the event privately, only to its author; possible once per message. */
export interface RuleReplyPrivately {
  do: "privately";
  text: string;
  quick_replies?: string[];
}

/** Answer the message of the event publicly, with these texts in turn. */
export interface RuleReplyPublicly {
  do: "publicly";
  texts: string[];
}

/** A run of a rule: one evaluation and its outcome. */
export interface RuleRun {
  id: number;
  at: string;
  conversationId: number;
  contactName: string | null;
  /** The version of the rule that ran. */
  version: number;
  /**
   * `refused`: an action was not done. Null: it did nothing because of `reason`, although its first
   * condition matched. Runs whose first condition did not match are not logged.
   */
  outcome: "did" | "refused" | "shadow" | null;
  /** A stable word: `condition`, `once`, or why an action was refused. */
  reason: string | null;
  conditions: RuleCondition[];
  actions: RuleAction[];
}

/** A page of a rule's runs, newest first. */
export interface RuleRuns {
  data: RuleRun[];
  /** Cursor for older runs; null: there are none. */
  next: string | null;
}

/** Send a text with variables that does not count as an answer: the customer keeps waiting. */
export interface RuleSay {
  do: "say";
  text: string;
}

export interface RuleSendReply {
  do: "reply";
  canned: number;
}

/** The message is of one of these kinds, names of :class:`host.sdk.messages.MessageKind`. */
export interface RuleSent {
  if: "sent";
  kinds: ("approved_template" | "audio" | "call" | "contacts" | "custom" | "disappearing" | "edit" | "feedback" | "file" | "image" | "invitation" | "location" | "opt_in" | "order" | "postback" | "quick_reply" | "reaction" | "referral" | "share" | "sticker" | "story_mention" | "story_reply" | "template" | "text" | "unsend" | "unsupported" | "video")[];
}

/** Snooze until *when*: `reply`, or a key of :data:`host.inbox.snoozing.PRESETS`. */
export interface RuleSnoozeUntil {
  do: "snooze";
  when: "evening" | "hour" | "later" | "monday" | "reply" | "tomorrow" | "week";
}

/** Start a sequence in the conversation. */
export interface RuleStartSequence {
  do: "sequence";
  sequence: number;
}

/** The reply window is open for `programs` (and people), only for `people`, or `closed`. */
export interface RuleWindow {
  if: "window";
  to: "closed" | "people" | "programs";
}

/** The text contains one of these words: whole words or phrases such as `in pieces`, in any case. */
export interface RuleWords {
  if: "words";
  words: string[];
  has?: "all" | "any" | "none";
}

/** The customer wrote on an earlier day; or this is their first message. */
export interface RuleWroteBefore {
  if: "before";
  yes?: boolean;
}

/** The rules of the workspace, in the order in which they are evaluated. */
export interface Rules {
  data: Rule[];
}

/** A message that was found. */
export interface SearchHit {
  message: Message;
  /** The matching part of the text, as plain text. */
  excerpt: string;
  /** Matches in the excerpt, as start and end offsets. */
  marks: number[][];
}

/** Search results, the newest message first. */
export interface SearchResults {
  data: SearchHit[];
  /** Contacts that match the words of the query; only on the first page, and only without filters. */
  contacts: FoundContact[];
  /** Cursor of the next page; null: this is the last page. */
  next: string | null;
  /** The search timed out before the page was full; continue with `next`. */
  stopped: boolean;
  /** Filters whose value does not exist, so nothing matches. */
  unknown: string[];
  /** The query was too long, so only its first words were used. */
  shortened: boolean;
  /** False while older messages are still being indexed. */
  complete: boolean;
}

/** A text that the provider approved in advance, which may be sent outside the reply window. */
export interface SendApprovedTemplate {
  kind: "approved_template";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  /** Its `id`, from `GET /accounts/{account_id}/templates`. */
  templateId: string;
  parameters?: Record<string, string> | null;
  /** For a template whose header is a file. */
  file?: FileRef | null;
}

/** Audio files, each sent as its own message. */
export interface SendAudio {
  kind: "audio";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  files: FileRef[];
}

/** A text with buttons below it. */
export interface SendButtons {
  kind: "buttons";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  text: string;
  buttons: Button[];
}

/** Contact cards. */
export interface SendContacts {
  kind: "contacts";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  contacts: ContactCard[];
}

/** A content for the customer `to` of a channel. Field names in snake_case are accepted, too. */
export interface SendContent {
  /** The public id of an account, a string; the last part of its webhook address. */
  channelId: string;
  /** The contact's external id. */
  to: string;
  content:
    | TextContent
    | ImageContent
    | VideoContent
    | AudioContent
    | FileContent
    | StickerContent
    | TemplateContent;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
}

/** Other files, each sent as its own message. */
export interface SendFile {
  kind: "file";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  files: FileRef[];
}

/** One or more pictures. Those a channel accepts together become one message. */
export interface SendImage {
  kind: "image";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  files: FileRef[];
}

/** A place. */
export interface SendLocation {
  kind: "location";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  /** In degrees, north of the equator positive. */
  latitude: number;
  /** In degrees, east of Greenwich positive. */
  longitude: number;
  name?: string;
  address?: string;
}

/** A post of the account itself. */
export interface SendPost {
  kind: "post";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  /** Its id or URL. */
  post: string;
}

/** Products of the account's catalogue. */
export interface SendProduct {
  kind: "product";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  products: string[];
}

/** A sticker. */
export interface SendSticker {
  kind: "sticker";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  sticker?: "heart";
}

/** Cards side by side. */
export interface SendTemplate {
  kind: "template";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  elements: Card[];
}

/** A text. */
export interface SendText {
  kind: "text";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  text: string;
  /** What to do with a text longer than one message of the channel. */
  overflow?: "reject" | "split" | "truncate";
  /**
   * Files to send: in the same message if the channel has `textWithFiles`; with `captions` the text is
   * that of the last file that can have one; otherwise before it.
   */
  files?: FileRef[];
  quickReplies?: QuickReply[];
  /** Send it only to the author of `replyTo`, as the one private reply to that comment. */
  private?: boolean;
}

/** Videos, each sent as its own message. */
export interface SendVideo {
  kind: "video";
  conversationId?: number | null;
  /** With `to`, instead of `conversationId`. */
  accountId?: number | null;
  to?: string | null;
  /**
   * The id of the message of the same conversation that this one quotes. Below a post the one it
   * answers; left out, the customer's newest.
   */
  replyTo?: number | null;
  /** The newest message you know. If the team has replied since, nothing is sent (`answered_meanwhile`). */
  ifLastMessageId?: number | null;
  /** Send it at this time: in the future, within 60 days, and while the reply window is open to programs. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
  /**
   * Who gets it, if the channel has `copies`: everyone on the newest message, its writer in To; its
   * writer alone; or the mailing list it came through. `cc` replaces the others in Cc; with `everyone`,
   * the contact gets it in any case. Keys marked as automatic write to the contact alone.
   */
  answer?: AnswerChoice;
  /** Additional recipients, visible to all, if the channel has `copies`. */
  cc?: string[];
  /** Additional recipients, hidden from the others. */
  bcc?: string[];
  ownAddress?: string | null;
  files: FileRef[];
}

/** The messages created by a send, in the order they are sent. */
export interface Sent {
  data: Message[];
}

/** Run an action on the conversation. */
export interface SequenceAct {
  do: "act";
  id: string;
  then?: string;
  action:
    | SequenceAddLabel
    | SequenceRemoveLabel
    | SequenceAssignTo
    | SequenceAssignNobody
    | SequenceGiveToTeam
    | SequenceAddNote
    | SequenceSetAttribute
    | SequenceSendReply
    | SequenceRunMacro
    | SequenceAddonDoes;
}

/** The actor is a `customer`, a `user` of the desk, a program with a `key`, or the `system`. */
export interface SequenceActorCondition {
  if: "by";
  actor: "customer" | "key" | "system" | "user";
}

export interface SequenceAddLabel {
  do: "label";
  label: number;
}

export interface SequenceAddNote {
  do: "note";
  text: string;
}

/** Run an action of an addon. */
export interface SequenceAddonDoes {
  do: "addon";
  name: string;
}

/** An answer of the customer that a run keeps. */
export interface SequenceAnswer {
  /** As in `variable` of the question. */
  name: string;
  value: string;
  /** The message it comes from. */
  messageId: number | null;
}

/** At least one of these conditions is met. */
export interface SequenceAnyOf {
  if: "any";
  of: (SequenceWords | SequencePattern | SequenceSent | SequenceFilterCondition | SequenceOpen | SequenceWindow | SequenceWroteBefore | SequenceContact | SequenceConcerns | SequenceActorCondition | SequenceOnPost | SequenceOfAddon)[];
}

/** Ask a question, and go on with the answer. */
export interface SequenceAsk {
  do: "ask";
  id: string;
  then?: string;
  text: string;
  kind?: "choice" | "date" | "email" | "number" | "phone" | "text";
  choices?: string[];
  digits?: number;
  variable?: string;
  attribute?: number;
  again?: string;
  other?: string;
  told?: string;
  hours?: number;
  silent?: string;
  closed?: string;
}

export interface SequenceAssignNobody {
  do: "assignNobody";
}

export interface SequenceAssignTo {
  do: "assign";
  person: number;
}

/** The definition of a sequence. */
export interface SequenceBody {
  steps: (SequenceSay | SequenceAsk | SequenceShow | SequenceWait | SequenceBranch | SequenceAct | SequenceCall | SequenceHand | SequenceGoTo | SequenceEnd)[];
  starts?: SequenceStarts;
  accounts?: number[];
  person?: "end" | "pause";
  people?: string[];
  team?: number;
}

/** Go on with the first of *cases* that holds, otherwise with *then*. */
export interface SequenceBranch {
  do: "branch";
  id: string;
  then?: string;
  cases: SequenceCase[];
}

/** Ask a program of the workspace, and go on with its answer. */
export interface SequenceCall {
  do: "call";
  id: string;
  then?: string;
  url: string;
  keeps?: SequenceKeep[];
  failed?: string;
}

/** A card with a picture and a button. */
export interface SequenceCard {
  title: string;
  text?: string;
  picture?: string;
  button?: string;
  url?: string;
}

/** A way out of a branch: all of it has to hold. */
export interface SequenceCase {
  to: string;
  variable?: string;
  value?: string;
  conditions?: (SequenceWords | SequencePattern | SequenceSent | SequenceFilterCondition | SequenceOpen | SequenceWindow | SequenceWroteBefore | SequenceContact | SequenceConcerns | SequenceActorCondition | SequenceOnPost | SequenceOfAddon | SequenceAnyOf)[];
}

/** The event is about a label that was added or removed, or a team or member that was assigned. */
export interface SequenceConcerns {
  if: "concerns";
  label?: number;
  team?: number;
  person?: number;
}

/** An attribute of the contact has this value; if the value is empty, any value. */
export interface SequenceContact {
  if: "contact";
  attribute: number;
  value?: string;
  negated?: boolean;
}

/** A sequence: steps that follow a customer's message. */
export interface SequenceDetail {
  id: number;
  /** At most 40 characters. */
  name: string;
  /** `draft`: never published. `off`: it does not start, but runs can go on. */
  state: "draft" | "live" | "off";
  /** The newest version. It is a draft unless it is published. */
  version: number;
  /** The published version; null: none. */
  liveVersion: number | null;
  /** The author of the newest version: a member, or the name of an API key. */
  author: string;
  /** When the newest version was saved. */
  changedAt: string;
  /** Number of customers in it now. */
  customers: number;
  /** The newest version. Null: created by a newer version of Lobby; it can't run here. */
  body: SequenceBody | null;
  /** What keeps the newest version from being published; empty: nothing. */
  problems: SequenceProblem[];
}

/** End the run. */
export interface SequenceEnd {
  do: "end";
  id: string;
  then?: string;
  close?: boolean;
}

/** Customers who left in one way. */
export interface SequenceEndCount {
  /** A `reason` of runs, or an `outcome` without one; `ended` of the list of runs. */
  ended: string;
  count: number;
}

/** The conversation matches a filter. *filter* is stored as in saved views. */
export interface SequenceFilterCondition {
  if: "conversation";
  filter: Record<string, unknown>;
}

export interface SequenceGiveToTeam {
  do: "team";
  team: number;
}

/** Go on with the step *then*. */
export interface SequenceGoTo {
  do: "goto";
  id: string;
  then?: string;
}

/** Hand the conversation to people, which ends the run. */
export interface SequenceHand {
  do: "people";
  id: string;
  then?: string;
  team?: number;
  text?: string;
}

/** A field of a program's answer that the run keeps. */
export interface SequenceKeep {
  field: string;
  variable: string;
}

/** A move of a sequence up or down the order. */
export interface SequenceMove {
  /** Negative: up, so that it is chosen earlier. Limited to the ends of the list. */
  places: number;
}

/** The numbers of a version in a period, by when runs started. */
export interface SequenceNumbers {
  version: number;
  startedFrom: string;
  startedBefore: string;
  started: number;
  starts: SequenceStartCount[];
  /** Runs that go on. */
  active: number;
  /** Runs that reached an end, without people. */
  done: number;
  /** Runs that a step handed to people. */
  people: number;
  /** Runs whose customer asked for a person. */
  asked: number;
  /** Runs that ended otherwise. */
  stopped: SequenceEndCount[];
  /** The median time from start to end of those in `done`; null: none. */
  seconds: number | null;
  /** In the order of the body. */
  steps: SequenceStepNumbers[];
}

/** A condition of an addon, with the chosen value. */
export interface SequenceOfAddon {
  if: "addon";
  name: string;
  value?: string;
}

/** The conversation is about any post, or about one whose caption contains one of the words. */
export interface SequenceOnPost {
  if: "post";
  words?: string[];
}

/** The time is inside, or outside, the working hours of the conversation's team. */
export interface SequenceOpen {
  if: "hours";
  open?: boolean;
}

/** The text matches a regular expression, in any case. */
export interface SequencePattern {
  if: "pattern";
  pattern: string;
}

/** Something that keeps a sequence from being published. */
export interface SequenceProblem {
  /**
   * `window`: a message could be sent when automated ones aren't allowed. `loop`: steps could repeat for
   * ever. `end`: nothing follows. `row`: too many messages in a row. `unreachable`: no path leads there.
   * `buttons`: the channel does not show them. `text` and `cards`: too long for the channel.
   * `reference`: what it refers to is gone or missing. `answer`: no step asks for what a case compares.
   * `value`: an answer or attribute never has this value. `start`: it starts nothing, or another
   * sequence. `choice`: an opt-out word, or listed twice.
   */
  code:
    | "answer"
    | "buttons"
    | "cards"
    | "choice"
    | "end"
    | "loop"
    | "reference"
    | "row"
    | "start"
    | "text"
    | "unreachable"
    | "value"
    | "window";
  /** The `id` of the step; empty: the starts or settings. */
  step: string;
  sentence: string;
  /** The steps that lead there, `step` last; empty: none. */
  path: string[];
  /** For `window`: how long after the customer's last message it could be sent; null: any time. */
  afterSeconds: number | null;
}

export interface SequenceRemoveLabel {
  do: "unlabel";
  label: number;
}

/** A run of a sequence: a customer's way through its steps. */
export interface SequenceRun {
  id: number;
  sequenceId: number;
  /** The version of the sequence. The run ends on it. */
  version: number;
  /** `active`: the customer is in the sequence. */
  state: "active" | "ended";
  conversationId: number;
  contactId: number;
  /** What started it: a message of the customer, a rule, a campaign or this API. */
  startedBy: "api" | "campaign" | "first" | "ref" | "rule" | "story" | "tap" | "words";
  startedAt: string;
  /** The step it is at, or ended at. Null: it ended before its first one. */
  step: string | null;
  /** When it entered its step. */
  movedAt: string;
  /**
   * `answer`: an answer to its question. `message`: any message. `call`: the answer of your program.
   * `person`: it pauses while a member writes. Null: nothing.
   */
  waitsFor: "answer" | "call" | "message" | "person" | "time" | null;
  /** When it goes on by itself; null: not by itself, or it ended. */
  dueAt: string | null;
  /** Null: it is active. */
  endedAt: string | null;
  /** `people`: it was handed to people. `stopped`: it could not go on. Null: it is active. */
  outcome: "done" | "failed" | "people" | "stopped" | null;
  /** Why it ended, as a stable word such as `asked` or `window_closed`; null: none. */
  reason: string | null;
}

/** A run with its steps and answers. */
export interface SequenceRunDetail {
  id: number;
  sequenceId: number;
  /** The version of the sequence. The run ends on it. */
  version: number;
  /** `active`: the customer is in the sequence. */
  state: "active" | "ended";
  conversationId: number;
  contactId: number;
  /** What started it: a message of the customer, a rule, a campaign or this API. */
  startedBy: "api" | "campaign" | "first" | "ref" | "rule" | "story" | "tap" | "words";
  startedAt: string;
  /** The step it is at, or ended at. Null: it ended before its first one. */
  step: string | null;
  /** When it entered its step. */
  movedAt: string;
  /**
   * `answer`: an answer to its question. `message`: any message. `call`: the answer of your program.
   * `person`: it pauses while a member writes. Null: nothing.
   */
  waitsFor: "answer" | "call" | "message" | "person" | "time" | null;
  /** When it goes on by itself; null: not by itself, or it ended. */
  dueAt: string | null;
  /** Null: it is active. */
  endedAt: string | null;
  /** `people`: it was handed to people. `stopped`: it could not go on. Null: it is active. */
  outcome: "done" | "failed" | "people" | "stopped" | null;
  /** Why it ended, as a stable word such as `asked` or `window_closed`; null: none. */
  reason: string | null;
  visits: SequenceVisit[];
  /** Null: the key needs `messages:read` for it, as they are what the customer wrote. */
  answers: SequenceAnswer[] | null;
}

/** Run a shared macro: all of it, or nothing. */
export interface SequenceRunMacro {
  do: "macro";
  macro: number;
}

/** A page of a sequence's runs, newest first. */
export interface SequenceRuns {
  data: SequenceRun[];
  /** Cursor for older runs; null: there are none. */
  next: string | null;
}

/** Send a text with variables. */
export interface SequenceSay {
  do: "say";
  id: string;
  then?: string;
  text: string;
  quick_replies?: string[];
  closed?: string;
}

/** The new signing secret of a sequence, which is not shown again. */
export interface SequenceSecret {
  /** `whsec_…`, which signs what its steps post to your program. */
  secret: string;
}

export interface SequenceSendReply {
  do: "reply";
  canned: number;
}

/** The message is of one of these kinds, names of :class:`host.sdk.messages.MessageKind`. */
export interface SequenceSent {
  if: "sent";
  kinds: ("approved_template" | "audio" | "call" | "contacts" | "custom" | "disappearing" | "edit" | "feedback" | "file" | "image" | "invitation" | "location" | "opt_in" | "order" | "postback" | "quick_reply" | "reaction" | "referral" | "share" | "sticker" | "story_mention" | "story_reply" | "template" | "text" | "unsend" | "unsupported" | "video")[];
}

/** Set an attribute of the contact to a text with variables; empty: clear it. */
export interface SequenceSetAttribute {
  do: "attribute";
  attribute: number;
  value?: string;
}

/** Send cards side by side; channels without cards get a text that says the same. */
export interface SequenceShow {
  do: "cards";
  id: string;
  then?: string;
  cards: SequenceCard[];
  closed?: string;
}

/** Runs that were started in one way. */
export interface SequenceStartCount {
  /** As in runs. */
  startedBy: string;
  count: number;
}

/** The messages of customers that start a run. Any of them is enough. */
export interface SequenceStarts {
  words?: string[];
  taps?: string[];
  refs?: string[];
  first?: boolean;
  story_replies?: boolean;
  programs?: boolean;
}

/** The numbers of a step. */
export interface SequenceStepNumbers {
  /** The `id` of the step. */
  step: string;
  /** Runs that entered it. */
  reached: number;
  /** Runs that are at it now. */
  here: number;
  /** Runs that ended at it otherwise than the sequence planned. */
  left: SequenceEndCount[];
  /** The median time at it; null: nobody went on from it. */
  seconds: number | null;
}

/** A version of a sequence. */
export interface SequenceVersion {
  /** The number of a version, from 1. */
  number: number;
  /** A member, or the name of an API key. */
  author: string;
  /** When it was saved. */
  at: string;
  /** When it was first published; null: it wasn't. */
  publishedAt: string | null;
  /** Null: created by a newer version of Lobby; it can't run here. */
  body: SequenceBody | null;
}

/** A page of the versions of a sequence, newest first. */
export interface SequenceVersions {
  data: ListedSequenceVersion[];
  /** Cursor for earlier versions; null: there are none. */
  next: string | null;
}

/** A step that a run entered. Steps are listed in order. */
export interface SequenceVisit {
  step: string;
  at: string;
  /** The way it left the step, as in the body; null: it is there, or ended there. */
  way: "case" | "closed" | "other" | "silent" | "then" | null;
  /** Why its action was not done, as a stable word; null: it was. */
  refused: string | null;
  /** The message that it sent; null: none. */
  messageId: number | null;
}

/** Wait for a time, until the customer writes, or until working hours begin. */
export interface SequenceWait {
  do: "wait";
  id: string;
  then?: string;
  until?: "time" | "working" | "written";
  minutes?: number;
  hours?: number;
  early?: boolean;
  silent?: string;
}

/** The reply window is open for `programs` (and people), only for `people`, or `closed`. */
export interface SequenceWindow {
  if: "window";
  to: "closed" | "people" | "programs";
}

/** The text contains one of these words: whole words or phrases such as `in pieces`, in any case. */
export interface SequenceWords {
  if: "words";
  words: string[];
  has?: "all" | "any" | "none";
}

/** The customer wrote on an earlier day; or this is their first message. */
export interface SequenceWroteBefore {
  if: "before";
  yes?: boolean;
}

/** The sequences of the workspace, in order: a message starts the first of those it could start. */
export interface Sequences {
  data: ListedSequence[];
}

/** The snooze of a conversation. */
export interface Snooze {
  /**
   * What ends it: `until` the time or a message from the customer; `reply` a message from the customer;
   * `fixed` only the time.
   */
  kind: "fixed" | "reply" | "until";
  /** Null only with `reply`. */
  until?: string | null;
}

/** The merge to undo. */
export interface Splitting {
  /** The id that the merge returned. */
  merge: number;
}

/** The conversation to start a sequence in. */
export interface StartSequence {
  conversationId: number;
}

/** The conversation that was started, and its first messages. */
export interface Started {
  conversation: Conversation;
  messages: Message[];
}

/** The figures of one day or one hour. */
export interface Step {
  /** When the day or the hour begins. */
  begins: string;
  figures: Numbers;
}

/** A sticker. */
export interface StickerContent {
  type: "sticker";
  sticker: StickerRef;
}

/** A reference to a sticker. */
export interface StickerRef {
  /** Both are the heart. */
  id: "heart" | "like";
}

/** Options for taking over a conversation. */
export interface Taking {
  /** A note for the app that controls it. */
  note?: string;
}

/** A group of members that conversations can be assigned to. */
export interface Team {
  id: number;
  name: string;
  /** Team leads first, then by name. */
  members: TeamMember[];
  /** The ids of the accounts it handles. */
  accounts: number[];
  /** Number of open conversations, including snoozed ones and spam. */
  openCount: number;
}

/** A member of a team. */
export interface TeamMember {
  id: number;
  name: string;
  /** Whether they are a team lead, who can change its members. */
  lead: boolean;
}

/** A member to add to a team. */
export interface TeamMemberInput {
  /** The id of a person who can reply. */
  id: number;
  /** Whether they are a team lead. */
  lead?: boolean;
}

/** A team of the workspace. */
export interface TeamRef {
  id: number;
  name: string;
}

/** The teams of the workspace, by name. */
export interface Teams {
  data: Team[];
}

/** Cards side by side. */
export interface TemplateContent {
  type: "template";
  template: GenericTemplate;
}

/** Cards side by side. Lengths are in characters. */
export interface TemplateLimits {
  elements: number;
  /** Per card. */
  buttons: number;
  titleLength: number;
  subtitleLength: number;
  buttonTitleLength: number;
  payloadLength: number;
}

/** A text. */
export interface TextContent {
  type: "text";
  text: string;
  quickReplies?: OfferedReply[];
}

/** Unit in which a provider counts the length of a text. */
export type TextUnit = "bytes" | "characters" | "utf16";

/** A duration in whole seconds; null if it was not measured. */
export interface Took {
  /** Number of durations measured. */
  count: number;
  /** The median. */
  halfWithin: number | null;
  /** The 90th percentile. */
  nineInTenWithin: number | null;
}

/** The arguments to try a tool with. */
export interface Trial {
  /** The arguments a model would provide. */
  arguments?: Record<string, unknown>;
}

/** The result of trying a case. */
export interface TriedCase {
  caseId: number;
  /** Null: it could not be run; see `problem`. */
  passed: boolean | null;
  answer: string;
  handsOver: boolean;
  /** A stable word, such as `model_timeout`. */
  problem: string | null;
}

/** The results of trying cases, as many as fit into 20 seconds. */
export interface TriedCases {
  data: TriedCase[];
  /** Number of cases left. Repeat the request to run them. */
  left: number;
}

/** The result of trying a tool. */
export interface TriedTool {
  /** Whether the response was valid. */
  good: boolean;
  /** The result for the model, or why it failed; never the secret. */
  said: string;
  tookMs: number;
}

/** Which cases to try. */
export interface Tries {
  /** Omitted: those that the current version has not passed. */
  cases?: number[];
}

/** One delivery attempt. */
export interface Try {
  at: string;
  /** Null: no response. */
  status: number | null;
  milliseconds: number;
}

/** How to turn off a sequence. */
export interface TurnOffSequence {
  /** Whether the customers in it leave it, too, within moments. */
  endRuns?: boolean;
}

/** The typing indicator. */
export interface Typing {
  /** False: stop showing it. */
  on?: boolean;
}

/** A change of an account; omitted fields stay unchanged. */
export interface UpdateAccount {
  /** Minutes from 1 to 43200 (30 days); null: no response time. */
  replyTarget?: number | null;
}

/** Fields to change; omitted fields keep their values. */
export interface UpdateAssistant {
  /** True: stop it immediately on all accounts; people take over its conversations. False: resume it. */
  stopped?: boolean;
  /** Null: no model. */
  modelId?: number | null;
}

/** Fields to change; omitted fields keep their values. */
export interface UpdateAttribute {
  /** A unique name of at most 40 characters. */
  name?: string;
  /** The options of a choice. */
  choices?: string[];
}

/** New automation settings of an account, replacing the old ones. */
export interface UpdateAutomation {
  greeting: Greeting;
  away: Away;
  routing: Routing;
  /** The version you read. If it has changed since, nothing is saved. */
  version?: number | null;
}

/** Fields to change; omitted fields keep their values. */
export interface UpdateCannedReply {
  /** Up to 32 letters, digits, dots and hyphens. */
  shortcut?: string;
  title?: string;
  /**
   * By language; `default` is used for all others. Variables such as `{{contact.name}}` are filled in
   * when it is used; a person fills in the rest.
   */
  texts?: Record<string, string>;
  /** The id of its team; null: shared with everyone. */
  team?: number | null;
  /** Ids of its files to keep. */
  keepFiles?: number[];
  /** Ids of uploaded files to send with it; each id can be used once. */
  uploads?: string[];
}

/** Fields to change; omitted fields keep their values, null clears them. */
export interface UpdateContact {
  name?: string | null;
  email?: string | null;
  /** By the id of the attribute; null clears it. Omitted attributes stay unchanged. */
  attributes?: Record<string, string | null>;
}

/** A change of a conversation; omitted fields stay unchanged. */
export interface UpdateConversation {
  /** The id of a person, or null for nobody. */
  assignee?: number | null;
  /**
   * The id of a team, or null for none. An assignee who is not in the team is unassigned, unless
   * `assignee` is given.
   */
  team?: number | null;
  status?: "closed" | "open";
  /** Ids of labels to add. */
  addLabels?: number[];
  /** Ids of labels to remove. */
  removeLabels?: number[];
  /** Null: unsnooze it now. */
  snooze?: Snooze | null;
  spam?: boolean;
  /** `person`: no more automated messages are sent; `nobody`: they can be sent again. */
  handledBy?: "nobody" | "person";
}

/** Whether a person is on duty. */
export interface UpdateDuty {
  on: boolean;
}

/** Fields to change; omitted fields keep their value. */
export interface UpdateEndpoint {
  /** An https URL on port 443. */
  url?: string;
  /** Names of events; `message.*` matches all that begin with it, `*` all events. */
  events?: EventChoice[];
  /** Only events of these accounts; empty: of all. */
  accounts?: number[];
  /** Only conversations with one of these labels; empty: all. */
  labels?: number[];
  /**
   * Whether to also send the general event along with a channel-specific one, such as `message.received`
   * with a channel's event for a tapped button.
   */
  both?: boolean;
  /** Whether an event waits until earlier events of its conversation are delivered. */
  ordered?: boolean;
  /** `paused`: nothing is sent, and events in the meantime are not kept. */
  state?: "active" | "paused";
}

/** Hours that replace the current ones. */
export interface UpdateHours {
  /** Null: no hours of its own; exceptions and time zone are ignored. */
  week: Week | null;
  /** At most 200, without overlaps. */
  exceptions?: HoursException[];
  /** An IANA time zone. */
  timezone?: string;
  /** The version you read. If the hours have changed since, nothing is saved. */
  version?: number | null;
}

/** Fields to change; omitted fields keep their values. */
export interface UpdateLabel {
  /** A unique name of at most 40 characters. */
  name?: string;
  /** Name of its color. */
  tone?: "amber" | "blue" | "green" | "grey" | "orange" | "pink" | "red" | "teal" | "violet";
}

/** A change of a queued message; omitted fields stay unchanged. */
export interface UpdateMessage {
  text?: string;
  /** Another time for a scheduled reply; null: send it now. */
  sendAt?: string | null;
  /** With `sendAt`: don't send it if the customer writes first. */
  unlessWritten?: boolean;
}

/** The desired state of a customer's message at the provider. */
export interface UpdateModeration {
  /** `hidden`: only its author sees it. `deleted` cannot be undone. */
  state: "deleted" | "hidden" | "shown";
}

/** The new text of a note; omitted fields stay unchanged. */
export interface UpdateNote {
  text: string;
  /** Ids of all people it mentions now. Newly mentioned people are notified. */
  mentions?: number[];
  /** Ids of all teams it mentions now. */
  teams?: number[];
  /** The `editCount` that was read. If the note was edited since, the answer is 409. */
  editCount?: number;
}

/** A change of a rule. */
export interface UpdateRule {
  /** `shadow`: it logs what it would have done, but does nothing. `draft` and `off`: it does not run. */
  state: "draft" | "live" | "off" | "shadow";
}

/** Fields to change; omitted fields keep their values. */
export interface UpdateTeam {
  /** A unique name of at most 40 characters. */
  name?: string;
  /** The complete list: anyone not in it is removed from the team. */
  members?: TeamMemberInput[];
  /** The ids of all accounts it handles, in this workspace. */
  accounts?: number[];
}

/** A change of a view; omitted fields stay unchanged. */
export interface UpdateView {
  name?: string;
  filter?: ConversationQuery;
  search?: string;
}

/** An uploaded file that waits to be sent. It is deleted after a day. */
export interface Upload {
  /** Its id, for use in one message. */
  id: string;
  /** The kind of message it can be sent as. */
  kind: MessageKind;
  name: string;
  /** Detected from its bytes. */
  contentType: string;
  /** In bytes. Camera metadata is removed from pictures. */
  size: number;
  width: number | null;
  height: number | null;
}

/** A video. */
export interface VideoContent {
  type: "video";
  video: FileRef;
}

/** A saved view that the workspace shares. */
export interface View {
  id: number;
  name: string;
  /**
   * As `filter`, with names such as `no_labels`; for a search, `search` with its text.
   * @deprecated
   */
  condition: Record<string, unknown>;
  /** The parameters of the list of conversations that are set; null for a search. */
  filter: Record<string, unknown> | null;
  /** The text of a search; null for a filter. */
  search: string | null;
}

/** The shared views, in their order. */
export interface Views {
  data: View[];
}

/** The reason why a message waits to be sent. */
export interface Waiting {
  sentence: string;
  until: string | null;
}

/** The hours of each day of the week. */
export interface Week {
  /** At most six, without overlaps; empty: closed. */
  monday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  tuesday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  wednesday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  thursday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  friday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  saturday: OpenHours[];
  /** At most six, without overlaps; empty: closed. */
  sunday: OpenHours[];
}

/** The reply window of the API. */
export interface Window {
  /**
   * `people_only`: only a person can reply, in the inbox. `unavailable`: the channel is not active, or
   * the account is disconnected.
   */
  state: "closed" | "open" | "people_only" | "unavailable";
  /** When this state ends; null: it does not. */
  until: string | null;
  /** The reason, if it is not open. */
  sentence: string;
}

/** An endpoint and its new secret, which is not shown again. */
export interface WithSecret {
  endpoint: Endpoint;
  /** `whsec_…`, which signs every request. */
  secret: string;
}

/** The data of each of the desk's own events. */
export interface EventData {
  /** A customer's message arrived. */
  "message.received": EventMessageReceived | EventTombstone;
  /** The provider accepted a message from the team. */
  "message.sent": EventOurMessage | EventTombstone;
  /** A message from the team will not reach the customer. */
  "message.failed": EventOurMessage | EventTombstone;
  /** The outcome of sending a message is unknown. */
  "message.unconfirmed": EventOurMessage | EventTombstone;
  /** A message from the team was delivered. Only some channels report it. */
  "message.delivered": EventMessageDelivered | EventTombstone;
  /** The customer read a message from the team. */
  "message.read": EventMessageRead | EventTombstone;
  /** A message was edited. */
  "message.edited": EventMessageEdited | EventTombstone;
  /** A message was unsent. Its content was deleted. */
  "message.unsent": EventMessageUnsent | EventTombstone;
  /** A customer reacted to a message or removed a reaction. */
  "message.reacted": EventMessageReacted | EventTombstone;
  /** The team hid a customer's message at the provider. */
  "message.hidden": EventMessageModerated | EventTombstone;
  /** The team unhid a message at the provider. */
  "message.shown": EventMessageModerated | EventTombstone;
  /** The team deleted a customer's message at the provider. */
  "message.deleted": EventMessageModerated | EventTombstone;
  /** The provider sent more details about an existing message. */
  "message.completed": EventMessageModerated | EventTombstone;
  /** A conversation was started. */
  "conversation.created": EventConversation | EventTombstone;
  /** A conversation was closed. */
  "conversation.closed": EventConversation | EventTombstone;
  /** A closed conversation was reopened. */
  "conversation.reopened": EventConversation | EventTombstone;
  /** A conversation was assigned or unassigned. */
  "conversation.assigned": EventConversation | EventTombstone;
  /** A conversation was assigned to a team or removed from one. */
  "conversation.team_assigned": EventConversation | EventTombstone;
  /** A conversation was handed off between automation and people. */
  "conversation.handler_changed": EventConversation | EventTombstone;
  /** A label was added to a conversation. */
  "conversation.labelled": EventConversation | EventTombstone;
  /** A label was removed from a conversation. */
  "conversation.unlabelled": EventConversation | EventTombstone;
  /** A conversation was snoozed. */
  "conversation.snoozed": EventConversation | EventTombstone;
  /** A snoozed conversation returned to the inbox. */
  "conversation.woken": EventConversation | EventTombstone;
  /** A conversation was marked as spam. */
  "conversation.marked_spam": EventConversation | EventTombstone;
  /** A conversation was marked as not spam. */
  "conversation.unmarked_spam": EventConversation | EventTombstone;
  /** Messages were forwarded to someone else. */
  "conversation.forwarded": EventConversation | EventTombstone;
  /** The reply window of a waiting customer is about to close. */
  "conversation.window_closing": EventConversation | EventTombstone;
  /** A customer's wait is about to exceed the account's response target. */
  "conversation.reply_due": EventConversation | EventTombstone;
  /** A label was deleted or merged into another. Its conversations get no events of their own. */
  "label.deleted": EventLabelDeleted | EventTombstone;
  /** A team was deleted. Its conversations no longer have a team and get no events of their own. */
  "team.deleted": EventTeamDeleted | EventTombstone;
  /** The team wrote a note. */
  "note.added": EventNoteAdded | EventTombstone;
  /** The author of a note edited it. */
  "note.edited": EventNoteEdited | EventTombstone;
  /** The author of a note deleted it. Its content was deleted. */
  "note.deleted": EventNoteDeleted | EventTombstone;
  /** A customer's details changed. */
  "contact.changed": EventContactChanged | EventTombstone;
  /** Two customers were merged. The event contains the other customer's ID. */
  "contact.merged": EventContactMerged | EventTombstone;
  /** Two merged customers were separated. */
  "contact.split": EventContactMerged | EventTombstone;
  /** A customer has a further ID on an account, such as a new phone number. */
  "contact.identity_added": EventContactIdentityAdded | EventTombstone;
  /** A customer was blocked. Their messages go to spam. */
  "contact.blocked": EventContactChanged | EventTombstone;
  /** A customer was unblocked. */
  "contact.unblocked": EventContactChanged | EventTombstone;
  /** A customer opted out of automated messages. */
  "contact.opted_out": EventContactAgreed | EventTombstone;
  /** A customer opted in to automated messages again. */
  "contact.opted_in": EventContactAgreed | EventTombstone;
  /** A customer's data was erased. */
  "contact.erased": EventContactErased | EventTombstone;
  /** A rule called a webhook endpoint. Only that endpoint receives this event. */
  "rule.called": EventRuleCalled | EventTombstone;
  /** A rule notified a member or a team. */
  "rule.told": EventRuleTold | EventTombstone;
  /** A customer's run of a sequence started. */
  "sequence.started": EventSequenceStarted | EventTombstone;
  /** A customer's run of a sequence ended. */
  "sequence.ended": EventSequenceEnded | EventTombstone;
  /** An assistant suggested an answer to the team. */
  "assistant.suggested": EventAssistantTurn | EventTombstone;
  /** An assistant's suggestion was sent. */
  "assistant.taken": EventAssistantTurn | EventTombstone;
  /** An assistant answered automatically. */
  "assistant.answered": EventAssistantTurn | EventTombstone;
  /** An assistant had no answer and handed off to the team. */
  "assistant.handed_over": EventAssistantTurn | EventTombstone;
  /** Someone dismissed an assistant's suggestion. */
  "assistant.dismissed": EventAssistantTurn | EventTombstone;
  /** An assistant or its model failed. */
  "assistant.failed": EventAssistantTurn | EventTombstone;
  /** An assistant's mode on an account changed. */
  "assistant.mode_changed": EventAssistantMode | EventTombstone;
  /** An assistant was stopped on every account. */
  "assistant.stopped": EventAssistantState | EventTombstone;
  /** A stopped assistant was resumed. */
  "assistant.resumed": EventAssistantState | EventTombstone;
  /** A channel account was connected or reconnected. */
  "account.connected": EventAccount | EventTombstone;
  /** A channel account needs to be reconnected. */
  "account.stopped": EventAccount | EventTombstone;
  /** A channel account was disconnected. */
  "account.disconnected": EventAccount | EventTombstone;
}
